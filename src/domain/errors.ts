/**
 * Every way a task can fail. Public API: the same words in answers, database, log and documents; add, never rename.
 * What each means and whether it is tried again stands in `domain/retry.ts`.
 */
export const TASK_ERROR_CODES = [
  'egress_denied',
  'cancelled',
  'shutdown',
  'timeout',
  'stalled',
  'unsupported_url',
  'drm',
  'bot_check',
  'rate_limited',
  'age_restricted',
  'password_required',
  'auth_failed',
  'payment_required',
  'private',
  'geo_blocked',
  'live_not_started',
  'live_ended',
  'not_live',
  'login_required',
  'not_found',
  'format_unavailable',
  'no_media',
  'filtered',
  'too_large',
  'no_space',
  'storage_error',
  'tls_error',
  'dns',
  'network',
  'upstream_5xx',
  'access_denied',
  'ffmpeg_failed',
  'invalid_media',
  'dependency_missing',
  'extractor_broken',
  'bad_request_options',
  'crashed',
  'unknown',
] as const

export type TaskErrorCode = (typeof TASK_ERROR_CODES)[number]

/** Why one attempt failed: what the engine throws and a task's record keeps. */
export class TaskError extends Error {
  override readonly name = 'TaskError'
  readonly code: TaskErrorCode
  /** The HTTP status the site answered with, where the failure names one. */
  readonly httpStatus: number | null
  /** Seconds the site asked us to wait, where it did. */
  readonly retryAfter: number | null

  constructor(
    code: TaskErrorCode,
    message: string,
    options: ErrorOptions & { httpStatus?: number | null; retryAfter?: number | null } = {},
  ) {
    super(message, options)
    this.code = code
    this.httpStatus = options.httpStatus ?? null
    this.retryAfter = options.retryAfter ?? null
  }

  /** Anything that is not already a TaskError is a fault of ours; its text stays in the log. */
  static from(cause: unknown): TaskError {
    return cause instanceof TaskError ? cause : new TaskError('unknown', 'internal error', { cause })
  }
}

/** Why a call was refused, whatever face it came through; each face has its own status and body for each. */
export const REFUSAL_CODES = [
  'invalid_request',
  'malformed_body',
  'body_too_large',
  'unsupported_media_type',
  'key_missing',
  'key_invalid',
  'forbidden',
  'rate_limited',
  'task_not_found',
  'file_not_found',
  'key_not_found',
  'not_found',
  'route_not_found',
  'method_not_allowed',
  'range_not_satisfiable',
  'precondition_failed',
  'conflict',
  'extraction_failed',
  'queue_full',
  'limit_exceeded',
  'no_credits',
  'no_space',
  'shutting_down',
  'unavailable',
  'internal',
] as const

export type RefusalCode = (typeof REFUSAL_CODES)[number]

/** `field`: its path in what was sent, such as `clips.0.end`; empty for the whole. */
export type RefusalDetail = Readonly<{ field: string; message: string }>

/** A call that is refused: its message is for the client. Anything else that is thrown becomes `internal` and stays in the log. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: RefusalCode
  /** Seconds after which the same call may succeed. */
  readonly retryAfter: number | null
  /** What is wrong with which field, for faces that can say it. */
  readonly details: readonly RefusalDetail[]

  constructor(
    code: RefusalCode,
    message: string,
    options: ErrorOptions & { retryAfter?: number; details?: readonly RefusalDetail[] } = {},
  ) {
    super(message, options)
    this.code = code
    this.retryAfter = options.retryAfter ?? null
    this.details = options.details ?? []
  }
}
