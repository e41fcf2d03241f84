import { z } from 'zod'
import { TaskError } from '../../domain/errors.ts'
import {
  AVAILABILITIES,
  entriesOf,
  type Page,
  type PageEntry,
  type PlaylistPage,
  type VideoPage,
} from '../../domain/page.ts'
import { urlField } from '../fields.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { limitField } from './list.ts'
import { sitePresetField } from './task-fields.ts'

const infoQuery = z.strictObject({
  url: urlField.meta({
    description: 'A video, a playlist or a channel',
    example: 'https://www.youtube.com/@simchannel',
  }),
  site_preset: sitePresetField.optional().meta({ description: "The operator's preset for the site" }),
  cookies: z
    .enum(['true', 'false'], { error: 'cookies must be true or false' })
    .default('true')
    .meta({ description: "Use the key's cookies of the site where there are some" }),
  limit: limitField.meta({ description: 'Most entries of a playlist in one answer' }),
  cursor: z
    .string()
    .regex(/^\d{1,6}$/, 'cursor must be what an answer had as next')
    .transform(Number)
    .default(0)
    .meta({ description: '`next` of the answer before' }),
})

const name = z.string().nullable()
const day = z.string().nullable().meta({ description: 'YYYY-MM-DD', example: '2024-05-17' })

const entrySchema = z
  .strictObject({
    position: z.int().meta({ description: 'Place in the playlist, from 1' }),
    kind: z
      .enum(['media', 'playlist'])
      .meta({ description: '`playlist`: a list of its own, such as a tab of a channel' }),
    id: name,
    url: name,
    title: name,
    duration: z.number().nullable().meta({ description: 'Seconds' }),
    upload_date: day,
    thumbnail: name,
    availability: z
      .enum(AVAILABILITIES)
      .nullable()
      .meta({ description: 'What the list tells of who can have it; null when it tells nothing' }),
  })
  .meta({ id: 'PlaylistEntry', description: 'One line of a playlist; null is what the list does not tell' })

const playlistInfo = z
  .strictObject({
    kind: z.literal('playlist'),
    id: name,
    extractor: name,
    url: name,
    title: name,
    uploader: name,
    count: z.int().meta({ description: 'Entries in all' }),
    items: z.array(entrySchema),
    next: z.string().nullable().meta({ description: 'Send it as cursor for the next entries; null after the last' }),
  })
  .meta({ id: 'PlaylistInfo', description: 'A playlist or channel, some entries at a time' })

const formatSchema = z
  .strictObject({
    id: z.string().meta({ description: 'Can be asked for as `video_format` or `audio_format`' }),
    ext: name,
    width: z.number().nullable(),
    height: z.number().nullable(),
    fps: z.number().nullable(),
    vcodec: z.string().nullable().meta({ description: 'Null when there is no picture, or nobody says' }),
    acodec: z.string().nullable().meta({ description: 'Null when there is no sound, or nobody says' }),
    bitrate: z.number().nullable().meta({ description: 'kbit/s' }),
    size: z.number().nullable().meta({ description: 'Bytes; may be the estimate of the site' }),
    note: name,
  })
  .meta({ id: 'MediaFormat', description: 'One of the forms that a medium can be had in' })

const videoInfo = z
  .strictObject({
    kind: z.literal('video'),
    id: name,
    extractor: name,
    url: name,
    title: name,
    uploader: name,
    duration: z.number().nullable().meta({ description: 'Seconds' }),
    upload_date: day,
    thumbnail: name,
    live_status: z.string().nullable().meta({ description: "yt-dlp's word, such as `not_live` or `is_live`" }),
    formats: z.array(formatSchema).meta({ description: 'From the worst to the best' }),
    subtitles: z
      .strictObject({ manual: z.array(z.string()), automatic: z.array(z.string()) })
      .meta({ description: 'Languages: those that somebody wrote, those that the site makes' }),
    chapters: z.array(
      z.strictObject({ title: name, start: z.number(), end: z.number().nullable() }).meta({ description: 'Seconds' }),
    ),
  })
  .meta({ id: 'VideoInfo', description: 'A single medium, video or sound' })

const infoSchema = z
  .discriminatedUnion('kind', [videoInfo, playlistInfo])
  .meta({ id: 'Info', description: 'What is at a URL' })

type InfoQuery = z.output<typeof infoQuery>

/** `GET /v1/info?url=`: what is at a URL, at once. */
const getInfo = defineRoute<V1Context, null, null, InfoQuery>({
  method: 'get',
  path: '/info',
  permission: 'get_info',
  counts: true,
  query: infoQuery,
  body: null,
  doc: {
    summary: 'Look at a URL',
    description:
      'Answers with what is there: a medium with its formats, or a playlist with its entries, some at a time. Nothing is ' +
      'downloaded and no task is made. Calls for the same URL at the same time share one look, which is used again for ' +
      'a while. `extraction_failed` begins its message with the error code that a task would have ended with.',
    tag: 'Info',
    answers: { 200: infoSchema },
  },
  async handle({ lookups }, { key, query, res }) {
    const gone = new AbortController()
    res.once('close', () => gone.abort(new TaskError('cancelled', 'the client is gone')))
    const look = { url: query.url, sitePreset: query.site_preset ?? null, cookies: query.cookies === 'true' }
    const page = await lookups.look(key, look, gone.signal)
    return infoView(page, query)
  },
})

function infoView(page: Page, { cursor, limit }: InfoQuery): z.input<typeof infoSchema> {
  return page.kind === 'video' ? videoView(page) : playlistView(page, cursor, limit)
}

const headOf = ({ id, extractor, url, title, uploader }: Page) => ({ id, extractor, url, title, uploader })

function videoView(page: VideoPage): z.input<typeof videoInfo> {
  return {
    kind: page.kind,
    ...headOf(page),
    duration: page.duration,
    upload_date: page.uploadDate,
    thumbnail: page.thumbnail,
    live_status: page.liveStatus,
    formats: [...page.formats],
    subtitles: { manual: [...page.subtitles.manual], automatic: [...page.subtitles.automatic] },
    chapters: [...page.chapters],
  }
}

function playlistView(page: PlaylistPage, from: number, limit: number): z.input<typeof playlistInfo> {
  const to = Math.min(from + limit, page.count)
  return {
    kind: page.kind,
    ...headOf(page),
    count: page.count,
    items: entriesOf(page, from, to).map(entryView),
    next: to < page.count ? String(to) : null,
  }
}

const entryView = (entry: PageEntry): z.input<typeof entrySchema> => ({
  position: entry.position,
  kind: entry.kind,
  id: entry.id,
  url: entry.url,
  title: entry.title,
  duration: entry.duration,
  upload_date: entry.uploadDate,
  thumbnail: entry.thumbnail,
  availability: entry.availability,
})

/** What is at a URL. */
export const infoRoutes: readonly AnyRoute<V1Context>[] = [getInfo]
