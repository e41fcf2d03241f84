import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { PLATFORMS } from '../../domain/platform.ts'
import type { Post } from '../../domain/post.ts'
import { requireSite } from '../../tasks/admission.ts'
import type { FoundPost, PostPlace } from '../../tasks/posts.ts'
import { proxyLinks } from '../media-proxy/links.ts'
import { goneSignal, isAboutPost } from '../post-call.ts'
import { defineRoute } from '../route.ts'
import type { EasydownContext } from './context.ts'
import { EasydownRefusal } from './errors.ts'

const MAX_TEXT = 4_096

const body = z
  .object({
    url: z.string().trim().min(1).max(MAX_TEXT).meta({
      description: 'Address of a post, or a text that was shared with one in it',
      example: 'https://www.instagram.com/reel/C0abcdefghi/',
    }),
    proxy: z
      .boolean()
      .default(false)
      .meta({ description: 'Ours: addresses that lead through this daemon, and work in a browser' }),
  })
  .meta({ id: 'EasydownRequest' })
type Body = z.output<typeof body>

const headers = z
  .record(z.string(), z.string())
  .optional()
  .meta({ description: 'What the host wants to be asked with; only with `EASYDOWN_HEADERS`' })
const pixels = z.number().meta({ description: 'Pixels; 0 = unknown' })
const trackFields = { url: z.string(), quality: z.string(), mimeType: z.string() }

const imageSchema = z.strictObject({ url: z.string(), width: pixels, height: pixels }).meta({ id: 'EasydownImage' })
const videoSchema = z
  .strictObject({
    ...trackFields,
    width: pixels,
    height: pixels,
    hasAudio: z.boolean(),
    source: z.enum(['direct', 'adaptive', 'dash', 'live_photo']),
    headers,
  })
  .meta({ id: 'EasydownVideo' })
const audioSchema = z
  .strictObject({
    ...trackFields,
    bitrate: z.number().meta({ description: 'Bits a second; 0 = unknown' }),
    source: z.enum(['direct', 'adaptive', 'dash', 'native_voice']),
    headers,
  })
  .meta({ id: 'EasydownAudio' })

const answer = z
  .strictObject({
    status: z.literal(200),
    data: z.strictObject({
      platform: z.enum(PLATFORMS),
      title: z.string(),
      thumbnail: z.string(),
      duration: z.number().meta({ description: 'Seconds; 0 for pictures' }),
      images: z.array(imageSchema),
      videos: z.array(videoSchema),
      audios: z.array(audioSchema),
    }),
    msg: z.literal('success'),
  })
  .meta({ id: 'EasydownPost', description: 'What is in a post; with `code` 304 instead where there is nothing' })
type Answer = z.input<typeof answer>

const nothing = z
  .strictObject({ status: z.literal(304), data: z.null(), msg: z.string(), code: z.literal(304) })
  .meta({ id: 'EasydownNothing', description: 'There is nothing to be had at that address' })

/** `POST /api/v1/parse`: the media of a post. */
export const parse = defineRoute<EasydownContext, Body>({
  method: 'post',
  path: '/api/v1/parse',
  permission: 'parse',
  body,
  doc: {
    summary: 'Read a post of any of the nine services',
    description:
      'Answers with addresses of its media; nothing is downloaded. Costs a credit, of keys whose credits count, when there ' +
      'is at least one medium, and nothing otherwise. `X-Credits-Charged`, `X-Credits-Remaining` and `X-EasyDown-Cache` ' +
      '(`HIT` or `MISS`) say what it came to. The limit `sites` of a key says of which services it may read posts.',
    tag: 'Easydown',
    answers: { 200: z.union([answer, nothing]) },
    examples: { 'A reel': { url: 'https://www.instagram.com/reel/C0abcdefghi/' } },
  },
  async handle(ctx, { input, key, req, res }) {
    const signal = goneSignal(res)
    const at = await locate(ctx, input.url, signal)
    requirePlatform(key, at.url)
    const hold = await ctx.credits.hold(key.id)
    try {
      const found = await read(ctx, { key, at, signal })
      const link = input.proxy ? proxyLinks(ctx, key, req) : null
      const data = dataOf(found, { link, withHeaders: ctx.settings.easydownHeaders && !input.proxy })
      if (signal.aborted) throw new EasydownRefusal('nothing') // nobody is there to be charged
      const left = hold === null ? null : await hold.spend()
      res.setHeader('X-Credits-Charged', hold === null ? 0 : 1)
      if (left !== null) res.setHeader('X-Credits-Remaining', left)
      res.setHeader('X-EasyDown-Cache', found.isCached ? 'HIT' : 'MISS')
      return { status: 200, data, msg: 'success' } satisfies Answer
    } finally {
      await hold?.release()
    }
  },
})

async function locate({ posts }: EasydownContext, text: string, signal: AbortSignal): Promise<PostPlace> {
  try {
    const at = await posts.locate(text, signal)
    if ('reason' in at) throw new EasydownRefusal('unsupported')
    return at
  } catch (error) {
    // A short link whose end nobody knows is none of a single post.
    if (!(error instanceof EasydownRefusal) && isAboutPost(error))
      throw new EasydownRefusal('unsupported', { cause: error })
    throw error
  }
}

function requirePlatform(key: ApiKey, url: string): void {
  try {
    requireSite(key, url)
  } catch (error) {
    throw new EasydownRefusal('platform', { cause: error })
  }
}

async function read(
  { posts }: EasydownContext,
  { key, at, signal }: Readonly<{ key: ApiKey; at: PostPlace; signal: AbortSignal }>,
): Promise<FoundPost> {
  try {
    const found = await posts.read(key, at, signal)
    const { videos, audios, images } = found.post
    if (videos.length + audios.length + images.length === 0) throw new EasydownRefusal('nothing')
    return found
  } catch (error) {
    if (error instanceof Refusal && error.code === 'forbidden') throw new EasydownRefusal('platform', { cause: error })
    if (!(error instanceof EasydownRefusal) && isAboutPost(error))
      throw new EasydownRefusal('nothing', { cause: error })
    throw error
  }
}

type Shape = Readonly<{ link: ReturnType<typeof proxyLinks> | null; withHeaders: boolean }>

function dataOf({ platform, post }: FoundPost, { link, withHeaders }: Shape): Answer['data'] {
  type Item = Post['images' | 'videos' | 'audios'][number]
  const urlOf = ({ url, expiresAt }: Item) => (link === null ? url : link({ platform, url }, expiresAt))
  const headersOf = (item: Item) => (withHeaders ? { headers: { ...item.headers } } : {})
  return {
    platform,
    title: post.title,
    thumbnail: post.thumbnail,
    duration: post.duration,
    images: post.images.map((image) => ({ url: urlOf(image), width: image.width ?? 0, height: image.height ?? 0 })),
    videos: post.videos.map((video) => ({
      url: urlOf(video),
      quality: video.quality,
      mimeType: video.mimeType,
      width: video.width ?? 0,
      height: video.height ?? 0,
      hasAudio: video.hasAudio,
      source: video.source,
      ...headersOf(video),
    })),
    audios: post.audios.map((audio) => ({
      url: urlOf(audio),
      quality: audio.quality,
      mimeType: audio.mimeType,
      bitrate: audio.bitrate,
      source: audio.source === 'live_photo' ? 'direct' : audio.source,
      ...headersOf(audio),
    })),
  }
}
