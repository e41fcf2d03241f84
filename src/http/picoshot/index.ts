import express, { type RequestHandler, type Router } from 'express'
import { z } from 'zod'
import type { RefusalCode } from '../../domain/errors.ts'
import { authenticateOrAnonymous } from '../anonymous.ts'
import { allowAllOrigins } from '../cors.ts'
import { errorHandler, notFound, type ErrorBody } from '../errors.ts'
import { refuseOtherMethods } from '../other-methods.ts'
import { createAddressRateLimit } from '../rate-limit.ts'
import { mount, type Endpoint, type Guards } from '../route.ts'
import { Turns } from '../turns.ts'
import type { PicoshotContext } from './context.ts'
import { downloader, subjectOf } from './downloader.ts'

const TOO_MANY = 'Too many requests. Please try again later.'
const UNAVAILABLE = 'Service temporarily unavailable. Please try again later.'
const NO_JSON = 'Invalid JSON body'

export const picoshotEndpoints: readonly Endpoint[] = [downloader]

export const picoshotErrorSchema = z
  .strictObject({
    success: z.literal(false),
    platform: z.string().nullable(),
    url: z.string().nullable(),
    error: z.string(),
  })
  .meta({ id: 'PicoshotError', description: 'Why a call was refused' })

/** The API of picoshot. `limit` bounds the calls of a key that has a bound of its own. */
export function createPicoshot(
  ctx: PicoshotContext,
  { limit, mediaProxy }: Readonly<{ limit: RequestHandler; mediaProxy: RequestHandler }>,
): Router {
  const router = express.Router({ caseSensitive: true })
  const byAddress = createAddressRateLimit(ctx.settings.picoshotLimit, TOO_MANY)
  const guards: Guards = {
    authenticate: (req) => authenticateOrAnonymous(ctx, req, 'picoshot'),
    limit: (req, res, next) => limit(req, res, (error?: unknown) => (error ? next(error) : byAddress(req, res, next))),
    turns: new Turns(),
  }
  router.use(allowAllOrigins())
  router.use(mediaProxy)
  mount(router, downloader, guards, ctx)
  refuseOtherMethods(router, picoshotEndpoints)
  router.use(notFound)
  router.use(errorHandler(errorBody))
  return router
}

/** What clients of picoshot know by another status or in other words. */
const OTHERS: Partial<Readonly<Record<RefusalCode, readonly [status: number | null, error: string]>>> = {
  malformed_body: [400, NO_JSON],
  unsupported_media_type: [400, NO_JSON],
  rate_limited: [429, TOO_MANY],
  queue_full: [429, TOO_MANY],
  limit_exceeded: [429, TOO_MANY],
  no_space: [500, UNAVAILABLE],
  shutting_down: [500, UNAVAILABLE],
  unavailable: [500, UNAVAILABLE],
  internal: [500, UNAVAILABLE],
}

const errorBody: ErrorBody = ({ code, message }, { req, res, status }) => {
  const [known, error] = OTHERS[code] ?? [null, message]
  res.status(known ?? status)
  return { success: false, ...subjectOf(req.body), error } satisfies z.input<typeof picoshotErrorSchema>
}
