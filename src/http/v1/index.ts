import express, { type Request, type RequestHandler, type Router } from 'express'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { authenticateValue, valueIn, type AuthContext } from '../authenticate.ts'
import { errorHandler, notFound } from '../errors.ts'
import { mount, type AnyRoute, type Guards } from '../route.ts'
import { Turns } from '../turns.ts'
import type { V1Context } from './context.ts'
import { v1ErrorBody } from './error-body.ts'
import { archiveRoutes } from './archive-routes.ts'
import { batchRoutes } from './batch-routes.ts'
import { cookieRoutes } from './cookie-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { fileRoutes } from './file-routes.ts'
import { infoRoutes } from './info-routes.ts'
import { keyRoutes } from './key-routes.ts'
import { siteRoutes } from './site-routes.ts'
import { queueRoutes } from './queue-routes.ts'
import { webhookRoutes } from './webhook-routes.ts'
import { taskRoutes } from './task-routes.ts'

/** Every endpoint of the native API, in the order in which its description shows them. */
export const v1Routes: readonly AnyRoute<V1Context>[] = [
  ...taskRoutes,
  ...batchRoutes,
  ...queueRoutes,
  ...infoRoutes,
  ...archiveRoutes,
  ...fileRoutes,
  ...eventRoutes,
  ...webhookRoutes,
  ...keyRoutes,
  ...cookieRoutes,
  ...siteRoutes,
]

/** The native API, under `/v1`. `limit` bounds the calls of a key. */
export function createV1(ctx: V1Context, limit: RequestHandler): Router {
  const router = express.Router({ caseSensitive: true })
  const guards: Guards = { authenticate: (req) => authenticate(ctx, req), limit, turns: new Turns() }
  for (const route of v1Routes) mount(router, route, guards, ctx)
  refuseOtherMethods(router)
  router.use(notFound)
  router.use(errorHandler(v1ErrorBody))
  return router
}

/** The key in `X-API-Key` or `Authorization: Bearer`. */
export const authenticate = (ctx: AuthContext, req: Request): ApiKey => authenticateValue(ctx, req, valueIn(req))

/** A known path with a method it does not have. */
function refuseOtherMethods(router: Router): void {
  const methods = Map.groupBy(v1Routes, ({ path }) => path)
  for (const [path, routes] of methods) {
    const allowed = routes.map(({ method }) => method.toUpperCase()).join(', ')
    router.all(path, (_req, res) => {
      res.setHeader('Allow', allowed)
      throw new Refusal('method_not_allowed', `Method not allowed; this address knows ${allowed}`)
    })
  }
}
