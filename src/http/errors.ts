import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { Refusal, type RefusalCode } from '../domain/errors.ts'
import { logOf, routeOf } from './request-log.ts'

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
  not_found: 404,
  route_not_found: 404,
  method_not_allowed: 405,
  range_not_satisfiable: 416,
  precondition_failed: 412,
  conflict: 409,
  extraction_failed: 422,
  queue_full: 503,
  limit_exceeded: 429,
  no_credits: 402,
  no_space: 507,
  shutting_down: 503,
  unavailable: 503,
  internal: 500,
}

/** Turns a refusal into the body that a face's clients know; what it does to the answer's headers counts. */
export type ErrorBody = (refusal: Refusal, call: Readonly<{ req: Request; res: Response; status: number }>) => unknown

/** Answers whatever was thrown below it in the shape of one face. */
export function errorHandler(toBody: ErrorBody): ErrorRequestHandler {
  return (cause: unknown, req, res, next) => {
    const refusal = toRefusal(cause)
    if (refusal.code === 'internal' || refusal.code === 'unavailable')
      logOf(res).error({ err: cause, method: req.method, route: routeOf(req) }, 'request failed')
    if (res.headersSent) return next(cause)
    sendRefusal(refusal, toBody, { req, res })
  }
}

/** The last route of a face: nothing matched. */
export const notFound: RequestHandler = () => {
  throw new Refusal('route_not_found', 'Not found')
}

function sendRefusal(
  refusal: Refusal,
  toBody: ErrorBody,
  { req, res }: Readonly<{ req: Request; res: Response }>,
): void {
  if (refusal.retryAfter !== null) res.setHeader('Retry-After', Math.ceil(refusal.retryAfter))
  for (const name of ['Content-Disposition', 'Cache-Control', 'ETag', 'Last-Modified']) res.removeHeader(name) // of a file
  const status = STATUS[refusal.code]
  res.status(status).type('json')
  res.json(toBody(refusal, { req, res, status }))
}

function toRefusal(cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause
  const status = statusOf(cause)
  if (status === 413)
    return new Refusal('body_too_large', `The body is too large: at most ${limitOf(cause)}`, { cause })
  if (status === 415)
    return new Refusal('unsupported_media_type', 'The encoding of the body is not supported', { cause })
  if (status !== null && status < 500) return new Refusal('malformed_body', whyUnread(cause), { cause })
  return new Refusal('internal', 'Internal error', { cause })
}

/** Where a body stops to be JSON; nothing of the body itself is said. */
function whyUnread(cause: unknown): string {
  if (!(cause instanceof SyntaxError)) return 'The request cannot be read'
  const at = /at position (\d+)/.exec(cause.message)?.[1]
  const where = at === undefined ? '' : `, from character ${Number(at) + 1} on`
  return `The body is not a valid JSON object${where}: names and texts stand in "double quotes"`
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
