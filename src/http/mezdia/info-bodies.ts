import { z } from 'zod'
import type { Captions, DetailedFormat, DetailedMedium, Details } from '../../domain/details.ts'
import { hasPicture, hasSound } from '../../domain/social-post.ts'

const text = z.string().nullable()
const number = z.number().nullable()

const MAX_DESCRIPTION_CHARS = 500
const THUMBNAILS_SHOWN = 3

const videoFields = {
  id: text,
  title: text,
  description: text,
  duration: number,
  duration_string: text,
  view_count: number,
  upload_date: text,
  channel: text,
  channel_id: text,
  channel_url: text,
  channel_subscriber_count: number,
  thumbnail: text,
  thumbnails: z.array(z.strictObject({ url: text, width: number, height: number })),
  webpage_url: text,
  is_live: z.boolean(),
  age_limit: z.number(),
}

export const videoSchema = z.strictObject({ type: z.literal('video'), ...videoFields }).meta({ id: 'MezdiaVideo' })
const entrySchema = z.strictObject(videoFields).meta({ id: 'MezdiaEntry' })
type VideoBody = z.input<typeof entrySchema>

export const playlistSchema = z
  .strictObject({
    type: z.literal('playlist'),
    playlist_id: text,
    playlist_title: text,
    playlist_count: z.number(),
    uploader: text,
    videos: z.array(entrySchema),
  })
  .meta({ id: 'MezdiaPlaylist' })

/** What is known of a video, as `/info` shows it. */
export function videoBody(medium: DetailedMedium): VideoBody {
  return {
    id: medium.id,
    title: medium.title,
    description: medium.description?.slice(0, MAX_DESCRIPTION_CHARS) ?? null,
    duration: medium.duration,
    duration_string: medium.duration_string,
    view_count: medium.view_count,
    upload_date: medium.upload_date,
    channel: medium.channel,
    channel_id: medium.channel_id,
    channel_url: medium.channel_url,
    channel_subscriber_count: medium.channel_follower_count,
    thumbnail: medium.thumbnail,
    thumbnails: medium.thumbnails.slice(-THUMBNAILS_SHOWN).map(({ url, width, height }) => ({ url, width, height })),
    webpage_url: medium.webpage_url,
    is_live: medium.is_live ?? false,
    age_limit: medium.age_limit ?? 0,
  }
}

const formatSchema = z
  .strictObject({
    format_id: z.string(),
    ext: text,
    resolution: text,
    fps: number,
    vcodec: text,
    acodec: text,
    filesize: number,
    filesize_approx: number,
    format_note: text,
    quality: number,
    tbr: number,
    vbr: number,
    abr: number,
  })
  .meta({ id: 'MezdiaFormat' })

export const formatsSchema = z
  .strictObject({
    video_id: text,
    title: text,
    formats: z.strictObject({
      video_only: z.array(formatSchema),
      audio_only: z.array(formatSchema),
      combined: z.array(formatSchema),
    }),
    recommended: z.record(z.string(), z.string()),
  })
  .meta({ id: 'MezdiaFormats' })

/** Selectors of yt-dlp, the same for every video. */
const RECOMMENDED = {
  best_video: 'bestvideo+bestaudio/best',
  best_audio: 'bestaudio/best',
  '720p': 'bestvideo[height<=720]+bestaudio',
  '1080p': 'bestvideo[height<=1080]+bestaudio',
} as const

/** The forms a video can be had in, by what is in them; what has neither picture nor sound is left out. */
export function formatsBody({ id, title, formats }: Details): z.input<typeof formatsSchema> {
  const where = (wanted: (format: DetailedFormat) => boolean) => formats.filter(wanted).map(formatBody)
  return {
    video_id: id,
    title,
    formats: {
      video_only: where((format) => hasPicture(format) && !hasSound(format)),
      audio_only: where((format) => !hasPicture(format) && hasSound(format)),
      combined: where((format) => hasPicture(format) && hasSound(format)),
    },
    recommended: RECOMMENDED,
  }
}

function formatBody(format: DetailedFormat): z.input<typeof formatSchema> {
  return {
    format_id: format.format_id,
    ext: format.ext,
    resolution: format.resolution,
    fps: format.fps,
    vcodec: format.vcodec,
    acodec: format.acodec,
    filesize: format.filesize,
    filesize_approx: format.filesize_approx,
    format_note: format.format_note,
    quality: format.quality,
    tbr: format.tbr,
    vbr: format.vbr,
    abr: format.abr,
  }
}

const captionSchema = z.strictObject({ ext: text, url: text })
const captionsSchema = z.record(z.string(), z.array(captionSchema))

export const allSubtitlesSchema = z
  .strictObject({
    video_id: text,
    title: text,
    manual_subtitles: z.array(z.string()),
    auto_generated_subtitles: z.array(z.string()),
    subtitle_details: captionsSchema,
    auto_subtitle_details: captionsSchema,
  })
  .meta({ id: 'MezdiaSubtitles' })

export const someSubtitlesSchema = z
  .strictObject({
    video_id: text,
    title: text,
    language: z.string(),
    is_auto_generated: z.boolean(),
    formats: z.array(captionSchema),
  })
  .meta({ id: 'MezdiaSubtitlesOfLanguage' })

const listed = (captions: Captions) =>
  Object.fromEntries(Object.entries(captions).map(([language, forms]) => [language, [...forms]]))

/** The subtitles of a video in all languages. */
export const allSubtitlesBody = (details: Details): z.input<typeof allSubtitlesSchema> => ({
  video_id: details.id,
  title: details.title,
  manual_subtitles: Object.keys(details.subtitles),
  auto_generated_subtitles: Object.keys(details.automatic_captions),
  subtitle_details: listed(details.subtitles),
  auto_subtitle_details: listed(details.automatic_captions),
})

/** Those in one language, made by people where there are any; null when there are none. */
export function someSubtitlesBody(details: Details, language: string): z.input<typeof someSubtitlesSchema> | null {
  const { id, title, subtitles, automatic_captions: automatic } = details
  const manual = Object.hasOwn(subtitles, language) ? subtitles[language] : undefined
  const forms = manual ?? (Object.hasOwn(automatic, language) ? automatic[language] : undefined)
  if (forms === undefined) return null
  return { video_id: id, title, language, is_auto_generated: manual === undefined, formats: [...forms] }
}
