import express, { type Request, type RequestHandler, type Router } from 'express'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { errorHandler, notFound, type ErrorBody } from '../errors.ts'
import { keyOf, setKey } from '../route.ts'
import type { V1Context } from './context.ts'

/** The native API, under `/v1`. So far: ending a task, and trying it again, which costs a key as much as a new task. */
export function createV1(ctx: V1Context, limit: RequestHandler): Router {
  const router = express.Router({ caseSensitive: true })
  const identify: RequestHandler = (req, res, next) => {
    setKey(res, authenticate(ctx, req))
    next()
  }
  router.post('/tasks/:id/cancel', async (req, res) => {
    await ctx.tasks.cancel(authenticate(ctx, req), req.params.id)
    res.json({ id: req.params.id, state: 'cancelled' })
  })
  router.post<{ id: string }>('/tasks/:id/retry', identify, limit, async (req, res) => {
    await ctx.tasks.retry(keyOf(res), req.params.id)
    res.json({ id: req.params.id, state: 'waiting' })
  })
  router.use(notFound)
  router.use(errorHandler(errorBody, ctx.log))
  return router
}

/** The key in `X-API-Key` or `Authorization: Bearer`. */
function authenticate({ keys }: V1Context, req: Request): ApiKey {
  const bearer = /^Bearer (\S+)$/i.exec(req.get('authorization') ?? '')?.[1]
  const value = req.get('x-api-key') ?? bearer
  if (!value) throw new Refusal('key_missing', 'No API key provided')
  const key = keys.authenticate(value)
  if (!key) throw new Refusal('key_invalid', 'Invalid API key')
  return key
}

const errorBody: ErrorBody = ({ code, message }) => ({ error: { code, message } })
