import type { TaskErrorCode } from './errors.ts'

/** How failures of one kind are tried again. Times in milliseconds. */
export type RetryPlan = Readonly<{
  baseMs: number
  /** The delay before retry n (from 0) is at most `baseMs * factor ** n`, never more than `capMs`. */
  factor: number
  capMs: number
  /** Retries after the first attempt. */
  retries: number
  /**
   * `full`: anything from 0 to the delay, so that a crowd spreads out. `band`: three quarters to five quarters of it,
   * for waits that must not be cut short.
   */
  jitter: 'full' | 'band'
  /** False: the attempt is given back, the failure was not the task's. */
  counts: boolean
  /** Tried again only for this status, or only once media had been offered. Absent: always. */
  only?: 'http_404' | 'media'
}>

/** What is done about a failure. */
export type RetryRule = Readonly<{
  retry: 'no' | RetryPlan
  /** How long the whole host is left in peace, doubling with every strike. */
  cooldown?: Readonly<{ firstMs: number; capMs: number }>
}>

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const NO: RetryRule = { retry: 'no' }

function backoff(baseMs: number, retries: number, more: Partial<RetryPlan> = {}): RetryRule {
  return { retry: { baseMs, retries, factor: 2, capMs: HOUR, jitter: 'full', counts: true, ...more } }
}

/** The rule of every failure there is. */
export const RETRY_RULES: Readonly<Record<TaskErrorCode, RetryRule>> = {
  egress_denied: NO,
  cancelled: NO,
  shutdown: backoff(0, Infinity, { counts: false }),
  timeout: backoff(30 * SECOND, 1),
  stalled: backoff(30 * SECOND, 2),
  unsupported_url: NO,
  drm: NO,
  bot_check: { ...NO, cooldown: { firstMs: 30 * MINUTE, capMs: HOUR } },
  rate_limited: {
    ...backoff(15 * MINUTE, 5, { capMs: 6 * HOUR, jitter: 'band' }),
    cooldown: { firstMs: 15 * MINUTE, capMs: 6 * HOUR },
  },
  age_restricted: NO,
  password_required: NO,
  auth_failed: NO,
  payment_required: NO,
  private: NO,
  geo_blocked: NO,
  live_not_started: backoff(5 * MINUTE, 288, { factor: 1, jitter: 'band' }), // a day of looking
  live_ended: NO,
  not_live: NO,
  login_required: NO,
  // A page can be a minute late after its publication; what was removed stays removed.
  not_found: backoff(MINUTE, 1, { jitter: 'band', only: 'http_404' }),
  format_unavailable: NO,
  no_media: NO,
  filtered: NO,
  too_large: NO,
  no_space: backoff(10 * SECOND, Infinity, { factor: 1, jitter: 'band', counts: false }),
  storage_error: backoff(MINUTE, 1, { jitter: 'band' }),
  tls_error: NO,
  dns: backoff(30 * SECOND, 4),
  network: backoff(5 * SECOND, 5),
  upstream_5xx: backoff(10 * SECOND, 5),
  // Addresses of media expire: asking the site again gives new ones. A page that is refused stays refused.
  access_denied: backoff(5 * SECOND, 2, { only: 'media' }),
  ffmpeg_failed: backoff(10 * SECOND, 1),
  invalid_media: backoff(10 * SECOND, 2),
  dependency_missing: NO,
  extractor_broken: NO,
  bad_request_options: NO,
  crashed: backoff(30 * SECOND, 1),
  unknown: backoff(MINUTE, 1, { jitter: 'band' }),
}

/** A failed attempt, as far as the rules look at it. */
export type RetryQuestion = Readonly<{
  code: TaskErrorCode
  /** Attempts made so far that count, this one included: 1 after the first failure. */
  attempt: number
  /** Epoch milliseconds. */
  now: number
  /** From 0 to less than 1. */
  random: number
  /** Seconds the site asked us to wait. */
  retryAfter?: number | null
  httpStatus?: number | null
  /** The site had offered media and the failure came while fetching it. */
  media?: boolean
}>

/** When the next attempt may begin, and whether it uses up one of the retries. */
export type NextRetry = Readonly<{
  /** Epoch milliseconds. */
  at: number
  countsAsAttempt: boolean
}>

/** When to try again, or null: this failure is final. */
export function nextRetry(question: RetryQuestion): NextRetry | null {
  const { retry } = RETRY_RULES[question.code]
  if (retry === 'no' || question.attempt > retry.retries || !applies(retry, question)) return null
  return { at: question.now + delayMs(retry, question), countsAsAttempt: retry.counts }
}

function applies({ only }: RetryPlan, question: RetryQuestion): boolean {
  return only === undefined || (only === 'http_404' ? question.httpStatus === 404 : question.media === true)
}

/** A wait that the site named beats ours, up to a day; a little is added so that not all come back at once. */
function delayMs(plan: RetryPlan, { code, attempt, random, retryAfter }: RetryQuestion): number {
  const limit = Math.min(plan.capMs, plan.baseMs * plan.factor ** Math.max(0, attempt - 1))
  const own = plan.jitter === 'full' ? random * limit : (0.75 + random / 2) * limit
  const asked = Math.min(24 * HOUR, (retryAfter ?? 0) * 1000)
  // A live event does not wait for who comes late.
  const spread = code === 'live_not_started' ? Math.min(MINUTE, asked / 10) : asked / 10
  return Math.round(asked > 0 ? Math.max(asked + random * spread, own) : own)
}

