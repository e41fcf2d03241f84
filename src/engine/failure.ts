import { TaskError, type TaskErrorCode } from '../domain/errors.ts'
import { ERROR_TEXTS } from '../domain/retry.ts'
import { describeDenial, type Denial } from './egress/policy.ts'
import { parseStderr, sanitiseMessage, type ParsedStderr, type ToolMessage } from './failure-stderr.ts'
import {
  ERRNO_CODES,
  FFMPEG_RULES,
  FILTER_RULES,
  FIRST_RULES,
  LATE_RULES,
  MACHINE_RULES,
  POSTPROCESSING_RULES,
  SITE_RULES,
  STATUS_CODES,
  TRANSPORT_RULES,
  WIDE_RULES,
  type Rule,
} from './failure-table.ts'
import type { ToolExit } from './tool.ts'

/** All that is known of a run that failed. */
export type FailureInput = Readonly<{
  exit: ToolExit
  /** All of standard error; `exit.stderr` when left out. */
  stderr?: string
  /** What the lane refused during the run. */
  denied?: readonly Pick<Denial, 'host' | 'reason'>[]
  /** The lane cut the run off itself. */
  laneFailure?: 'too_large' | null
}>

type Verdict = Readonly<{ code: TaskErrorCode; text: string; status: number | null }>

/**
 * Why a run of yt-dlp, ffmpeg or ffprobe failed. Never throws; what nobody can tell is `unknown`. The error's message
 * is fit for users: one sentence of ours, then the tool's own words without paths, secrets or command-line advice.
 */
export function classifyFailure(input: FailureInput): TaskError {
  const parsed = parseStderr(input.stderr ?? input.exit.stderr)
  const verdict = withLane(fromExit(input.exit, parsed) ?? fromOutput(parsed, input.exit.exitCode), parsed, input)
  const detail = sanitiseMessage(verdict.text)
  const { message } = ERROR_TEXTS[verdict.code]
  return new TaskError(verdict.code, detail === '' ? message : `${message} (${detail})`, {
    httpStatus: verdict.status,
    retryAfter: waitIn(verdict),
  })
}

/** What the way it ended says by itself, whatever was printed. */
function fromExit(exit: ToolExit, parsed: ParsedStderr): Verdict | null {
  if (exit.kind === 'exit') return fromExitCode(exit.exitCode, parsed)
  if (exit.kind === 'timeout') return verdictOf('timeout', parsed.errors.at(-1)?.text ?? '')
  if (exit.kind === 'aborted') return verdictOf('cancelled', '')
  if (exit.kind === 'signal') {
    return verdictOf(exit.signalName === 'SIGXFSZ' ? 'too_large' : 'crashed', exit.signalName ?? '')
  }
  return verdictOf(/EAGAIN|ENOMEM|EMFILE|ENFILE/.test(exit.stderr) ? 'crashed' : 'dependency_missing', '')
}

function fromExitCode(exitCode: number | null, parsed: ParsedStderr): Verdict | null {
  const usage = parsed.rest.findLast((line) => /^[\w.-]+: error: /.test(line))
  if (exitCode === 2 && parsed.errors.length === 0) {
    return verdictOf('bad_request_options', usage?.replace(/^[\w.-]+: error: /, '') ?? '')
  }
  // 101: yt-dlp stopped by itself (--max-downloads, --break-…).
  return exitCode === 101 ? verdictOf('filtered', parsed.errors.at(-1)?.text ?? '') : null
}

/**
 * The last error counts; one that says nothing gives way to the one before it, and `ffmpeg exited with code 1` to what
 * ffmpeg itself printed.
 */
function fromOutput(parsed: ParsedStderr, exitCode: number | null): Verdict {
  const verdicts = parsed.errors.filter(isOwnReason).map(classifyMessage).toReversed()
  const best = verdicts.find(({ code }) => code !== 'unknown') ?? verdicts[0]
  const verdict = best === undefined || /^\S+ exited with code/.test(best.text) ? fromRest(parsed.rest) : null
  if (verdict !== null) return verdict
  if (best !== undefined) return explained(best, parsed)
  // Success without a file: yt-dlp's own filters (size, match) say so on standard output only.
  return verdictOf(exitCode === 0 ? 'filtered' : 'unknown', parsed.rest.at(-1) ?? '')
}

/** Not an error that only reports others, and may quote a title. */
function isOwnReason({ text }: ToolMessage): boolean {
  return text !== '' && !/^(skipping the remaining entries|giving up|aborting concatenation)/i.test(text)
}

