import express, { type RequestHandler, type Router } from 'express'
import { authenticateOrAnonymous } from '../anonymous.ts'
import { allowAllOrigins } from '../cors.ts'
import { errorHandler, notFound } from '../errors.ts'
import { refuseOtherMethods } from '../other-methods.ts'
import { createAddressRateLimit } from '../rate-limit.ts'
import { mount, type AnyRoute, type Endpoint, type Guards } from '../route.ts'
import { Turns } from '../turns.ts'
import type { MezdiaContext } from './context.ts'
import { downloadRoutes } from './download-routes.ts'
import { mezdiaErrorBody } from './error-body.ts'
import { infoRoutes } from './info-routes.ts'
import { instagramAccountRoutes } from './instagram-account-routes.ts'
import { instagramDownloadRoutes } from './instagram-download-routes.ts'
import { instagramInfoRoutes } from './instagram-info-routes.ts'
import { instagramJobRoutes } from './instagram-job-routes.ts'
import { jobRoutes } from './job-routes.ts'
import { subtitleRoutes } from './subtitle-route.ts'

const KEYLESS = 'Needs no key while the daemon listens on this machine alone, or with `ANONYMOUS_ACCESS=mezdia`.'

const TOO_MANY = 'Rate limit exceeded. Please try again later.'

const routes: readonly AnyRoute<MezdiaContext>[] = [
  ...infoRoutes,
  ...subtitleRoutes,
  ...downloadRoutes,
  ...jobRoutes,
  ...instagramInfoRoutes,
  ...instagramAccountRoutes,
  ...instagramDownloadRoutes,
  ...instagramJobRoutes,
]

/** Every endpoint of Mezdia, in the order in which its description shows them. */
export const mezdiaEndpoints: readonly Endpoint[] = routes.map(({ doc, ...route }) =>
  doc === undefined ? route : { ...route, doc: { ...doc, keyless: KEYLESS } },
)

/**
 * The API of Mezdia. Addresses in its answers begin with the path it is mounted at. `limit` bounds the calls of a key that
 * has a bound of its own.
 */
export function createMezdia(ctx: MezdiaContext, limit: RequestHandler): Router {
  const router = express.Router({ caseSensitive: true })
  const byAddress = createAddressRateLimit(ctx.settings.mezdiaLimit, TOO_MANY)
  const guards: Guards = {
    authenticate: (req) => authenticateOrAnonymous(ctx, req, 'mezdia'),
    limit: (req, res, next) => limit(req, res, (error?: unknown) => (error ? next(error) : byAddress(req, res, next))),
    turns: new Turns(),
  }
  router.use(allowAllOrigins(['Content-Disposition', 'Content-Range']))
  router.get(['/', '/docs'], (_req, res) => res.redirect(307, docsOf(ctx)))
  for (const route of routes) mount(router, route, guards, ctx)
  refuseOtherMethods(router, mezdiaEndpoints)
  router.use(notFound)
  router.use(errorHandler(mezdiaErrorBody))
  return router
}

/** The description of all faces; an address of its own has it as well. */
const docsOf = ({ settings }: MezdiaContext): string => `${settings.publicBaseUrl ?? ''}/docs`
