import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import { entriesOf } from '../../domain/page.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { MezdiaContext } from './context.ts'
import { oneOf, patienceOf, requireUrl, textField, timeText } from './fields.ts'
import {
  allSubtitlesBody,
  allSubtitlesSchema,
  formatsBody,
  formatsSchema,
  playlistSchema,
  someSubtitlesBody,
  someSubtitlesSchema,
  videoBody,
  videoSchema,
} from './info-bodies.ts'
import { listUrlOf, readVideos, streamOf, THUMBNAILS, thumbnailOf, type ThumbnailQuality } from './pages.ts'

const tag = 'Mezdia: YouTube'
const urlField = textField.meta({
  description: 'Address of a video or playlist',
  example: 'https://youtu.be/dQw4w9WgXcQ',
})

/** Entries of a playlist that one answer shows. */
const MAX_ENTRIES = 5_000

const getHealth = defineRoute<MezdiaContext>({
  method: 'get',
  path: '/health',
  permission: null,
  body: null,
  doc: {
    summary: 'Whether the API runs',
    tag,
    answers: { 200: z.strictObject({ status: z.literal('healthy'), timestamp: z.string() }) },
  },
  handle: () => ({ status: 'healthy', timestamp: timeText(Date.now()) }),
})

const byUrl = z.object({ url: urlField })

const getInfo = defineRoute<MezdiaContext, null, null, z.output<typeof byUrl>>({
  method: 'get',
  path: '/info',
  permission: 'get_info',
  query: byUrl,
  body: null,
  doc: {
    summary: 'All about a video or playlist',
    description:
      'Of a playlist the first 50 videos are read one by one, for a minute at most; of those that are not read in time ' +
      'the answer has what the list tells.',
    tag,
    answers: { 200: z.union([videoSchema, playlistSchema]) },
  },
  async handle(ctx, { key, query, res }) {
    const signal = patienceOf(res)
    const found = await ctx.details.look(key, requireUrl(query.url), signal)
    if (found.entries === null) return { type: 'video', ...videoBody(found) }
    const videos = await readVideos(ctx, key, found, signal)
    return {
      type: 'playlist',
      playlist_id: found.id,
      playlist_title: found.title,
      playlist_count: videos.length,
      uploader: found.uploader ?? found.channel,
      videos: videos.map(videoBody),
    }
  },
})

const getFormats = defineRoute<MezdiaContext, null, null, z.output<typeof byUrl>>({
  method: 'get',
  path: '/formats',
  permission: 'get_info',
  query: byUrl,
  body: null,
  doc: { summary: 'The forms a video can be had in', tag, answers: { 200: formatsSchema } },
  async handle({ details }, { key, query, res }) {
    return formatsBody(await details.look(key, requireUrl(query.url), patienceOf(res)))
  },
})

const text = z.string().nullable()

const listSchema = z
  .strictObject({
    playlist_id: text,
    playlist_title: text,
    playlist_count: z.number(),
    uploader: text,
    videos: z.array(
      z.strictObject({
        index: z.number(),
        id: text,
        title: text,
        duration: z.number().nullable(),
        url: text,
        thumbnail: text,
      }),
    ),
  })
  .meta({ id: 'MezdiaPlaylistVideos' })

const getPlaylistInfo = defineRoute<MezdiaContext, null, null, z.output<typeof byUrl>>({
  method: 'get',
  path: '/download/playlist/info',
  permission: 'get_info',
  query: byUrl,
  body: null,
  doc: { summary: 'The videos of a playlist', tag, answers: { 200: listSchema } },
  async handle({ lookups }, { key, query, res }) {
    const page = await lookups.look(
      key,
      { url: listUrlOf(requireUrl(query.url)), sitePreset: null, cookies: true },
      patienceOf(res),
    )
    if (page.kind !== 'playlist') throw new Refusal('invalid_request', 'URL is not a valid playlist')
    return {
      playlist_id: page.id,
      playlist_title: page.title,
      playlist_count: page.count,
      uploader: page.uploader,
      videos: entriesOf(page, 0, MAX_ENTRIES).map(({ position, id, title, duration, url, thumbnail }) => ({
        index: position - 1,
        id,
        title,
        duration,
        url,
        thumbnail,
      })),
    }
  },
})

