import express, { type Request, type RequestHandler, type Router } from 'express'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { authenticateValue } from '../authenticate.ts'
import { allowAllOrigins } from '../cors.ts'
import { errorHandler, notFound } from '../errors.ts'
import { refuseOtherMethods } from '../other-methods.ts'
import { mount, type Endpoint, type Guards } from '../route.ts'
import { Turns } from '../turns.ts'
import { capabilities, capabilitiesEndpoint } from './capabilities.ts'
import type { EasydownContext } from './context.ts'
import { bearerOf, easydownErrorBody } from './errors.ts'
import { parse } from './parse.ts'

export const easydownEndpoints: readonly Endpoint[] = [parse, capabilitiesEndpoint]

const EXPOSED = ['X-Credits-Charged', 'X-Credits-Remaining', 'X-EasyDown-Cache', 'Content-Range', 'Accept-Ranges']

/** The API of Easydown. `limit` bounds the calls of a key that has a bound of its own. */
export function createEasydown(
  ctx: EasydownContext,
  { limit, mediaProxy }: Readonly<{ limit: RequestHandler; mediaProxy: RequestHandler }>,
): Router {
  const router = express.Router({ caseSensitive: true })
  const authenticate = (req: Request): ApiKey => {
    const value = bearerOf(req)
    if (value === undefined) throw new Refusal('key_missing', 'Unauthorized')
    return authenticateValue(ctx, req, value)
  }
  const guards: Guards = { authenticate, limit, turns: new Turns() }
  router.use(allowAllOrigins(EXPOSED))
  router.use(mediaProxy)
  mount(router, parse, guards, ctx)
  router.get(capabilitiesEndpoint.path, (req, res) => void res.json(capabilities(req.baseUrl)))
  refuseOtherMethods(router, easydownEndpoints)
  router.use(notFound)
  router.use(errorHandler(easydownErrorBody(ctx.keys)))
  return router
}
