import { create as contentDisposition } from 'content-disposition'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { safeName } from '../files/file-name.ts'
import { baseUrlOf } from '../files/links.ts'
import { signedAddress, signerOf } from '../files/signed-call.ts'
import { zipEntries } from '../files/zip-entries.ts'
import { sendZip, zipLength, type ZipEntry } from '../files/zip.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { linkBody, linkOf, linkSchema, requireBatch, requireCompleted, SIGNED, SIGNED_QUERY } from './file-access.ts'
import { batchParams, taskParams, type BatchParams, type TaskParams } from './params.ts'

const TAG = 'Files'
const TYPE = 'application/zip'

/** Zips that a key may fetch at a time. */
const MAX_OPEN_PER_KEY = 4
const RETRY_AFTER_S = 5

/** Most bytes of the name a zip is saved under. */
const MAX_NAME_BYTES = 150

/** How many zips each key is fetching. */
const openZips = new Map<string, number>()

const zipQuery = z.strictObject(SIGNED_QUERY)

const batchZipQuery = zipQuery.extend({
  partial: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Give what there is already, and leave out files that are gone' }),
})

/** `GET /v1/tasks/:id/zip` */
const getTaskZip = defineRoute<V1Context, null, TaskParams, z.output<typeof zipQuery>>({
  method: 'get',
  path: '/tasks/:id/zip',
  permission: null,
  identify: signerOf,
  params: taskParams,
  query: zipQuery,
  body: null,
  doc: {
    summary: 'Fetch all files of a task as a zip',
    description: 'Made while it is sent; its length is told first.',
    tag: TAG,
    answers: { 200: TYPE },
    keyless: SIGNED,
  },
  async handle(ctx, { key, params, req, res }) {
    const task = await requireCompleted(ctx, key, params.id)
    const name = task.request.outputFilename ?? task.title ?? task.id
    const make = () => zipEntries([task], ctx.files, { isNumbered: false, mayLack: false })
    await answerZip(make, { name, key, req, res })
  },
})

/** `GET /v1/batches/:id/zip` */
const getBatchZip = defineRoute<V1Context, null, BatchParams, z.output<typeof batchZipQuery>>({
  method: 'get',
  path: '/batches/:id/zip',
  permission: null,
  identify: signerOf,
  params: batchParams,
  query: batchZipQuery,
  body: null,
  doc: {
    summary: 'Fetch all files of a batch or playlist as a zip',
    description:
      'Files of completed tasks, named `07 - title.mp4` by their place. Made while it is sent; its length is told first. ' +
      'Refused with 409 until the batch is finished, unless `partial` is asked for.',
    tag: TAG,
    answers: { 200: TYPE },
    keyless: SIGNED,
  },
  async handle(ctx, { key, params, query, req, res }) {
    const batch = await requireBatch(ctx, key, params.id)
    const isPartial = query.partial === 'true'
    if (batch.finishedAt === null && !isPartial)
      throw new Refusal('conflict', 'The batch is not finished: ask for partial=true to have what there is')
    const tasks = ctx.finished.completedOf(batch.id)
    const make = () => zipEntries(tasks, ctx.files, { isNumbered: true, mayLack: isPartial })
    await answerZip(make, { name: batch.title ?? batch.id, key, req, res })
  },
})

type ZipCall = Readonly<{ name: string; key: ApiKey; req: Request; res: Response }>

/** One of the few zips that a key may fetch at a time. */
async function answerZip(make: () => Promise<ZipEntry[]>, { name, key, req, res }: ZipCall): Promise<void> {
  const open = openZips.get(key.id) ?? 0
  if (open >= MAX_OPEN_PER_KEY)
    throw new Refusal('limit_exceeded', `A key may fetch ${MAX_OPEN_PER_KEY} zips at a time`, {
      retryAfter: RETRY_AFTER_S,
    })
  openZips.set(key.id, open + 1)
  try {
    const entries = await make()
    if (entries.length === 0) throw new Refusal('file_not_found', 'There are no files to put into a zip')
    const fileName = `${safeName(name, MAX_NAME_BYTES, 'files')}.zip`
    res.setHeader('Content-Type', TYPE)
    res.setHeader('Content-Length', zipLength(entries))
    res.setHeader('Content-Disposition', contentDisposition(fileName))
    res.setHeader('X-Content-Type-Options', 'nosniff')
    res.setHeader('Cache-Control', 'private, no-store')
    res.setHeader('Accept-Ranges', 'none')
    if (req.method === 'HEAD') res.end()
    else await sendZip(entries, res)
  } finally {
    const left = (openZips.get(key.id) ?? 1) - 1
    if (left > 0) openZips.set(key.id, left)
    else openZips.delete(key.id)
  }
}

/** `POST /v1/batches/:id/links` */
const createBatchLink = defineRoute<V1Context, z.output<typeof linkBody>, BatchParams>({
  method: 'post',
  path: '/batches/:id/links',
  permission: null,
  params: batchParams,
  body: linkBody,
  status: 201,
  doc: {
    summary: 'Make a link to the zip of a batch that needs no key',
    description: 'It works for that zip alone, and ends earlier when the key is disabled, expires or is deleted.',
    tag: TAG,
    answers: { 201: linkSchema },
    examples: { 'an hour': { expires_in: 3_600 } },
  },
  async handle(ctx, { key, params, input, req }) {
    const batch = await requireBatch(ctx, key, params.id)
    const expiresAt = Date.now() + input.expires_in * 1000
    const base = baseUrlOf(req, ctx.settings.publicBaseUrl)
    const url = signedAddress(base, `/v1/batches/${batch.id}/zip`, { keyId: key.id, expiresAt, seal: ctx.seal })
    return linkOf(url, expiresAt, batch.finishedAt === null ? null : batch.finishedAt + ctx.settings.retentionMs)
  },
})

/** Several files as one. */
export const zipRoutes: readonly AnyRoute<V1Context>[] = [getTaskZip, getBatchZip, createBatchLink]
