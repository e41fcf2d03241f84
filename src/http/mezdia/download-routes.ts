import type { Request, Response } from 'express'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { hasPicture } from '../../domain/social-post.ts'
import type { TaskRequest } from '../../domain/task.ts'
import { defineRoute, type AnyRoute, type RouteDoc } from '../route.ts'
import type { MezdiaContext } from './context.ts'
import { integerField, linkTo, listField, oneOf, patienceOf, requireUrl, textField } from './fields.ts'
import { startJob } from './jobs.ts'
import { listUrlOf } from './pages.ts'
import { AUDIO_FORMATS, BATCH_TYPES, playlistRequestOf, QUALITIES, requestOf, TYPES } from './requests.ts'

const tag = 'Mezdia: YouTube'

const MAX_URLS = 10

const wishFields = {
  quality: textField.default('best').meta({ description: `One of ${QUALITIES.join(', ')}` }),
  type: textField.default('video').meta({ description: `One of ${TYPES.join(', ')}` }),
  audio_format: textField.default('best').meta({ description: `Of a sound; one of ${AUDIO_FORMATS.join(', ')}` }),
}
const urlField = textField.meta({ description: 'Address of the video or playlist' })

const singleBody = z.object({
  url: urlField,
  ...wishFields,
  format_id: textField.nullish().meta({ description: 'A form out of `/formats`; counts before the quality' }),
})
type SingleBody = z.output<typeof singleBody>

/** What is answered when a job was taken on. */
export const startedFields = {
  job_id: z.string(),
  status: z.literal('pending'),
  message: z.string(),
  status_url: z.string(),
}
const startedSchema = z.strictObject(startedFields).meta({ id: 'MezdiaJobStarted' })

const docOf = (summary: string): RouteDoc => ({ summary, tag, answers: { 200: startedSchema } })

/** The words stand as they are, braces included: clients know the address from `status_url`. */
const started = (req: Request, jobId: string, what: string) => ({
  job_id: jobId,
  status: 'pending',
  message: `${what} started. Use /status/{job_id} to check progress.`,
  status_url: linkTo(req, `/status/${jobId}`),
})

const postSingle = defineRoute<MezdiaContext, SingleBody>({
  method: 'post',
  path: '/download/single',
  permission: null,
  counts: true,
  body: singleBody,
  doc: docOf('Download a video or its sound'),
  async handle(ctx, { key, input, req, res }) {
    const wanted = requestOf(input)
    const isSound =
      input.type === 'video' && (await isOnlySound(ctx, key, { wanted, res, id: input.format_id ?? null }))
    const request = isSound ? requestOf({ ...input, type: 'audio' }) : wanted
    return started(req, await startJob(ctx, key, [request], { mezdia: 'video' }), 'Download')
  },
})

/** How long a call waits to learn what a form is; who has just asked for the forms does not wait. */
const LOOK_MS = 20_000

/** Whether a form has no picture: it is a sound then, whatever type was asked for. */
async function isOnlySound(
  { details }: MezdiaContext,
  key: ApiKey,
  { wanted: { url }, id, res }: Readonly<{ wanted: TaskRequest; id: string | null; res: Response }>,
): Promise<boolean> {
  if (id === null) return false
  const found = await details.look(key, url, patienceOf(res, LOOK_MS)).catch(() => null) // the job will tell
  const format = found?.formats.find(({ format_id: known }) => known === id)
  return format !== undefined && !hasPicture(format)
}

const postPlaylist = defineRoute<MezdiaContext, SingleBody>({
  method: 'post',
  path: '/download/playlist/all',
  permission: null,
  counts: true,
  body: singleBody,
  doc: docOf('Download all videos of a playlist'),
  async handle(ctx, { key, input, req }) {
    const request = playlistRequestOf(input, listUrlOf(requireUrl(input.url)), null)
    return started(req, await startJob(ctx, key, [request], { mezdia: 'playlist' }), 'Playlist download')
  },
})

const selectBody = z.object({
  url: urlField,
  video_indices: listField(integerField).meta({ description: 'Places in the playlist, from 0' }),
  ...wishFields,
})

const postSelection = defineRoute<MezdiaContext, z.output<typeof selectBody>>({
  method: 'post',
  path: '/download/playlist/select',
  permission: null,
  counts: true,
  body: selectBody,
  doc: docOf('Download some videos of a playlist'),
  async handle(ctx, { key, input, req }) {
    const indices = input.video_indices.filter((index) => index >= 0 && index < 100_000)
    if (indices.length === 0)
      throw new Refusal('invalid_request', 'video_indices must name at least one video of the playlist')
    const request = playlistRequestOf(input, listUrlOf(requireUrl(input.url)), indices)
    return started(req, await startJob(ctx, key, [request], { mezdia: 'playlist' }), 'Selected videos download')
  },
})

const batchBody = z.object({
  urls: listField(textField).meta({ description: `Addresses of at most ${MAX_URLS} videos` }),
  ...wishFields,
  type: textField.default('video').meta({ description: `One of ${BATCH_TYPES.join(', ')}` }),
})

const postBatch = defineRoute<MezdiaContext, z.output<typeof batchBody>>({
  method: 'post',
  path: '/download/batch',
  permission: null,
  counts: true,
  body: batchBody,
  doc: {
    summary: 'Download several videos as one job',
    tag,
    answers: { 200: z.strictObject({ ...startedFields, total_urls: z.number() }).meta({ id: 'MezdiaBatchStarted' }) },
  },
  async handle(ctx, { key, input, req }) {
    const { urls, type: said, ...wish } = input
    if (urls.length === 0) throw new Refusal('invalid_request', 'At least one URL must be provided')
    if (urls.length > MAX_URLS) throw new Refusal('invalid_request', `Maximum ${MAX_URLS} URLs per batch download`)
    const type = oneOf(BATCH_TYPES, said, 'type')
    const types = type === 'both' ? TYPES : [type]
    const requests = urls.flatMap((url) => types.map((one) => requestOf({ ...wish, url, type: one })))
    const jobId = await startJob(ctx, key, requests, { mezdia: 'batch', total: urls.length })
    const { job_id, status, message, status_url } = started(req, jobId, 'Batch download')
    return { job_id, status, total_urls: urls.length, message, status_url }
  },
})

/** What starts jobs. */
export const downloadRoutes: readonly AnyRoute<MezdiaContext>[] = [postSingle, postPlaylist, postSelection, postBatch]
