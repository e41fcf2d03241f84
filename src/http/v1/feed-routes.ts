import type { Request, Response } from 'express'
import { z } from 'zod'
import type { FinishedBatch } from '../../db/finished-files.ts'
import type { Task } from '../../domain/task.ts'
import { isoTime } from '../../domain/iso-time.ts'
import { feedXml, type Episode } from '../files/feed.ts'
import { baseUrlOf, filePath, removalOf, signedUntil } from '../files/links.ts'
import { signedAddress, signerOf } from '../files/signed-call.ts'
import { etagOf } from '../etag.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { requireBatch, SIGNED, SIGNED_QUERY } from './file-access.ts'
import { batchParams, type BatchParams } from './params.ts'

const TAG = 'Feeds'
const TYPE = 'application/rss+xml'

/** Most episodes of one feed: the newest of a key, the first of a batch. */
const MAX_EPISODES = 200

const YEAR_S = 365 * 86_400

const DAY_MS = 86_400_000

/** Until a batch has ended nobody knows when its files go: links then last a week, and are new ones every day. */
const openBatchLinkEnd = () => (Math.ceil(Date.now() / DAY_MS) + 7) * DAY_MS

const feedQuery = z.strictObject(SIGNED_QUERY)
type FeedQuery = z.output<typeof feedQuery>

const feedBody = z.strictObject({
  batch: z.string().max(64).optional().meta({ description: 'A batch or playlist; left out: all downloads of the key' }),
  expires_in: z
    .int()
    .min(3_600)
    .max(YEAR_S)
    .default(YEAR_S)
    .meta({ description: 'Seconds for which the address works' }),
})

const feedSchema = z
  .strictObject({
    url: z.string().meta({ description: 'For a podcast player; needs no key' }),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'FeedAddress' })

/** `GET /v1/feed.xml` */
const getFeed = defineRoute<V1Context, null, null, FeedQuery>({
  method: 'get',
  path: '/feed.xml',
  permission: null,
  costly: true,
  identify: signerOf,
  query: feedQuery,
  body: null,
  doc: {
    summary: 'Read all downloads of the key as a podcast',
    description: `The newest ${MAX_EPISODES} videos and audios as RSS 2.0. Enclosures work without a key until the file is removed.`,
    tag: TAG,
    answers: { 200: TYPE, 304: null },
    keyless: SIGNED,
  },
  async handle(ctx, { key, req, res }) {
    const tasks = await ctx.finished.newestMedia(key.id, MAX_EPISODES)
    const batches = new Map<string, FinishedBatch | null>()
    for (const { batchId } of tasks) {
      if (batchId !== null && !batches.has(batchId)) batches.set(batchId, await ctx.finished.batch(key.id, batchId))
    }
    const episodes = tasks.flatMap((task) => episodesOf(ctx, task, batches.get(task.batchId ?? '') ?? null, req))
    answerFeed({ title: `Downloads of ${key.name}`, episodes: episodes.slice(0, MAX_EPISODES) }, ctx, req, res)
  },
})

/** `GET /v1/batches/:id/feed.xml` */
const getBatchFeed = defineRoute<V1Context, null, BatchParams, FeedQuery>({
  method: 'get',
  path: '/batches/:id/feed.xml',
  permission: null,
  costly: true,
  identify: signerOf,
  params: batchParams,
  query: feedQuery,
  body: null,
  doc: {
    summary: 'Read a batch or playlist as a podcast',
    description: `The first ${MAX_EPISODES} videos and audios in their order, as RSS 2.0.`,
    tag: TAG,
    answers: { 200: TYPE, 304: null },
    keyless: SIGNED,
  },
  async handle(ctx, { key, params, req, res }) {
    const batch = await requireBatch(ctx, key, params.id)
    const episodes: Episode[] = []
    for await (const task of ctx.finished.completedOf(batch.id)) {
      episodes.push(...episodesOf(ctx, task, batch, req))
      if (episodes.length >= MAX_EPISODES) break
    }
    answerFeed({ title: batch.title ?? `Batch ${batch.id}`, episodes: episodes.slice(0, MAX_EPISODES) }, ctx, req, res)
  },
})

function episodesOf(ctx: V1Context, task: Task, batch: FinishedBatch | null, req: Request): Episode[] {
  const base = baseUrlOf(req, ctx.settings.publicBaseUrl)
  const expiresAt = removalOf(task, batch, ctx.settings.retentionMs) ?? openBatchLinkEnd()
  return task.files
    .filter(({ kind }) => kind === 'video' || kind === 'audio')
    .map((file) => ({
      task,
      file,
      url: signedUntil(base, filePath(task.id, file.name), { seal: ctx.seal, expiresAt }),
    }))
}

type Content = Readonly<{ title: string; episodes: readonly Episode[] }>

/** Readers come by often: what they have already is not sent again. */
function answerFeed({ title, episodes }: Content, ctx: V1Context, req: Request, res: Response): void {
  const url = baseUrlOf(req, ctx.settings.publicBaseUrl)
  const text = feedXml({ title, description: `${title}, by ytdlpd`, url, episodes })
  res.setHeader('ETag', etagOf(text))
  res.setHeader('Cache-Control', 'private, no-cache')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.type(TYPE).send(text) // answers 304 by itself
}

/** `POST /v1/feeds` */
const createFeed = defineRoute<V1Context, z.output<typeof feedBody>>({
  method: 'post',
  path: '/feeds',
  permission: null,
  body: feedBody,
  status: 201,
  doc: {
    summary: 'Make the address of a podcast',
    description: 'Players cannot send keys: the address works without one, until it expires or the key stops working.',
    tag: TAG,
    answers: { 201: feedSchema },
    examples: { 'all downloads': {}, 'for 30 days': { expires_in: 2_592_000 } },
  },
  async handle(ctx, { key, input, req }) {
    const batch = input.batch === undefined ? null : await requireBatch(ctx, key, input.batch)
    const path = batch === null ? '/v1/feed.xml' : `/v1/batches/${batch.id}/feed.xml`
    const expiresAt = Date.now() + input.expires_in * 1000
    const base = baseUrlOf(req, ctx.settings.publicBaseUrl)
    return {
      url: signedAddress(base, path, { keyId: key.id, expiresAt, seal: ctx.seal }),
      expires_at: isoTime(expiresAt),
    } satisfies z.input<typeof feedSchema>
  },
})

/** Podcasts. */
export const feedRoutes: readonly AnyRoute<V1Context>[] = [getFeed, getBatchFeed, createFeed]
