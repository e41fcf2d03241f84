import { z } from 'zod'
import {
  EMBED_WISHES,
  SPONSOR_CATEGORIES,
  SUBTITLE_FORMATS,
  TASK_KINDS,
  WRITE_WISHES,
  type PlaylistWish,
  type TaskRequest,
} from '../../domain/task.ts'
import { isFieldOf, madeKindOf, type KindField } from './kind-fields.ts'

/** What can be made of the entries of a playlist. */
export const ENTRY_KINDS = ['video', 'audio', 'info', 'subtitles', 'thumbnail'] as const

const playlistSchema = z.strictObject({
  kind: z.enum(ENTRY_KINDS),
  items: z.array(z.union([z.number().int(), z.string()])).nullable(),
  date_after: z.string().nullable(),
  date_before: z.string().nullable(),
  min_duration: z.number().nullable(),
  max_duration: z.number().nullable(),
  title: z.string().nullable(),
  limit: z.number().int().nullable(),
  skip_downloaded: z.boolean(),
})

/** What a task was asked for, in the words of `POST /v1/tasks`; what has no meaning for its kind is null. */
export const requestSchema = z
  .strictObject({
    kind: z.enum(TASK_KINDS),
    url: z.string(),
    video_format: z.string().nullable(),
    audio_format: z.string().nullable(),
    container: z.string().nullable(),
    audio_codec: z.string().nullable(),
    audio_bitrate: z.number().nullable(),
    image_format: z.string().nullable(),
    clips: z.array(z.strictObject({ start: z.number().nullable(), end: z.number().nullable() })).nullable(),
    exact_cuts: z.boolean().nullable(),
    chapters: z.union([z.literal('split'), z.array(z.string())]).nullable(),
    embed: z.array(z.enum(EMBED_WISHES)).nullable(),
    write: z.array(z.enum(WRITE_WISHES)).nullable(),
    subtitles: z
      .strictObject({
        languages: z.array(z.string()),
        automatic: z.boolean(),
        format: z.enum(SUBTITLE_FORMATS).nullable(),
      })
      .nullable(),
    sponsorblock: z
      .strictObject({ action: z.enum(['remove', 'mark']), categories: z.array(z.enum(SPONSOR_CATEGORIES)) })
      .nullable(),
    filename: z.string().nullable(),
    live: z.strictObject({ start: z.number(), duration: z.number() }).nullable(),
    site_preset: z.string().nullable(),
    cookies: z.boolean().nullable(),
    playlist: playlistSchema.nullable(),
  })
  .meta({ id: 'TaskRequest', description: 'What was asked for; it can be sent again as it is' })

type RequestBody = z.output<typeof requestSchema>

/** Shows what was asked for, in the shape of `requestSchema`. */
export function requestView(request: TaskRequest): RequestBody {
  const made = madeKindOf(request)
  const only = <T>(field: KindField, value: T): T | null => (isFieldOf(field, made) ? value : null)
  const { chapters, subtitles, sponsorBlock, live, playlist } = request
  return {
    kind: request.kind,
    url: request.url,
    video_format: only('video_format', request.videoFormat),
    // The word for "without sound": null means that nothing was said.
    audio_format: only('audio_format', request.audioFormat ?? 'none'),
    container: only('container', request.outputFormat),
    audio_codec: only('audio_codec', request.outputFormat),
    audio_bitrate: only('audio_bitrate', request.audioBitrate),
    image_format: only('image_format', request.outputFormat),
    clips: only('clips', request.clips.length === 0 ? null : [...request.clips]),
    exact_cuts: only('exact_cuts', request.forceKeyframes),
    chapters: only('chapters', chapters === null || chapters === 'split' ? chapters : [...chapters]),
    embed: only('embed', [...request.embed]),
    write: only('write', [...request.write]),
    subtitles: only('subtitles', { ...subtitles, languages: [...subtitles.languages] }),
    sponsorblock: only('sponsorblock', sponsorBlock && { ...sponsorBlock, categories: [...sponsorBlock.categories] }),
    filename: request.outputFilename,
    live: only('live', live && { ...live }),
    site_preset: request.sitePreset,
    cookies: request.cookies,
    playlist: playlist && playlistView(playlist),
  }
}

function playlistView(wish: PlaylistWish): RequestBody['playlist'] {
  return {
    kind: wish.kind,
    items: wish.items?.map(({ from, to }) => (to === from ? from : `${from}-${to ?? ''}`)) ?? null,
    date_after: wish.dateAfter,
    date_before: wish.dateBefore,
    min_duration: wish.minDuration,
    max_duration: wish.maxDuration,
    title: wish.title,
    limit: wish.limit,
    skip_downloaded: wish.skipDownloaded,
  }
}