/** A traceback of Python, or an ffmpeg of ours: its `-v error` lines are about one input, the first tells why. */
function fromRest(rest: readonly string[]): Verdict | null {
  const lines = rest
    .filter((line) => !/^\s+\S.* : /.test(line)) // tags of the input: titles, comments
    .map((line) => ({ line, text: normalise(line) }))
  const traceback = rest.findIndex((line) => line.startsWith('Traceback (most recent call last)'))
  if (traceback >= 0) return fromTraceback(rest.slice(traceback))
  for (const rules of [MACHINE_RULES, FILTER_RULES, FFMPEG_RULES]) {
    for (const [code, pattern] of rules) {
      const { line } = lines.find(({ text }) => pattern.test(text)) ?? {}
      if (line !== undefined) return { code, text: line.replace(/^\[[^\]]*\]\s*/, ''), status: ffmpegStatus(line) }
    }
  }
  return null
}

/** An exception that nothing in yt-dlp caught: a fault of the program, unless it was about the options. */
function fromTraceback(lines: readonly string[]): Verdict {
  const exception = lines.findLast((line) => /^[A-Za-z_][\w.]*(: |$)/.test(line)) ?? ''
  const text = exception.replace(/^[\w.]+: /, '')
  if (lines.some((line) => line.includes('in build_format_selector'))) return verdictOf('bad_request_options', text)
  return verdictOf(firstMatch(FIRST_RULES, normalise(text)) ?? 'crashed', text)
}

function ffmpegStatus(line: string): number | null {
  const status = /(?:server returned|http error) (\d{3})\b/i.exec(line)?.[1]
  return status === undefined ? null : Number(status)
}

/** The meaning of one `ERROR:` or `WARNING:` of yt-dlp. */
function classifyMessage({ text: original }: ToolMessage): Verdict {
  const marked = original.replaceAll(/[\u2018\u2019]/g, "'")
  const text = normalise(marked)
  const cause = /\(caused by (.*)\)/is.exec(marked)?.[1] ?? ''
  const status = statusIn(marked, cause)
  const code = machineCode(marked, text) ?? transportCode(text, cause, status) ?? markedCode(marked, text)
  return { code: code ?? lastResort(marked, cause), text: original, status }
}

/** Characters of a message that are compared with the table: what matters stands at its front. */
const MAX_READ = 2000

