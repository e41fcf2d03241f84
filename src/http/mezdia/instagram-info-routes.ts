import { z } from 'zod'
import type { Details } from '../../domain/details.ts'
import { Refusal } from '../../domain/errors.ts'
import { bestFile, describePost, isVideo, mediaOf } from '../../domain/social-post.ts'
import { defineRoute, type AnyRoute, type Call } from '../route.ts'
import type { MezdiaContext } from './context.ts'
import { linkTo, patienceOf, textField } from './fields.ts'
import { postUrlOf } from './instagram-place.ts'
import { postSchema, postStatsSchema, reelSchema, reelStatsSchema } from './instagram-schemas.ts'

const tag = 'Mezdia: Instagram'

const ENDPOINTS = [
  ['GET', '/instagram/post/info', 'Get post information'],
  ['GET', '/instagram/reel/info', 'Get reel information'],
  ['GET', '/instagram/story/info', 'Get stories information'],
  ['GET', '/instagram/profile/info', 'Get profile information'],
  ['GET', '/instagram/profile/posts', 'Get profile posts'],
  ['POST', '/instagram/download/post', 'Download a post'],
  ['POST', '/instagram/download/reel', 'Download a reel'],
  ['POST', '/instagram/download/story', 'Download stories'],
  ['POST', '/instagram/download/carousel', 'Download carousel as ZIP'],
  ['POST', '/instagram/download/batch', 'Batch download'],
  ['GET', '/instagram/status/{job_id}', 'Check download status'],
  ['GET', '/instagram/download/file/{filename}', 'Get downloaded file'],
  ['GET', '/instagram/post/stats', 'Get post statistics'],
  ['GET', '/instagram/reel/stats', 'Get reel statistics'],
] as const

const getAbout = defineRoute<MezdiaContext>({
  method: 'get',
  path: '/instagram/info',
  permission: null,
  body: null,
  doc: {
    summary: 'What this API can do',
    tag,
    answers: {
      200: z.strictObject({
        api: z.record(z.string(), z.string()),
        capabilities: z.record(z.string(), z.array(z.string())),
        limits: z.record(z.string(), z.number()),
        endpoints: z.array(z.strictObject({ method: z.string(), path: z.string(), description: z.string() })),
      }),
    },
  },
  handle: (_ctx, { req }) => ({
    api: {
      name: 'Instagram Downloader & Info API',
      version: '2.0.0',
      base_url: linkTo(req, '/instagram'),
      docs_url: linkTo(req, '/docs'),
    },
    capabilities: {
      supported_content_types: ['posts', 'reels', 'stories', 'carousels'],
      download_features: ['batch_downloads', 'quality_selection', 'audio_extraction', 'zip_export'],
      statistics: ['engagement_metrics', 'view_counts'],
    },
    limits: { max_batch_size: 20, file_retention_minutes: 30, rate_limit_requests_per_minute: 30 },
    endpoints: ENDPOINTS.map(([method, path, description]) => ({ method, path: linkTo(req, path), description })),
  }),
})

const byPost = z.object({ url: textField.meta({ description: 'Address or code of a post', example: 'CnU4zIh9x_F' }) })
type ByPost = z.output<typeof byPost>

type PostCall = Call<null, null, ByPost>

/** What yt-dlp tells of the post that a call names, and its address. */
async function lookAt(ctx: MezdiaContext, { key, query, res }: PostCall, place: 'p' | 'reel') {
  const signal = patienceOf(res)
  const url = await postUrlOf(ctx, query.url, { place, signal })
  return { url, details: await ctx.details.look(key, url, signal) }
}

const getPost = defineRoute<MezdiaContext, null, null, ByPost>({
  method: 'get',
  path: '/instagram/post/info',
  permission: 'get_info',
  query: byPost,
  body: null,
  doc: { summary: 'All about a post', tag, answers: { 200: postSchema } },
  async handle(ctx, call) {
    const { url, details } = await lookAt(ctx, call, 'p')
    return { success: true, ...describePost(details, url) }
  },
})

const MAX_FORMATS = 5

const getReel = defineRoute<MezdiaContext, null, null, ByPost>({
  method: 'get',
  path: '/instagram/reel/info',
  permission: 'get_info',
  query: byPost,
  body: null,
  doc: { summary: 'All about a reel', tag, answers: { 200: reelSchema } },
  async handle(ctx, call) {
    const { url, details } = await lookAt(ctx, call, 'reel')
    return reelBody(details, url)
  },
})

function reelBody(details: Details, url: string): z.input<typeof reelSchema> {
  const post = describePost(details, url)
  const medium = mediaOf(details).find(isVideo)
  if (!medium)
    throw new Refusal('invalid_request', 'Could not extract reel information: there is no video in this post')
  const file = bestFile(medium)
  return {
    success: true,
    type: 'reel',
    reel_id: post.post_id,
    shortcode: post.shortcode,
    caption: post.caption,
    video_url: file?.url ?? null,
    thumbnail: post.thumbnail,
    duration: medium.duration,
    width: file?.width ?? medium.width,
    height: file?.height ?? medium.height,
    fps: file?.fps ?? medium.fps,
    owner: post.owner,
    timestamp: post.timestamp,
    upload_date: post.upload_date,
    view_count: post.view_count,
    like_count: post.like_count,
    comment_count: post.comment_count,
    webpage_url: post.webpage_url,
    formats: medium.formats
      .slice(-MAX_FORMATS)
      .map(({ format_id, ext, resolution, filesize }) => ({ format_id, ext, resolution, filesize })),
  }
}

const getPostStats = defineRoute<MezdiaContext, null, null, ByPost>({
  method: 'get',
  path: '/instagram/post/stats',
  permission: 'get_info',
  query: byPost,
  body: null,
  doc: { summary: 'How a post is received', tag, answers: { 200: postStatsSchema } },
  async handle(ctx, call) {
    const { url, details } = await lookAt(ctx, call, 'p')
    const { post_id, shortcode, owner, ...post } = describePost(details, url)
    return {
      success: true,
      type: 'post_statistics',
      post_id,
      shortcode,
      owner_username: owner.username,
      statistics: {
        likes_count: post.like_count,
        comments_count: post.comment_count,
        view_count: post.view_count,
        total_engagement: engagementOf(post),
      },
    }
  },
})

const getReelStats = defineRoute<MezdiaContext, null, null, ByPost>({
  method: 'get',
  path: '/instagram/reel/stats',
  permission: 'get_info',
  query: byPost,
  body: null,
  doc: { summary: 'How a reel is received', tag, answers: { 200: reelStatsSchema } },
  async handle(ctx, call) {
    const { url, details } = await lookAt(ctx, call, 'reel')
    const { reel_id, shortcode, owner, duration, ...reel } = reelBody(details, url)
    return {
      success: true,
      type: 'reel_statistics',
      reel_id,
      shortcode,
      owner_username: owner.username,
      duration_seconds: duration,
      statistics: {
        view_count: reel.view_count,
        likes_count: reel.like_count,
        comments_count: reel.comment_count,
        total_engagement: engagementOf(reel),
      },
    }
  },
})

/** Likes and comments; watching is none. */
const engagementOf = ({
  like_count: likes,
  comment_count: comments,
}: Readonly<{ like_count: number | null; comment_count: number | null }>): number => (likes ?? 0) + (comments ?? 0)

/** What there is at Instagram, without a download. */
export const instagramInfoRoutes: readonly AnyRoute<MezdiaContext>[] = [
  getAbout,
  getPost,
  getReel,
  getPostStats,
  getReelStats,
]