const subtitlesQuery = byUrl.extend({
  lang: textField.default('all').meta({ description: 'Language of the subtitles, or `all`' }),
})

const getSubtitles = defineRoute<MezdiaContext, null, null, z.output<typeof subtitlesQuery>>({
  method: 'get',
  path: '/subtitles',
  permission: 'get_info',
  query: subtitlesQuery,
  body: null,
  doc: {
    summary: 'Where the subtitles of a video are',
    tag,
    answers: { 200: z.union([allSubtitlesSchema, someSubtitlesSchema]) },
  },
  async handle({ details }, { key, query, res }) {
    const found = await details.look(key, requireUrl(query.url), patienceOf(res))
    if (query.lang === 'all') return allSubtitlesBody(found)
    const body = someSubtitlesBody(found, query.lang)
    if (body === null) throw new Refusal('not_found', `Subtitles for language '${query.lang}' not found`)
    return body
  },
})

const QUALITIES = Object.keys(THUMBNAILS) as ThumbnailQuality[]
const MAX_THUMBNAILS = 5

const thumbnailQuery = byUrl.extend({
  quality: textField.default('maxres').meta({ description: `One of ${QUALITIES.join(', ')}` }),
})

const getThumbnail = defineRoute<MezdiaContext, null, null, z.output<typeof thumbnailQuery>>({
  method: 'get',
  path: '/thumbnail',
  permission: 'get_info',
  query: thumbnailQuery,
  body: null,
  doc: {
    summary: 'Where the picture of a video is',
    tag,
    answers: {
      200: z
        .strictObject({
          video_id: text,
          title: text,
          quality: z.string(),
          thumbnail_url: z.string(),
          all_thumbnails: z.array(z.strictObject({ quality: text, url: text })),
        })
        .meta({ id: 'MezdiaThumbnail' }),
    },
  },
  async handle({ details }, { key, query, res }) {
    const quality = oneOf(QUALITIES, query.quality, 'quality')
    const found = await details.look(key, requireUrl(query.url), patienceOf(res))
    const url = thumbnailOf(found, quality)
    if (url === null) throw new Refusal('not_found', 'Thumbnail not found')
    return {
      video_id: found.id,
      title: found.title,
      quality,
      thumbnail_url: url,
      all_thumbnails: found.thumbnails.slice(-MAX_THUMBNAILS).map(({ id, url: at }) => ({ quality: id, url: at })),
    }
  },
})

const LINES = { best: 'best', worst: 'worst', '720p': 720, '1080p': 1080, '1440p': 1440, '4k': 2160 } as const

const streamQuery = byUrl.extend({
  quality: textField.default('best').meta({ description: `One of ${Object.keys(LINES).join(', ')}` }),
})

const getStream = defineRoute<MezdiaContext, null, null, z.output<typeof streamQuery>>({
  method: 'get',
  path: '/stream/video',
  permission: 'get_info',
  query: streamQuery,
  body: null,
  doc: {
    summary: 'Lead a player to a video',
    description:
      'Leads to one file with picture and sound at the site itself, which may not have the best quality in one.',
    tag,
    answers: { 307: null },
  },
  async handle({ details }, { key, query, res }) {
    const quality = oneOf(Object.keys(LINES) as (keyof typeof LINES)[], query.quality, 'quality')
    const found = await details.look(key, requireUrl(query.url), patienceOf(res))
    if (found.is_live === true)
      throw new Refusal('invalid_request', 'Live streams cannot be downloaded while they are active.')
    const url = streamOf(found, LINES[quality])?.url ?? null
    if (url === null) throw new Refusal('invalid_request', 'No video URL found for streaming')
    res.setHeader('Cache-Control', 'no-cache, no-store, must-revalidate')
    res.location(url).status(307).end()
  },
})

/** What is at an address, without a download. */
export const infoRoutes: readonly AnyRoute<MezdiaContext>[] = [
  getHealth,
  getInfo,
  getFormats,
  getPlaylistInfo,
  getSubtitles,
  getThumbnail,
  getStream,
]
