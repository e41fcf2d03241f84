import { randomUUID } from 'node:crypto'
import type { Request, RequestHandler, Response } from 'express'
import type { Logger } from 'pino'

/** What a client may call its request: nothing that could be mistaken for another line, or for a header. */
const CLIENT_ID = /^[\w.:/+=@-]{1,64}$/

/** Gives every request an id, the client's own where it brings a harmless one, and tells its end at level `debug`. */
export function requestLog(log: Logger): RequestHandler {
  return (req, res, next) => {
    const requestId = idFrom(req) ?? randomUUID()
    ;(res.locals as Locals).logOf = () => log.child({ requestId }) // few requests have something to say
    res.setHeader('X-Request-Id', requestId)
    if (log.isLevelEnabled('debug')) tellEnd(req, res)
    next()
  }
}

/** The log of a request, whose lines carry its id; only behind `requestLog`. */
export function logOf(res: Response): Logger {
  const locals = res.locals as Locals
  return (locals.log ??= locals.logOf())
}

type Locals = { log?: Logger; logOf: () => Logger }

/** The client's own id; none that shows its key. */
function idFrom(req: Request): string | null {
  const given = req.get('x-request-id') ?? ''
  const secrets = [req.get('x-api-key'), req.get('authorization')?.split(' ').at(-1)].filter(Boolean)
  return CLIENT_ID.test(given) && !secrets.some((secret) => given.includes(secret ?? '')) ? given : null
}

/** What was called, in words of ours: a path can hold whatever a client puts there. */
export function routeOf(req: Request): string {
  const route = req.route as { path?: unknown } | undefined
  if (typeof route?.path === 'string') return req.baseUrl + route.path
  return /^\/(?:files|docs)(?=[/?]|$)/.exec(req.originalUrl)?.[0] ?? 'unknown'
}

function tellEnd(req: Request, res: Response): void {
  const startedAt = performance.now()
  res.once('close', () => {
    const { key } = res.locals as { key?: { name: string } }
    const durationMs = Math.round(performance.now() - startedAt)
    logOf(res).debug(
      {
        method: req.method,
        route: routeOf(req),
        status: res.statusCode,
        by: key?.name,
        whole: res.writableFinished,
        durationMs,
      },
      'request ended',
    )
  })
}
