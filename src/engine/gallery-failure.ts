import { TaskError, type TaskErrorCode } from '../domain/errors.ts'
import { galleryFailures } from '../domain/post-gallery.ts'
import { ERROR_TEXTS } from '../domain/retry.ts'
import { failureOf, type EngineRun } from './engine-run.ts'
import { sanitiseMessage } from './failure-stderr.ts'

/** What gallery-dl means by its own names of failures; those of the others are to be read. */
const NAMES: Readonly<Record<string, TaskErrorCode>> = {
  NotFoundError: 'not_found',
  AuthRequired: 'login_required',
  AuthenticationError: 'auth_failed',
  AuthorizationError: 'login_required',
  ChallengeError: 'bot_check',
}

/** Words of its own that yt-dlp has not. First hit wins. */
const WORDS: readonly (readonly [TaskErrorCode, RegExp])[] = [
  ['age_restricted', /\bNSFW\b/i],
  ['private', /protected tweet|private account|\bis private\b/i],
  ['geo_blocked', /region.?locked/i],
  ['login_required', /redirect to login|login required/i],
  ['rate_limited', /rate.?limit/i],
  ['not_found', /could not be found|not available|unavailable/i],
]

/**
 * Why gallery-dl found nothing; null where it does not say. It ends well whatever happened: failures are among the rows
 * that it printed, and some on standard error alone.
 */
export function galleryFailure(rows: unknown, stderr: string, run: EngineRun): TaskError | null {
  const { error, message } = galleryFailures(rows).at(-1) ?? loggedIn(stderr)
  if (error === '' && message === '') return null
  const code = WORDS.find(([, pattern]) => pattern.test(message))?.[0] ?? NAMES[error]
  if (code !== undefined) return new TaskError(code, `${ERROR_TEXTS[code].message} (${sanitiseMessage(message)})`)
  // As yt-dlp would have put it.
  const text = message.replace(/^'(\d{3}) ([^']*)' for /, 'HTTP Error $1: $2: ')
  return failureOf(run, { kind: 'exit', exitCode: 1, signalName: null, stderr: `ERROR: ${text}` })
}

function loggedIn(stderr: string): Readonly<{ error: string; message: string }> {
  const [, error = '', message = ''] = /^\[[\w-]+\]\[error\] (?:(\w+Error|AuthRequired): )?(.+)$/m.exec(stderr) ?? []
  return { error, message }
}
