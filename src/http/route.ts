import express, { type Request, type RequestHandler, type Response, type Router } from 'express'
import type { z } from 'zod'
import { Refusal } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import type { Permission } from '../domain/permissions.ts'

/** Largest JSON body that is read; the smaller one where no rate limit bounds how many come at once. */
const BODY_LIMIT = '1mb'
const UNLIMITED_CALL_BODY_LIMIT = '16kb'

/** What a handler gets: everything about the call that was checked before it. */
export type Call<I> = Readonly<{ input: I; key: ApiKey; req: Request; res: Response }>

/** An endpoint as a value. What the handler returns is sent as JSON unless it answered itself. */
export type Route<C, I> = Readonly<{
  method: 'get' | 'post' | 'delete'
  path: string
  /** Asked of the key; null = any key will do. Permissioned routes count against the rate limit. */
  permission: Permission | null
  /** The JSON body; null = no body is read. */
  body: z.ZodType<I> | null
  status?: number
  handle: (ctx: C, call: Call<I>) => unknown
}>

/** Keeps body and handler of one route tied to the same type. */
export const defineRoute = <C, I = null>(route: Route<C, I>): Route<C, I> => route

/** How a face knows its callers and bounds them. */
export type Guards = Readonly<{
  /** The key of the call; throws a Refusal when there is none. */
  authenticate: (req: Request) => ApiKey
  limit: RequestHandler
}>

const readJson = express.json({ limit: BODY_LIMIT })
const readSmallJson = express.json({ limit: UNLIMITED_CALL_BODY_LIMIT })

/** Key, rate limit, permission, body, handler: in this order, whatever the route. */
export function mount<C, I>(router: Router, route: Route<C, I>, guards: Guards, ctx: C): void {
  const authenticate: RequestHandler = (req, res, next) => {
    setKey(res, guards.authenticate(req))
    next()
  }
  const permit: RequestHandler = (_req, res, next) => {
    if (route.permission !== null && !keyOf(res).permissions.includes(route.permission)) {
      throw new Refusal('forbidden', 'Insufficient permissions')
    }
    next()
  }
  const handle: RequestHandler = async (req, res) => {
    const input = route.body === null ? (null as I) : parse(route.body, bodyOf(req))
    const answer = await route.handle(ctx, { input, key: keyOf(res), req, res })
    if (!res.headersSent) res.status(route.status ?? 200).json(answer)
  }
  router[route.method](
    route.path,
    authenticate,
    ...(route.permission === null ? [] : [guards.limit]),
    permit,
    ...(route.body === null ? [] : [route.permission === null ? readSmallJson : readJson]),
    handle,
  )
}

/** The key of a call that was authenticated; only behind `mount`. */
export const keyOf = (res: Response): ApiKey => (res.locals as { key: ApiKey }).key

/** For `keyOf`, and for the rate limit. */
export function setKey(res: Response, key: ApiKey): void {
  ;(res.locals as { key?: ApiKey }).key = key
}

/** Express leaves the body undefined when there was none, or when it was of another type. */
function bodyOf(req: Request): unknown {
  if (req.body !== undefined) return req.body
  const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0
  if (hasBody) throw new Refusal('unsupported_media_type', 'Send the body as JSON, with Content-Type: application/json')
  return {}
}

function parse<I>(schema: z.ZodType<I>, body: unknown): I {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Refusal('invalid_request', 'The body must be a JSON object')
  }
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new Refusal('invalid_request', issue?.message ?? 'The body is not valid', { cause: parsed.error })
}
