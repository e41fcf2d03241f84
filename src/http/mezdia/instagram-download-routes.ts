import type { Request } from 'express'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import { selectorsOf } from '../../domain/quality.ts'
import { REQUEST_DEFAULTS, type PostWish, type TaskRequest } from '../../domain/task.ts'
import { defineRoute, type AnyRoute, type RouteDoc } from '../route.ts'
import type { MezdiaContext } from './context.ts'
import { startedFields } from './download-routes.ts'
import { flagField, linkTo, listField, oneOf, patienceOf, textField } from './fields.ts'
import { postUrlOf, userNameOf } from './instagram-place.ts'
import { startJob } from './jobs.ts'
import { AUDIO_FORMATS, soundOf } from './requests.ts'

const tag = 'Mezdia: Instagram'

const MAX_ITEMS = 20

const LINES = { best: null, high: 1080, medium: 720, low: 480 } as const
const STORY_QUALITIES = Object.keys(LINES) as (keyof typeof LINES)[]
const REEL_QUALITIES = ['best', '1080p', '720p', '480p'] as const
const PICKS = { media: 'all', video_only: 'videos', image_only: 'images' } as const satisfies Record<
  string,
  PostWish['pick']
>
const POST_TYPES = Object.keys(PICKS) as (keyof typeof PICKS)[]
const REEL_TYPES = ['video', 'audio_only'] as const
const ITEM_TYPES = ['post', 'reel', 'story'] as const
const STORY_FORMATS = ['individual', 'zip'] as const

const postField = textField.meta({ description: 'Address or code of the post' })
const qualityField = textField.default('best')

const startedSchema = z.strictObject(startedFields).meta({ id: 'MezdiaInstagramJobStarted' })
const docOf = (summary: string): RouteDoc => ({ summary, tag, answers: { 200: startedSchema } })

const started = (req: Request, jobId: string, what: string) => ({
  job_id: jobId,
  status: 'pending',
  message: `${what}. Use /instagram/status/{job_id} to check progress.`,
  status_url: linkTo(req, `/instagram/status/${jobId}`),
})

const mediaRequest = (url: string, wish: Partial<PostWish>): TaskRequest => ({
  ...REQUEST_DEFAULTS,
  kind: 'post',
  url,
  post: { pick: 'all', maxLines: null, metadata: false, ...wish },
})

const linesOf = (quality: string): number | null => LINES[oneOf(STORY_QUALITIES, quality, 'quality')]

const reelRequest = (url: string, quality: string): TaskRequest => ({
  ...REQUEST_DEFAULTS,
  ...selectorsOf(oneOf(REEL_QUALITIES, quality, 'quality')),
  kind: 'video',
  url,
})

const storyUrl = (said: string): string => `https://www.instagram.com/stories/${userNameOf(said)}/`

const postBody = z.object({
  url: postField,
  quality: qualityField.meta({ description: `One of ${STORY_QUALITIES.join(', ')}` }),
  download_type: textField.default('media').meta({ description: `One of ${POST_TYPES.join(', ')}` }),
  include_metadata: flagField.default(true),
})

const postPost = defineRoute<MezdiaContext, z.output<typeof postBody>>({
  method: 'post',
  path: '/instagram/download/post',
  permission: null,
  counts: true,
  body: postBody,
  doc: docOf('Download the media of a post'),
  async handle(ctx, { key, input, req, res }) {
    const pick = PICKS[oneOf(POST_TYPES, input.download_type, 'download type')]
    const maxLines = linesOf(input.quality)
    const url = await postUrlOf(ctx, input.url, { place: 'p', signal: patienceOf(res) })
    const jobId = await startJob(ctx, key, [mediaRequest(url, { pick, maxLines })], { mezdia: 'instagram_post' })
    return started(req, jobId, 'Post download started')
  },
})

const reelBody = z.object({
  url: postField,
  quality: qualityField.meta({ description: `One of ${REEL_QUALITIES.join(', ')}` }),
  download_type: textField.default('video').meta({ description: `One of ${REEL_TYPES.join(', ')}` }),
  audio_format: textField.default('best').meta({ description: `Of a sound; one of ${AUDIO_FORMATS.join(', ')}` }),
})

const postReel = defineRoute<MezdiaContext, z.output<typeof reelBody>>({
  method: 'post',
  path: '/instagram/download/reel',
  permission: null,
  counts: true,
  body: reelBody,
  doc: docOf('Download a reel or its sound'),
  async handle(ctx, { key, input, req, res }) {
    const type = oneOf(REEL_TYPES, input.download_type, 'download type')
    const audioFormat = oneOf(AUDIO_FORMATS, input.audio_format, 'audio format')
    const url = await postUrlOf(ctx, input.url, { place: 'reel', signal: patienceOf(res) })
    const video = reelRequest(url, input.quality)
    const jobId = await startJob(ctx, key, [type === 'audio_only' ? soundOf(url, audioFormat) : video], {
      mezdia: 'instagram_reel',
    })
    return started(req, jobId, 'Reel download started')
  },
})