/** How long nothing should be asked of a host after `strikes` such failures in a row (from 1); 0 = carry on. */
export function hostCooldown(code: TaskErrorCode, strikes: number): number {
  const { cooldown } = RETRY_RULES[code]
  if (cooldown === undefined || strikes < 1) return 0
  return Math.min(cooldown.capMs, cooldown.firstMs * 2 ** (strikes - 1))
}

/** What a failure means to the one who reads of it. */
export type ErrorText = Readonly<{
  /** What happened, one sentence. */
  message: string
  /** What the reader can do, one sentence. */
  hint: string
}>

/** The words of every failure there is. */
export const ERROR_TEXTS: Readonly<Record<TaskErrorCode, ErrorText>> = {
  egress_denied: {
    message: 'The address, or one it leads to, is not allowed.',
    hint: 'Only public internet addresses are fetched; the operator can allow more.',
  },
  cancelled: { message: 'The task was cancelled.', hint: 'Send it again if that was not meant.' },
  shutdown: { message: 'The server stopped while the task ran.', hint: 'Nothing to do: it goes on after the restart.' },
  timeout: { message: 'The task took longer than allowed.', hint: 'Ask for a shorter part or a lower quality.' },
  stalled: { message: 'No data arrived for too long.', hint: 'The site may be slow now; try again later.' },
  unsupported_url: {
    message: 'This address is not supported.',
    hint: 'Check the link, and use the page of the video itself.',
  },
  drm: { message: 'The media is protected by DRM.', hint: 'Protected media cannot be downloaded.' },
  bot_check: {
    message: 'The site wants proof that we are not a robot.',
    hint: 'Give cookies of a signed-in browser, or use another proxy or network.',
  },
  rate_limited: {
    message: 'The site is limiting our requests.',
    hint: 'Wait: it is tried again by itself after a longer pause.',
  },
  age_restricted: { message: 'The site shows this to adults only.', hint: 'Give cookies of an account of legal age.' },
  password_required: { message: 'The media asks for a password.', hint: 'Send the right video password.' },
  auth_failed: {
    message: 'The site did not accept the credentials.',
    hint: 'Check the credentials, or give fresh cookies.',
  },
  payment_required: {
    message: 'The media is for paying members.',
    hint: 'Give cookies of an account that has access to it.',
  },
  private: { message: 'The media is private.', hint: 'Give cookies of an account that may see it.' },
  geo_blocked: {
    message: 'The media is not available in the country of this server.',
    hint: 'Use a proxy in another country.',
  },
  live_not_started: {
    message: 'The media is not available yet.',
    hint: 'Wait: it is tried again when the event begins or the upload is ready.',
  },
  live_ended: { message: 'The live event is over and has no recording.', hint: 'Look for a recording on the site.' },
  not_live: { message: 'The channel is not live now.', hint: 'Try again when it is live.' },
  login_required: { message: 'The site asks for a login.', hint: 'Give cookies of a signed-in browser.' },
  not_found: {
    message: 'The media does not exist or is no longer available.',
    hint: 'Open the link in a browser to check it.',
  },
  format_unavailable: {
    message: 'The requested format is not available.',
    hint: 'Ask for another quality, or leave the choice to the server.',
  },
  no_media: { message: 'No video or audio was found there.', hint: 'Use the link of the page that plays it.' },
  filtered: { message: 'The conditions of the request exclude this media.', hint: 'Relax the conditions.' },
  too_large: { message: 'The media is larger than allowed.', hint: 'Ask for a lower quality or a shorter part.' },
  no_space: { message: 'The server has no space left.', hint: 'Wait: it goes on when there is space again.' },
  storage_error: { message: 'The server could not write the file.', hint: 'The operator has to look at the storage.' },
  tls_error: {
    message: 'The site could not prove its identity.',
    hint: 'Its certificate is wrong, or a proxy stands between.',
  },
  dns: { message: 'The name of the site could not be resolved.', hint: 'Check the link for a typing error.' },
  network: { message: 'The connection to the site failed.', hint: 'Wait: it is tried again by itself.' },
  upstream_5xx: { message: 'The site has an internal problem.', hint: 'Wait: it is tried again by itself.' },
  access_denied: {
    message: 'The site refused access.',
    hint: 'Give cookies, or use another proxy or network.',
  },
  ffmpeg_failed: { message: 'Processing the media failed.', hint: 'Ask for another format.' },
  invalid_media: { message: 'What the site sent is not valid media.', hint: 'Ask for another format or try later.' },
  dependency_missing: {
    message: 'The server lacks a program or module needed for this site.',
    hint: 'The operator has to install it.',
  },
  extractor_broken: {
    message: 'yt-dlp could not read the page; the site has probably changed.',
    hint: 'Update yt-dlp, then try again.',
  },
  bad_request_options: {
    message: 'The options of the request are not valid together.',
    hint: 'Check the options sent.',
  },
  crashed: { message: 'The program crashed or ran out of memory.', hint: 'Tell the operator if it happens again.' },
  unknown: { message: 'The task failed for a reason we do not know.', hint: 'Try again; the log has the details.' },
}
