import express, { type Request, type RequestHandler, type Router } from 'express'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import { authenticateValue } from '../authenticate.ts'
import { errorHandler, notFound, type ErrorBody } from '../errors.ts'
import { mount, type AnyRoute, type Endpoint, type Guards } from '../route.ts'
import { Turns } from '../turns.ts'
import type { CoreContext } from './context.ts'
import { healthSchema, statusSchema } from './answers.ts'
import { fileEndpoint, getFile } from './file-routes.ts'
import { deleteKey, getKey, getKeys, postCheckPermissions, postCreateKey } from './key-routes.ts'
import { statusBody } from './status.ts'
import { postTaskRoutes } from './task-routes.ts'

const healthEndpoint: Endpoint = {
  method: 'get',
  path: '/health',
  permission: null,
  body: null,
  doc: {
    summary: 'Whether the daemon works, and on what',
    tag: 'Operations',
    keyless: 'always',
    answers: { 200: healthSchema, 503: healthSchema },
  },
}

const statusEndpoint: Endpoint = {
  method: 'get',
  path: '/status/:id',
  permission: null,
  params: z.object({ id: z.string().meta({ description: 'Id of the task', example: 'Zx81TQx0aBcD3fGh' }) }),
  body: null,
  doc: {
    summary: 'How far a task is',
    tag: 'Core: tasks',
    keyless: 'With `PUBLIC_STATUS` no key is needed.',
    answers: { 200: statusSchema },
  },
}

/** Mounted as they stand, in this order. */
const routes: readonly AnyRoute<CoreContext>[] = [
  ...postTaskRoutes,
  postCreateKey,
  postCheckPermissions,
  deleteKey,
  getKeys,
  getKey,
]

/** Every endpoint of the core, in the order in which its description shows them. */
export const coreEndpoints: readonly Endpoint[] = [
  ...postTaskRoutes,
  statusEndpoint,
  fileEndpoint,
  ...routes.slice(postTaskRoutes.length),
  healthEndpoint,
]

/** The yt-dlp-host API, at the root. `limit` bounds the calls of a key. */
export function createCore(ctx: CoreContext, limit: RequestHandler): Router {
  const router = express.Router({ caseSensitive: true })
  const identify = (req: Request) => authenticateValue(ctx, req, req.get('x-api-key'))
  const guards: Guards = { authenticate: identify, limit, turns: new Turns() }

  router.get(healthEndpoint.path, async (_req, res) => {
    const { ok, body } = await ctx.health.check()
    res.status(ok ? 200 : 503).json(body)
  })
  router.get(statusEndpoint.path, async (req, res) => {
    const key = ctx.settings.publicStatus && req.get('x-api-key') === undefined ? null : identify(req)
    res.json(statusBody(ctx, await ctx.tasks.view(key, String(req.params['id'])), req))
  })
  router.use('/files', getFile(ctx, identify))

  for (const route of routes) mount(router, route, guards, ctx)

  refuseOtherMethods(router)
  router.use(notFound)
  router.use(errorHandler(coreErrorBody))
  return router
}

/** A known path with a method it does not have; above all, a DELETE on `/get_key/<name>` deletes nothing. */
function refuseOtherMethods(router: Router): void {
  const known = coreEndpoints.filter((endpoint) => endpoint !== fileEndpoint) // which looks at methods itself
  router.all([...new Set(known.map(({ path }) => path))], () => {
    throw new Refusal('method_not_allowed', 'Method not allowed')
  })
}

/** Clients read `error`; the two kinds of answer that also carry `message` say the same in both. */
const coreErrorBody: ErrorBody = ({ code, message }) => {
  const isTaskAnswer = code === 'invalid_request' || code === 'malformed_body' || code === 'task_not_found'
  return isTaskAnswer ? { status: 'error', message, error: message } : { error: message }
}