/** Lower case, no URLs, no `(caused by …)`, no suffix of yt-dlp's own: the words that are about this failure. */
function normalise(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replace(/;? ?please report this issue on .*$/is, '')
    .replace(/ ?\(caused by .*$/is, '')
    .replaceAll(/[\u2018\u2019]/g, "'")
    .replaceAll(/[a-z][\w+.-]{0,30}:\/\/[^\s"'<>)]+/gi, (url) => (/^file:/i.test(url) ? url : '<url>'))
    .toLowerCase()
    .trim()
    .slice(0, MAX_READ)
}

function machineCode(marked: string, text: string): TaskErrorCode | null {
  const machine = firstMatch(MACHINE_RULES, text) ?? firstMatch(MACHINE_RULES, marked.toLowerCase())
  if (machine !== null) return machine
  // A file name that follows may be a title, so nothing after the number is read.
  const errno = /\[Errno (-?\d+)\]/.exec(marked)?.[1]
  if (errno !== undefined) return ERRNO_CODES[errno] ?? 'network'
  if (!/^(postprocessing|post hooks): /.test(text)) return null
  return firstMatch(POSTPROCESSING_RULES, text) ?? 'ffmpeg_failed'
}

/** Failures of the connection and plain HTTP errors; null when the site answered and said something of its own. */
function transportCode(text: string, cause: string, status: number | null): TaskErrorCode | null {
  const tunnel = /tunnel connection failed: (\d{3})/.exec(`${text} ${cause.toLowerCase()}`)?.[1]
  if (tunnel !== undefined) return tunnel.startsWith('5') ? 'network' : 'egress_denied'
  if (status !== null && /\bhttp error \d{3}:/.test(text)) return codeOfStatus(status, text)
  if (/^(transporterror|incompleteread|<incompleteread|sslerror|certificateverifyerror|proxyerror)/i.test(cause)) {
    return firstMatch(TRANSPORT_RULES, `${cause.toLowerCase()} ${text}`) ?? 'network'
  }
  if (/^(unable to download|unable to connect|got error)\b/.test(text)) {
    return firstMatch(TRANSPORT_RULES, text) ?? firstMatch(FIRST_RULES, text)
  }
  return null
}

function statusIn(marked: string, cause: string): number | null {
  const status =
    /^<HTTPError (\d{3}):/.exec(cause)?.[1] ??
    /(?:^|: )HTTP Error (\d{3})(?=[:.\s]|$)/i.exec(marked)?.[1] ??
    /^Got HTTP Error (\d{3})\b/.exec(marked)?.[1]
  return status === undefined ? null : Number(status)
}

function codeOfStatus(status: number, text: string): TaskErrorCode {
  // A loop is how sites turn away a client without cookies; asking again goes round again.
  if (text.includes('redirect loop') || (status >= 300 && status < 400)) return 'access_denied'
  return STATUS_CODES[status] ?? (status >= 500 ? 'upstream_5xx' : 'access_denied')
}

/** What a failure may be that yt-dlp ends with its advice on logging in. */
const LOGIN_CODES: ReadonlySet<TaskErrorCode> = new Set([
  'bot_check',
  'age_restricted',
  'password_required',
  'auth_failed',
  'payment_required',
  'private',
  'login_required',
])

function markedCode(marked: string, text: string): TaskErrorCode | null {
  if (/You might want to use a VPN or a proxy server/.test(marked)) return 'geo_blocked'
  if (/how-do-i-pass-cookies-to-yt-dlp|--username and --password/.test(marked)) {
    const said = text.replace(/\.? ?use --(cookies|username|netrc).*$/s, '')
    return (
      firstMatch(
        SITE_RULES.filter(([code]) => LOGIN_CODES.has(code)),
        said,
      ) ?? 'login_required'
    )
  }
  return firstMatch(FIRST_RULES, text) ?? firstMatch(SITE_RULES, text) ?? firstMatch(LATE_RULES, text)
}

function lastResort(marked: string, cause: string): TaskErrorCode {
  const status = statusIn(marked, cause)
  if (status !== null) return codeOfStatus(status, cause)
  if (/please report this issue on/i.test(marked)) return 'extractor_broken'
  const text = normalise(marked)
  return firstMatch(WIDE_RULES, text) ?? firstMatch(TRANSPORT_RULES, text) ?? 'unknown'
}

/** Verdicts that only say nothing was there to download; a warning before them often knows why. */
const HOLLOW_CODES: ReadonlySet<TaskErrorCode> = new Set(['no_media', 'format_unavailable', 'unknown'])
const EXPLAINING_CODES: ReadonlySet<TaskErrorCode> = new Set([
  'rate_limited',
  'bot_check',
  'drm',
  'geo_blocked',
  'egress_denied',
  'access_denied',
  'upstream_5xx',
  'tls_error',
  'dns',
  'network',
])

function explained(verdict: Verdict, parsed: ParsedStderr): Verdict {
  const noFormats = [verdict.text, ...parsed.warnings.map(({ text }) => text)].some((text) =>
    /No video formats/.test(text),
  )
  if (!HOLLOW_CODES.has(verdict.code) || (verdict.code === 'format_unavailable' && !noFormats)) return verdict
  const reasons = parsed.warnings.map(classifyMessage).filter(({ code }) => EXPLAINING_CODES.has(code))
  return reasons.find(({ code }) => code === 'rate_limited' || code === 'bot_check') ?? reasons.at(-1) ?? verdict
}

/** Failures that a refused connection can look like from inside the tool. */
const LANE_SYMPTOMS: ReadonlySet<TaskErrorCode> = new Set([
  'access_denied',
  'network',
  'dns',
  'upstream_5xx',
  'ffmpeg_failed',
  'invalid_media',
  'no_media',
  'egress_denied',
  'unknown',
])

/** What our own proxy knows about the run is worth more than any text. */
function withLane(verdict: Verdict, parsed: ParsedStderr, input: FailureInput): Verdict {
  if (input.laneFailure === 'too_large') return { ...verdict, code: 'too_large', status: null }
  const denied = input.denied ?? []
  if (denied.length === 0 || !isLaneSymptom(verdict, parsed)) return verdict
  const refused = denied.find(({ reason }) => reason !== 'dns')
  if (refused !== undefined) {
    return verdictOf('egress_denied', `${refused.host} points to ${describeDenial(refused.reason)}`)
  }
  return verdict.code === 'access_denied' ? verdict : { ...verdict, code: 'dns', status: null }
}

/** Our proxy answers 403 to what it refuses, 502 or 504 to what it cannot reach. */
function isLaneSymptom({ code, status, text }: Verdict, parsed: ParsedStderr): boolean {
  if (code === 'no_media') return parsed.warnings.some((warning) => /HTTP Error 403|Tunnel/.test(warning.text))
  if (code === 'access_denied') return status === 403
  if (code === 'upstream_5xx') return status === 502 || status === 504 || /returned 5XX/.test(text)
  return LANE_SYMPTOMS.has(code)
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400 }

/** Seconds that the message itself asks us to wait. */
function waitIn({ code, text }: Verdict): number | null {
  if (code !== 'rate_limited' && code !== 'live_not_started' && code !== 'upstream_5xx') return null
  const wait =
    /\b(?:for up to|wait|again in|begin in|start in|starts in|premieres in)\b[^.]{0,20}?\b(an?|\d{1,4}) (second|minute|hour|day)s?\b/i
  const [, count = '', unit = ''] = wait.exec(text) ?? []
  const seconds = (Number(count.replace(/^an?$/i, '1')) || 0) * (UNIT_SECONDS[unit.toLowerCase()] ?? 0)
  return seconds > 0 ? seconds : null
}

function firstMatch(rules: readonly Rule[], text: string): TaskErrorCode | null {
  return rules.find(([, pattern]) => pattern.test(text))?.[0] ?? null
}

function verdictOf(code: TaskErrorCode, text: string): Verdict {
  return { code, text, status: null }
}
