import { z } from 'zod'

export const text = z.string().nullable()
export const number = z.number().nullable()

export const ownerSchema = z.strictObject({ username: text, user_id: text })

export const postSchema = z
  .strictObject({
    success: z.literal(true),
    type: z.enum(['image', 'video', 'carousel']),
    post_id: z.string(),
    shortcode: z.string(),
    caption: text,
    owner: ownerSchema,
    timestamp: number,
    upload_date: text,
    view_count: number,
    like_count: number,
    comment_count: number,
    duration: number,
    thumbnail: text,
    webpage_url: z.string(),
    is_carousel: z.boolean(),
    carousel_count: number,
    media_items: z
      .array(
        z.strictObject({
          index: z.number(),
          type: z.enum(['video', 'image']),
          url: text,
          thumbnail: text,
          duration: number,
          width: number,
          height: number,
        }),
      )
      .nullable(),
  })
  .meta({ id: 'MezdiaPost' })

export const reelSchema = z
  .strictObject({
    success: z.literal(true),
    type: z.literal('reel'),
    reel_id: z.string(),
    shortcode: z.string(),
    caption: text,
    video_url: text,
    thumbnail: text,
    duration: number,
    width: number,
    height: number,
    fps: number,
    owner: ownerSchema,
    timestamp: number,
    upload_date: text,
    view_count: number,
    like_count: number,
    comment_count: number,
    webpage_url: z.string(),
    formats: z.array(z.strictObject({ format_id: z.string(), ext: text, resolution: text, filesize: number })),
  })
  .meta({ id: 'MezdiaReel' })

export const postStatsSchema = z
  .strictObject({
    success: z.literal(true),
    type: z.literal('post_statistics'),
    post_id: z.string(),
    shortcode: z.string(),
    owner_username: text,
    statistics: z.strictObject({
      likes_count: number,
      comments_count: number,
      view_count: number,
      total_engagement: z.number(),
    }),
  })
  .meta({ id: 'MezdiaPostStatistics' })

export const reelStatsSchema = z
  .strictObject({
    success: z.literal(true),
    type: z.literal('reel_statistics'),
    reel_id: z.string(),
    shortcode: z.string(),
    owner_username: text,
    duration_seconds: number,
    statistics: z.strictObject({
      view_count: number,
      likes_count: number,
      comments_count: number,
      total_engagement: z.number(),
    }),
  })
  .meta({ id: 'MezdiaReelStatistics' })
