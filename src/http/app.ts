import express, { type Express, type RequestHandler } from 'express'
import { DIALECTS, type Dialect } from '../domain/dialect.ts'
import type { EasydownContext } from './easydown/context.ts'
import { createEasydown } from './easydown/index.ts'
import type { MezdiaContext } from './mezdia/context.ts'
import { createMezdia } from './mezdia/index.ts'
import type { OpsContext } from './ops/context.ts'
import { createOps } from './ops/index.ts'
import { createMediaProxy } from './media-proxy/index.ts'
import type { PicoshotContext } from './picoshot/context.ts'
import { createPicoshot } from './picoshot/index.ts'
import { requestLog } from './request-log.ts'
import { v1ErrorBody } from './v1/error-body.ts'
import { createCore } from './core/index.ts'
import type { CoreContext } from './core/context.ts'
import { createKeyRateLimit, createRateLimit } from './rate-limit.ts'
import type { V1Context } from './v1/context.ts'
import { authenticate, createV1 } from './v1/index.ts'

/** What the faces may use, all of them together. */
export type AppContext = CoreContext & V1Context & OpsContext & PicoshotContext & EasydownContext & MezdiaContext

const RATE_MESSAGE = (limit: number, windowMs: number) =>
  `Rate limit exceeded. Maximum ${limit} requests per ${Number((windowMs / 60_000).toFixed(2))} minutes.`

/** What is behind the addresses that the daemon listens on. */
export type Apps = Readonly<{
  /** All faces. */
  all: Express
  /** One dialect, without a prefix. */
  alone: (dialect: Dialect) => Express
}>

/** The faces on their servers. They share one count of a key's calls. */
export function createApps(ctx: AppContext, options: Readonly<{ trustProxy: boolean }>): Apps {
  const app = createServer(ctx, options)
  const { requestLimit, requestWindowMs: windowMs } = ctx.settings
  const general = createRateLimit({ limit: requestLimit, windowMs, message: RATE_MESSAGE(requestLimit, windowMs) })
  const own = createKeyRateLimit()
  const limit: RequestHandler = (req, res, next) =>
    own(req, res, (error?: unknown) => (error ? next(error) : void general(req, res, next)))
  const dialects = createDialects(ctx, own)
  app.use('/v1', createV1(ctx, limit))
  for (const dialect of DIALECTS) app.use(`/compat/${dialect}`, dialects[dialect])
  for (const [path, dialect] of AT_ROOT) app.all(path, dialects[dialect])
  const { trustProxy } = options
  const ops = createOps(ctx, {
    // Read when somebody asks: what makes the description takes memory.
    document: async () => (await import('./description.ts')).describeApi(),
    errorBody: v1ErrorBody,
    authenticate: (req) => authenticate(ctx, req),
    trustProxy,
  })
  app.use(ops)
  app.use(createCore(ctx, limit))
  return { all: app, alone: (dialect) => createServer(ctx, options).use(onlyDocs(ops), dialects[dialect]) }
}

/** Of the operations only what describes the API. */
const onlyDocs =
  (ops: RequestHandler): RequestHandler =>
  (req, res, next) =>
    /^\/(docs(\/|$)|openapi\.json$)/.test(req.path) ? void ops(req, res, next) : next()

/** Paths of dialects that are theirs at the root too: no other face has them. */
const AT_ROOT: readonly (readonly [path: string, dialect: Dialect])[] = [
  ['/api/downloader', 'picoshot'],
  ['/api/v1/parse', 'easydown'],
  ['/api/v1/capabilities', 'easydown'],
  ['/api/media-proxy', 'easydown'],
]

function createDialects(ctx: AppContext, limit: RequestHandler): Readonly<Record<Dialect, RequestHandler>> {
  const shared = { limit, mediaProxy: createMediaProxy(ctx) }
  return {
    picoshot: createPicoshot(ctx, shared),
    easydown: createEasydown(ctx, shared),
    mezdia: createMezdia(ctx, limit),
  }
}

/** All faces at once, as behind the daemon's own address. */
export const createApp = (ctx: AppContext, options: Readonly<{ trustProxy: boolean }>): Express =>
  createApps(ctx, options).all

function createServer(ctx: AppContext, { trustProxy }: Readonly<{ trustProxy: boolean }>): Express {
  const app = express()
  app.disable('x-powered-by')
  // Of the one proxy in front only: further addresses in `X-Forwarded-For` are what a client may write itself.
  app.set('trust proxy', trustProxy ? 1 : false)
  app.set('etag', false)
  app.set('query parser', 'simple')
  app.use(requestLog(ctx.log))
  return app
}
