import express, { type Request, type RequestHandler, type Router } from 'express'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { errorHandler, notFound, type ErrorBody } from '../errors.ts'
import { mount, type Guards } from '../route.ts'
import type { CoreContext } from './context.ts'
import { getFile } from './file-routes.ts'
import { deleteKey, getKey, getKeys, postCheckPermissions, postCreateKey } from './key-routes.ts'
import { statusBody } from './status.ts'
import { postTaskRoutes } from './task-routes.ts'

/** The yt-dlp-host API, at the root. `limit` bounds the calls of a key. */
export function createCore(ctx: CoreContext, limit: RequestHandler): Router {
  const router = express.Router({ caseSensitive: true })
  const identify = (req: Request) => authenticate(ctx, req)
  const guards: Guards = { authenticate: identify, limit }

  router.get('/health', async (_req, res) => {
    const { ok, body } = await ctx.health.check()
    res.status(ok ? 200 : 503).json(body)
  })
  router.get('/status/:id', async (req, res) => {
    const key = ctx.settings.publicStatus && req.get('x-api-key') === undefined ? null : identify(req)
    res.json(statusBody(ctx, await ctx.tasks.view(key, req.params.id), req))
  })
  router.use('/files', getFile(ctx, identify))

  for (const route of postTaskRoutes) mount(router, route, guards, ctx)
  mount(router, postCreateKey, guards, ctx)
  mount(router, postCheckPermissions, guards, ctx)
  for (const route of [deleteKey, getKeys, getKey]) mount(router, route, guards, ctx)

  refuseOtherMethods(router)
  router.use(notFound)
  router.use(errorHandler(coreErrorBody, ctx.log))
  return router
}

/** The value of `X-API-Key`, as a key. */
function authenticate({ keys }: CoreContext, req: Request): ApiKey {
  const value = req.get('x-api-key')
  if (!value) throw new Refusal('key_missing', 'No API key provided')
  const key = keys.authenticate(value)
  if (!key) throw new Refusal('key_invalid', 'Invalid API key')
  return key
}

/** A known path with a method it does not have; above all, a DELETE on `/get_key/<name>` deletes nothing. */
function refuseOtherMethods(router: Router): void {
  const known = [
    '/health',
    '/status/:id',
    '/create_key',
    '/check_permissions',
    '/delete_key/:name',
    '/get_keys',
    '/get_key/:name',
  ]
  const posts = postTaskRoutes.map(({ path }) => path)
  router.all([...known, ...posts], () => {
    throw new Refusal('method_not_allowed', 'Method not allowed')
  })
}

/** Clients read `error`; the two kinds of answer that also carry `message` say the same in both. */
const coreErrorBody: ErrorBody = ({ code, message }) => {
  const isTaskAnswer = code === 'invalid_request' || code === 'malformed_body' || code === 'task_not_found'
  return isTaskAnswer ? { status: 'error', message, error: message } : { error: message }
}
