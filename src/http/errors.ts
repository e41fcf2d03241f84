import type { ErrorRequestHandler, RequestHandler, Response } from 'express'
import type { Logger } from 'pino'
import { Refusal, type RefusalCode } from '../domain/errors.ts'

/** The whole mapping. A new code does not compile until it has a status here. */
const STATUS: Readonly<Record<RefusalCode, number>> = {
  invalid_request: 400,
  malformed_body: 400,
  body_too_large: 413,
  unsupported_media_type: 415,
  key_missing: 401,
  key_invalid: 401,
  forbidden: 403,
  rate_limited: 429,
  task_not_found: 404,
  file_not_found: 404,
  key_not_found: 404,
  route_not_found: 404,
  method_not_allowed: 405,
  range_not_satisfiable: 416,
  precondition_failed: 412,
  conflict: 409,
  queue_full: 503,
  limit_exceeded: 429,
  no_space: 507,
  shutting_down: 503,
  unavailable: 503,
  internal: 500,
}

/** Turns a refusal into the body that a face's clients know. */
export type ErrorBody = (refusal: Refusal) => unknown

/** Answers whatever was thrown below it in the shape of one face. */
export function errorHandler(toBody: ErrorBody, log: Logger): ErrorRequestHandler {
  return (cause: unknown, req, res, next) => {
    const refusal = toRefusal(cause)
    if (refusal.code === 'internal' || refusal.code === 'unavailable')
      log.error({ err: cause, method: req.method, path: req.path }, 'request failed')
    if (res.headersSent) return next(cause)
    sendRefusal(res, refusal, toBody)
  }
}

/** The last route of a face: nothing matched. */
export const notFound: RequestHandler = () => {
  throw new Refusal('route_not_found', 'Not found')
}

function sendRefusal(res: Response, refusal: Refusal, toBody: ErrorBody): void {
  if (refusal.retryAfter !== null) res.setHeader('Retry-After', Math.ceil(refusal.retryAfter))
  for (const name of ['Content-Disposition', 'Cache-Control', 'ETag', 'Last-Modified']) res.removeHeader(name) // of a file
  res.status(STATUS[refusal.code]).type('json').json(toBody(refusal))
}

function toRefusal(cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause
  const status = statusOf(cause)
  if (status === 413)
    return new Refusal('body_too_large', `The body is too large: at most ${limitOf(cause)}`, { cause })
  if (status === 415)
    return new Refusal('unsupported_media_type', 'The encoding of the body is not supported', { cause })
  if (status !== null && status < 500)
    return new Refusal('malformed_body', 'The request cannot be read: is the body JSON?', { cause })
  return new Refusal('internal', 'Internal error', { cause })
}

/** What the parser would have read. */
function limitOf(cause: unknown): string {
  const kibibytes = cause instanceof Error && 'limit' in cause ? Number(cause.limit) / 1024 : 1024
  return kibibytes < 1024 ? `${kibibytes} KiB` : `${kibibytes / 1024} MiB`
}

/** Express marks what its own parsers reject with a 4xx `status`. */
function statusOf(cause: unknown): number | null {
  if (!(cause instanceof Error) || !('status' in cause) || typeof cause.status !== 'number') return null
  return cause.status >= 400 ? cause.status : null
}
