import express, { type Request, type RequestHandler, type Response, type Router } from 'express'
import type { Logger } from 'pino'
import { z } from 'zod'
import { Refusal, type RefusalDetail } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import type { Permission } from '../domain/permissions.ts'
import { logOf } from './request-log.ts'
import type { Turns } from './turns.ts'

/** Largest JSON body that is read; the smaller one where no rate limit bounds how many come at once. */
const BODY_LIMIT = '1mb'
const UNLIMITED_CALL_BODY_LIMIT = '16kb'

/** What a handler gets: everything about the call that was checked before it. */
export type Call<I, P = null, Q = null> = Readonly<{
  input: I
  params: P
  query: Q
  key: ApiKey
  /** Its lines carry the id of the request. */
  log: Logger
  req: Request
  res: Response
}>

/** An endpoint as a value. What the handler returns is sent as JSON unless it answered itself. */
export type Route<C, I, P = null, Q = null> = Readonly<{
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  path: string
  /** Asked of the key; null = any key will do. */
  permission: Permission | null
  /** Whose call it is where the address itself says so; null = it has to show a key. */
  identify?: (ctx: C, req: Request) => ApiKey | null
  /** Whether calls count against the rate limit; those that ask for a permission do unless this says otherwise. */
  counts?: boolean
  /** Whether an answer takes the daemon's time: a key gets such ones one after the other, and others in between. */
  costly?: boolean
  /** The parts of the path that have a name; null = none, or the handler looks at them itself. */
  params?: z.ZodType<P> | null
  /** The query; null = none, or the handler looks at it itself. */
  query?: z.ZodType<Q> | null
  /** The JSON body; null = no body is read. */
  body: z.ZodType<I> | null
  status?: number
  /** What the API's description says of it. */
  doc?: RouteDoc
  handle: (ctx: C, call: Call<I, P, Q>) => unknown
}>

/** An endpoint as the API's description shows it. */
export type RouteDoc = Readonly<{
  /** One line, without a full stop. */
  summary: string
  description?: string
  /** The section it stands in. */
  tag: string
  /** Answers other than errors by status; a text stands for a body that is not JSON: its media type. Null = no body. */
  answers: Readonly<Record<number, z.ZodType | string | null>>
  /** Request headers that matter, with what they do. */
  headers?: Readonly<Record<string, string>>
  /** Whole bodies that work, by what they ask for. */
  examples?: Readonly<Record<string, unknown>>
  /** When a call needs no key: `always`, or a sentence that says when. Left out: it always needs one. */
  keyless?: string
}>

/** A route without its handler: all that the API's description goes by. */
export type Endpoint = Readonly<
  Pick<AnyRoute<never>, 'method' | 'path' | 'permission' | 'counts' | 'params' | 'query' | 'body' | 'status' | 'doc'>
>

/** Keeps schemas and handler of one route tied to the same types. */
export const defineRoute = <C, I = null, P = null, Q = null>(route: Route<C, I, P, Q>): Route<C, I, P, Q> => route

/** Routes of one face with different inputs, in one list. */
// eslint-disable-next-line typescript/no-explicit-any -- each route's own types were checked where it was defined
export type AnyRoute<C> = Route<C, any, any, any>

/** How a face knows its callers and bounds them. */
export type Guards = Readonly<{
  /** The key of the call; throws a Refusal when there is none. */
  authenticate: (req: Request) => ApiKey
  limit: RequestHandler
  /** For what is costly. */
  turns: Turns
}>

const readJson = express.json({ limit: BODY_LIMIT })
const readSmallJson = express.json({ limit: UNLIMITED_CALL_BODY_LIMIT })

/** Key, rate limit, permission, path, query, body, handler: in this order, whatever the route. */
export function mount<C, I, P, Q>(router: Router, route: Route<C, I, P, Q>, guards: Guards, ctx: C): void {
  const authenticate: RequestHandler = (req, res, next) => {
    setKey(res, route.identify?.(ctx, req) ?? guards.authenticate(req))
    next()
  }
  const permit: RequestHandler = (_req, res, next) => {
    if (route.permission !== null && !keyOf(res).permissions.includes(route.permission)) {
      throw new Refusal('forbidden', 'Insufficient permissions')
    }
    next()
  }
  const handle: RequestHandler = async (req, res) => {
    const params = route.params ? parse(route.params, req.params) : (null as P)
    const query = route.query ? parse(route.query, req.query) : (null as Q)
    const input = route.body === null ? (null as I) : parse(route.body, bodyOf(req))
    const key = keyOf(res)
    const answer = async () => {
      if (res.closed) return // nobody waits for it any more
      const body = await route.handle(ctx, { input, params, query, key, log: logOf(res), req, res })
      if (!res.headersSent && !res.writableEnded) res.status(route.status ?? 200).json(body)
    }
    await (route.costly === true ? guards.turns.take(key.id, answer) : answer())
  }
  const counts = route.counts ?? route.permission !== null
  router[route.method](
    route.path,
    authenticate,
    ...(counts ? [guards.limit] : []),
    permit,
    ...(route.body === null ? [] : [counts ? readJson : readSmallJson]),
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
    const message = 'The body must be a JSON object'
    throw new Refusal('invalid_request', message, { details: [{ field: '', message }] })
  }
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const details = detailsOf(parsed.error.issues, fieldsOf(schema))
  throw new Refusal('invalid_request', details[0]?.message ?? 'The body is not valid', { cause: parsed.error, details })
}

/** Most faults of one call that are told. */
const MAX_DETAILS = 20

/** Of several shapes, the one that what was sent has the type of says what is wrong with it. */
function told(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const isMeant = (faults: readonly z.core.$ZodIssue[]) =>
    !faults.some(({ code, path }) => path.length === 0 && (code === 'invalid_type' || code === 'invalid_value'))
  const meant = issue.errors.find(isMeant)
  return meant?.flatMap(told).map((fault) => ({ ...fault, path: [...issue.path, ...fault.path] })) ?? [issue]
}

/** The names that an object may have, whatever is done with it then. */
function fieldsOf(schema: z.core.$ZodType): readonly string[] {
  if (schema instanceof z.ZodPipe) return fieldsOf(schema.def.in)
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

function detailsOf(issues: readonly z.core.$ZodIssue[], fields: readonly string[]): RefusalDetail[] {
  const details = issues.flatMap(told).flatMap((issue) => {
    const field = issue.path.join('.')
    if (issue.code !== 'unrecognized_keys') return [{ field, message: issue.message }]
    const known = issue.path.length === 0 && fields.length > 0 ? `, which has ${fields.join(', ')}` : ''
    return issue.keys.map((key, index) => ({
      field: [...issue.path, key].join('.'),
      message: `${key} is not a field of this call${index === 0 ? known : ''}`,
    }))
  })
  return details.slice(0, MAX_DETAILS)
}
