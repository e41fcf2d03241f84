import express, { type Express } from 'express'
import { createCore } from './core/index.ts'
import type { CoreContext } from './core/context.ts'
import { createRateLimit } from './rate-limit.ts'
import { createV1 } from './v1/index.ts'

const RATE_MESSAGE = (limit: number, windowMs: number) =>
  `Rate limit exceeded. Maximum ${limit} requests per ${Number((windowMs / 60_000).toFixed(2))} minutes.`

/** All faces on one server. They share one count of a key's calls. */
export function createApp(ctx: CoreContext, options: Readonly<{ trustProxy: boolean }>): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('trust proxy', options.trustProxy)
  app.set('etag', false)
  app.set('query parser', 'simple')
  const { requestLimit, requestWindowMs: windowMs } = ctx.settings
  const limit = createRateLimit({ limit: requestLimit, windowMs, message: RATE_MESSAGE(requestLimit, windowMs) })
  app.use('/v1', createV1(ctx, limit))
  app.use(createCore(ctx, limit))
  return app
}