const storyBody = z.object({
  username: textField.meta({ description: 'Name of the account, with or without @' }),
  quality: qualityField.meta({ description: `One of ${STORY_QUALITIES.join(', ')}` }),
  format: textField.default('individual').meta({ description: `One of ${STORY_FORMATS.join(', ')}` }),
})

const postStory = defineRoute<MezdiaContext, z.output<typeof storyBody>>({
  method: 'post',
  path: '/instagram/download/story',
  permission: null,
  counts: true,
  body: storyBody,
  doc: docOf('Download the stories of an account'),
  async handle(ctx, { key, input, req }) {
    const format = oneOf(STORY_FORMATS, input.format, 'format')
    const request = mediaRequest(storyUrl(input.username), { maxLines: linesOf(input.quality) })
    const jobId = await startJob(ctx, key, [request], { mezdia: 'instagram_story', zip: format === 'zip' })
    return started(req, jobId, 'Story download started')
  },
})

const carouselBody = z.object({
  url: postField,
  quality: qualityField.meta({ description: `One of ${STORY_QUALITIES.join(', ')}` }),
  include_metadata: flagField.default(true).meta({ description: 'Put `metadata.json` into the zip' }),
})

const postCarousel = defineRoute<MezdiaContext, z.output<typeof carouselBody>>({
  method: 'post',
  path: '/instagram/download/carousel',
  permission: null,
  counts: true,
  body: carouselBody,
  doc: docOf('Download the media of a post as a zip'),
  async handle(ctx, { key, input, req, res }) {
    const maxLines = linesOf(input.quality)
    const url = await postUrlOf(ctx, input.url, { place: 'p', signal: patienceOf(res) })
    const request = mediaRequest(url, { maxLines, metadata: input.include_metadata })
    const jobId = await startJob(ctx, key, [request], { mezdia: 'instagram_carousel', zip: true })
    return started(req, jobId, 'Carousel download started as ZIP')
  },
})

const batchBody = z.object({
  items: listField(
    z.object({ url: postField, type: textField.meta({ description: `One of ${ITEM_TYPES.join(', ')}` }) }),
  ).meta({ description: `At most ${MAX_ITEMS}` }),
  quality: qualityField.meta({ description: `One of ${STORY_QUALITIES.join(', ')}` }),
  continue_on_error: flagField.default(true).meta({ description: 'Otherwise the job has failed when one item has' }),
})
type Item = z.output<typeof batchBody>['items'][number]

const postBatch = defineRoute<MezdiaContext, z.output<typeof batchBody>>({
  method: 'post',
  path: '/instagram/download/batch',
  permission: null,
  counts: true,
  body: batchBody,
  doc: {
    summary: 'Download several posts as one job',
    tag,
    answers: {
      200: z.strictObject({ ...startedFields, total_items: z.number() }).meta({ id: 'MezdiaInstagramBatchStarted' }),
    },
  },
  async handle(ctx, { key, input: { items, quality, continue_on_error: goOn }, req, res }) {
    if (items.length === 0) throw new Refusal('invalid_request', 'At least one item must be provided')
    if (items.length > MAX_ITEMS) throw new Refusal('invalid_request', `Maximum ${MAX_ITEMS} items per batch download`)
    const maxLines = linesOf(quality)
    const signal = patienceOf(res)
    const requests = await Promise.all(items.map((item) => itemRequest(ctx, item, { maxLines, signal })))
    const sent = { mezdia: 'instagram_batch', total: items.length, strict: !goOn } as const
    const { job_id, status, message, status_url } = started(
      req,
      await startJob(ctx, key, requests, sent),
      'Batch download started',
    )
    return { job_id, status, total_items: items.length, message, status_url }
  },
})

async function itemRequest(
  ctx: MezdiaContext,
  { url: said, type: word }: Item,
  { maxLines, signal }: Readonly<{ maxLines: number | null; signal: AbortSignal }>,
): Promise<TaskRequest> {
  const type = oneOf(ITEM_TYPES, word, 'type')
  if (type === 'story') return mediaRequest(storyUrl(userOf(said)), { maxLines })
  const url = await postUrlOf(ctx, said, { place: type === 'reel' ? 'reel' : 'p', signal })
  return mediaRequest(url, { maxLines, pick: type === 'reel' ? 'videos' : 'all' })
}

/** Of an account a client may also say where its page or its stories are. */
const userOf = (said: string): string =>
  /^https?:\/\/(?:www\.|m\.)?instagram\.com\/(?:stories\/)?([\w.]+)\/?/i.exec(said)?.[1] ?? said

/** What starts jobs of Instagram. */
export const instagramDownloadRoutes: readonly AnyRoute<MezdiaContext>[] = [
  postPost,
  postReel,
  postStory,
  postCarousel,
  postBatch,
]
