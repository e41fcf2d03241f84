import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { classify, type Platform } from '../../domain/platform.ts'
import type { FoundPost } from '../../tasks/posts.ts'
import { proxyLinks } from '../media-proxy/links.ts'
import { goneSignal, isAboutPost } from '../post-call.ts'
import { defineRoute } from '../route.ts'
import type { PicoshotContext } from './context.ts'
import { mediaOf, mediaSchema } from './media.ts'

const PLATFORMS = ['youtube', 'instagram', 'tiktok'] as const
export type PicoshotPlatform = (typeof PLATFORMS)[number]

const MAX_URL = 2_048
const INVALID_URL = 'Invalid URL format'
const INVALID_PLATFORM = 'Invalid platform. Must be one of: youtube, instagram, tiktok'
const UNSUPPORTED = 'Unsupported platform. Supported platforms: YouTube, Instagram, TikTok'
const NOTHING = 'Content not available or failed to process. Please check the URL and try again.'

const isHttp = (text: string) => /^https?:$/.test(URL.parse(text)?.protocol ?? '')

const body = z
  .object({
    url: z
      .string('URL is required')
      .trim()
      .min(1, 'URL is required')
      .max(MAX_URL, INVALID_URL)
      .refine(isHttp, INVALID_URL)
      .meta({ description: 'Of a post on YouTube, Instagram or TikTok', example: 'https://youtu.be/dQw4w9WgXcQ' }),
    platform: z
      .string(INVALID_PLATFORM)
      .trim()
      .toLowerCase()
      .pipe(z.enum(PLATFORMS, INVALID_PLATFORM))
      .optional()
      .meta({ description: 'Found out from the address when left out' }),
    proxy: z
      .boolean('proxy must be true or false')
      .default(false)
      .meta({ description: 'Ours: addresses that lead through this daemon, and work in a browser' }),
  })
  .meta({ id: 'PicoshotRequest' })
type Body = z.output<typeof body>

const answer = z
  .strictObject({
    success: z.literal(true),
    platform: z.enum(PLATFORMS),
    url: z.string().meta({ description: 'As it was sent' }),
    data: z.strictObject({
      title: z.string(),
      author: z.string(),
      thumbnail: z.string(),
      media: z.array(mediaSchema).min(1).meta({ description: 'The first is what a person would want' }),
    }),
  })
  .meta({ id: 'PicoshotPost', description: 'What is in a post' })

/** `POST /api/downloader`: the media of a post. */
export const downloader = defineRoute<PicoshotContext, Body>({
  method: 'post',
  path: '/api/downloader',
  permission: 'parse',
  body,
  doc: {
    summary: 'Read a post of YouTube, Instagram or TikTok',
    description:
      'Answers with addresses of its media; nothing is downloaded. Calls are limited by the address they come from.',
    tag: 'picoshot',
    keyless: 'Needs no key while the daemon listens on this machine alone, or with `ANONYMOUS_ACCESS=picoshot`.',
    answers: { 200: answer },
    examples: { 'A video': { url: 'https://youtube.com/watch?v=dQw4w9WgXcQ', platform: 'youtube' } },
  },
  async handle(ctx, { input, key, req, res }) {
    const found = await read(ctx, { key, input, signal: goneSignal(res) })
    const { post } = found
    const media = mediaOf(post, found.platform, input.proxy ? proxyLinks(ctx, key, req) : null)
    if (media.length === 0) throw new Refusal('extraction_failed', NOTHING)
    const { title, author, thumbnail } = post
    return {
      success: true,
      platform: found.platform,
      url: (req.body as { url: string }).url,
      data: { title, author, thumbnail, media },
    } satisfies z.input<typeof answer>
  },
})

type Reading = Readonly<{ key: ApiKey; input: Body; signal: AbortSignal }>

async function read(ctx: PicoshotContext, { key, input, signal }: Reading) {
  const { posts } = ctx
  try {
    const at = await posts.locate(input.url, signal)
    const { platform } = at
    // Whoever names the platform is believed, and told that nothing was found there.
    if (input.platform === undefined && !isServed(platform)) throw new Refusal('invalid_request', UNSUPPORTED)
    if ('reason' in at || !isServed(platform) || platform !== (input.platform ?? platform))
      throw new Refusal('extraction_failed', NOTHING)
    return { ...(await posts.read(key, at, signal)), platform } satisfies FoundPost
  } catch (error) {
    if (error instanceof Refusal && error.message === UNSUPPORTED) throw error
    if (isAboutPost(error)) throw new Refusal('extraction_failed', NOTHING, { cause: error })
    throw error
  }
}

const isServed = (platform: Platform | null): platform is PicoshotPlatform =>
  PLATFORMS.some((known) => known === platform)

/** What a body that may be anything says it is about: the service as named, else as the address has it. */
export function subjectOf(sent: unknown): Readonly<{ platform: string | null; url: string | null }> {
  const { url, platform } = (typeof sent === 'object' && sent !== null ? sent : {}) as Readonly<Record<string, unknown>>
  const isText = typeof url === 'string' && url.length <= MAX_URL
  const named = typeof platform === 'string' && platform.length <= MAX_URL ? platform.trim().toLowerCase() : null
  return { platform: named ?? (isText ? classify(url.trim()).platform : null), url: isText ? url : null }
}
