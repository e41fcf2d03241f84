import express, { type Router } from 'express'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import { etagOf } from '../etag.ts'
import { errorHandler, type ErrorBody } from '../errors.ts'
import { isLocal } from '../local-call.ts'
import type { Endpoint, Guards } from '../route.ts'
import type { OpsContext } from './context.ts'
import { DOCS_FILES, docsPage } from './docs-page.ts'

const TAG = 'Operations'

const metricsEndpoint: Endpoint = {
  method: 'get',
  path: '/metrics',
  permission: 'get_metrics',
  counts: false,
  body: null,
  doc: {
    summary: 'Figures for Prometheus',
    tag: TAG,
    keyless: 'Callers on the same machine need no key, unless a proxy passed the call on.',
    answers: { 200: 'text/plain' },
  },
}

const readySchema = z
  .strictObject({
    ready: z.boolean(),
    reasons: z.array(z.string()).meta({ description: 'Why it is not, for people; empty when it is' }),
  })
  .meta({ id: 'Ready', description: 'Whether tasks would be accepted and run now' })

const readyEndpoint: Endpoint = {
  method: 'get',
  path: '/ready',
  permission: null,
  body: null,
  doc: {
    summary: 'Whether the daemon can take and run tasks now',
    tag: TAG,
    keyless: 'always',
    answers: { 200: readySchema, 503: readySchema },
  },
}

const documentEndpoint: Endpoint = {
  method: 'get',
  path: '/openapi.json',
  permission: null,
  body: null,
  doc: {
    summary: 'This description, as OpenAPI 3.1',
    tag: TAG,
    keyless: 'always',
    answers: { 200: z.looseObject({ openapi: z.string() }), 304: null },
  },
}

const pageEndpoint: Endpoint = {
  method: 'get',
  path: '/docs',
  permission: null,
  body: null,
  doc: {
    summary: 'This description, as a page to try the API on',
    tag: TAG,
    keyless: 'always',
    answers: { 200: 'text/html', 304: null, 308: null },
  },
}

const pageFileEndpoint: Endpoint = {
  method: 'get',
  path: '/docs/:file',
  permission: null,
  params: z.object({ file: z.enum(DOCS_FILES).meta({ description: 'Part of the page' }) }),
  body: null,
  doc: { summary: 'A file of that page', tag: TAG, keyless: 'always', answers: { 200: '*/*', 304: null } },
}

/** Every endpoint for operators. */
export const opsEndpoints: readonly Endpoint[] = [
  readyEndpoint,
  metricsEndpoint,
  documentEndpoint,
  pageEndpoint,
  pageFileEndpoint,
]

/** What the face is given by the others. */
export type OpsOptions = Readonly<{
  /** The description of the whole API; asked for once, when somebody wants to read it. */
  document: () => Promise<unknown>
  errorBody: ErrorBody
  authenticate: Guards['authenticate']
  trustProxy: boolean
}>

/** Readiness, figures and the description, at the root. Knows nothing of other paths. */
export function createOps(ctx: OpsContext, { document, errorBody, authenticate, trustProxy }: OpsOptions): Router {
  const router = express.Router({ caseSensitive: true })
  router.get(readyEndpoint.path, async (_req, res) => {
    const reasons = await ctx.health.reasonsNotReady()
    res.setHeader('Cache-Control', 'no-store')
    res.status(reasons.length === 0 ? 200 : 503).json({ ready: reasons.length === 0, reasons })
  })
  router.get(metricsEndpoint.path, async (req, res) => {
    if ((trustProxy || !isLocal(req)) && !authenticate(req).permissions.includes('get_metrics'))
      throw new Refusal('forbidden', 'Insufficient permissions')
    const text = await ctx.metrics.text()
    res.setHeader('Cache-Control', 'no-store')
    res.type(ctx.metrics.contentType).send(text)
  })
  const readDocument = once(async () => {
    const text = JSON.stringify(await document())
    return { text, etag: etagOf(text) }
  })
  router.get(documentEndpoint.path, async (req, res) => {
    const { text, etag } = await readDocument()
    res.setHeader('ETag', etag)
    res.setHeader('Cache-Control', 'no-cache')
    if (req.fresh) return void res.status(304).end()
    res.type('json').send(text)
  })
  router.use(pageEndpoint.path, docsPage())
  router.all([readyEndpoint.path, metricsEndpoint.path, documentEndpoint.path], (_req, res) => {
    res.setHeader('Allow', 'GET')
    throw new Refusal('method_not_allowed', 'Method not allowed; this address knows GET')
  })
  router.use(errorHandler(errorBody))
  return router
}

/** The same result for all who ask. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null
  return () => (made ??= make())
}
