import { z } from 'zod'
import type { Details } from '../domain/details.ts'
import { parseInfo } from './info.ts'
import { inTaskThread } from './thread.ts'

/** A document of that length is read in some ten milliseconds; a longer one would hold up the whole daemon. */
const SMALL_CHARS = 2 ** 20

/** What of one document is kept; more is an attack on the memory. */
const MAX_FORMATS = 500
const MAX_THUMBNAILS = 100
const MAX_LANGUAGES = 500
const MAX_ENTRIES = 200
const MAX_TEXT_CHARS = 5_000
const MAX_URL_CHARS = 4_096

const text = z
  .string()
  .transform((value) => value.slice(0, MAX_TEXT_CHARS))
  .nullish()
  .transform((value) => value ?? null)
  .catch(null)
const id = z
  .union([z.string(), z.number()])
  .transform((value) => String(value).slice(0, MAX_TEXT_CHARS))
  .nullish()
  .transform((value) => value ?? null)
  .catch(null)
const number = z
  .number()
  .nullish()
  .transform((value) => value ?? null)
  .catch(null)
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? null)
  .catch(null)
const url = z
  .string()
  .max(MAX_URL_CHARS)
  .refine((value) => /^https?:\/\//i.test(value))
  .nullish()
  .transform((value) => value ?? null)
  .catch(null)

/** The items of a list that are what they should be; one that is not takes no other with it. */
const some = <T>(item: z.ZodType<T>, most: number) =>
  z
    .array(z.unknown())
    .nullish()
    .catch(null)
    .transform((items) => (items ?? []).slice(0, most).flatMap((found) => item.safeParse(found).data ?? []))

const thumbnail = z.object({ id, url, width: number, height: number })

const format = z.object({
  format_id: z.string().max(200),
  url,
  ext: text,
  resolution: text,
  protocol: text,
  format_note: text,
  vcodec: text,
  acodec: text,
  width: number,
  height: number,
  fps: number,
  quality: number,
  tbr: number,
  vbr: number,
  abr: number,
  filesize: number,
  filesize_approx: number,
})

const captions = z
  .record(z.string(), some(z.object({ ext: text, url }), 20))
  .nullish()
  .catch(null)
  // YouTube's chat is no subtitle, though it stands among them.
  .transform((found) => Object.entries(found ?? {}).filter(([language]) => language !== 'live_chat'))
  .transform((found) => Object.fromEntries(found.slice(0, MAX_LANGUAGES)))

const medium = z.object({
  id,
  title: text,
  description: text,
  duration: number,
  duration_string: text,
  view_count: number,
  like_count: number,
  comment_count: number,
  upload_date: text,
  timestamp: number,
  channel: text,
  channel_id: text,
  channel_url: text,
  channel_follower_count: number,
  uploader: text,
  uploader_id: id,
  thumbnail: url,
  thumbnails: some(thumbnail, MAX_THUMBNAILS),
  webpage_url: url,
  url,
  extractor_key: text,
  is_live: flag,
  live_status: text,
  age_limit: number,
  width: number,
  height: number,
  fps: number,
  formats: some(format, MAX_FORMATS),
  subtitles: captions,
  automatic_captions: captions,
})

const document = medium.extend({
  _type: text,
  playlist_count: number,
  entries: z.array(z.unknown()).nullish().catch(null),
})

/**
 * What an info document that yt-dlp printed tells of its page; a long one is read in a thread of its own. Throws TaskError
 * like `parseInfo`, and `too_large`.
 */
export async function readDetails(printed: string): Promise<Details> {
  if (printed.length <= SMALL_CHARS) return detailsOf(printed)
  return inTaskThread(new URL('./details-worker.ts', import.meta.url), printed)
}

/** As `readDetails`, here and now. */
export function detailsOf(printed: string): Details {
  const { _type: type, entries, ...fields } = document.parse(parseInfo(printed)) // every field of it has a way out
  const isList = type === 'playlist' || type === 'multi_video' || (entries ?? null) !== null
  const found = (entries ?? []).slice(0, MAX_ENTRIES).flatMap((entry) => medium.safeParse(entry).data ?? [])
  return { ...fields, entries: isList ? found : null }
}
