import { z } from 'zod'
import {
  AVAILABILITIES,
  ENTRIES_PER_CHUNK,
  type Availability,
  type Page,
  type PageEntry,
  type PageFormat,
} from '../domain/page.ts'
import { parseInfo } from './info.ts'
import { inTaskThread } from './thread.ts'

/** A document of that length is read in some ten milliseconds; a longer one would hold up the whole daemon. */
const SMALL_CHARS = 2 ** 20

/** What of one page is kept; more is an attack on the memory. */
const MAX_ENTRIES = 100_000
const MAX_FORMATS = 500
const MAX_LANGUAGES = 500
const MAX_CHAPTERS = 2_000
const MAX_TEXT_CHARS = 1_000
const MAX_URL_CHARS = 4_096

/** How deep lists within lists are looked for; a channel has one level, its tabs. */
const MAX_DEPTH = 3

const text = z.string().nullish().catch(null)
const amount = z.number().nonnegative().nullish().catch(null)
const list = z.array(z.unknown()).nullish().catch(null)
const record = z.record(z.string(), z.unknown()).nullish().catch(null)

const entryFields = z.object({
  _type: text,
  ie_key: text,
  extractor_key: text,
  id: z
    .union([z.string(), z.number().transform(String)])
    .nullish()
    .catch(null),
  url: text,
  webpage_url: text,
  title: text,
  duration: amount,
  upload_date: text,
  timestamp: amount,
  thumbnail: text,
  thumbnails: list,
  availability: text,
  live_status: text,
  entries: list,
})

const pageFields = entryFields.extend({
  uploader: text,
  channel: text,
  formats: list,
  subtitles: record,
  automatic_captions: record,
  chapters: list,
})

const formatFields = z.object({
  format_id: z.string(),
  ext: text,
  width: amount,
  height: amount,
  fps: amount,
  vcodec: text,
  acodec: text,
  tbr: amount,
  filesize: amount,
  filesize_approx: amount,
  format_note: text,
})

const chapterFields = z.object({ title: text, start_time: z.number().nonnegative(), end_time: amount })

type Fields = z.output<typeof entryFields>

/**
 * What an info document that yt-dlp printed says of its page; a long one is read in a thread of its own.
 * Throws TaskError like `parseInfo`, and `too_large`.
 */
export async function readPage(document: string): Promise<Page> {
  if (document.length <= SMALL_CHARS) return pageOf(document)
  return inTaskThread(new URL('./page-worker.ts', import.meta.url), document)
}

/** As `readPage`, here and now. */
export function pageOf(document: string): Page {
  const fields = pageFields.parse(parseInfo(document)) // every field of it has a way out
  const head = {
    id: cut(fields.id),
    extractor: cut(fields.extractor_key),
    url: httpUrl(fields.webpage_url),
    title: cut(fields.title),
    uploader: cut(fields.uploader ?? fields.channel),
  }
  if (fields._type === 'playlist' || fields._type === 'multi_video' || fields.entries) {
    const entries = flatten(fields.entries ?? [], fields.extractor_key ?? null)
    return { ...head, kind: 'playlist', count: entries.length, chunks: chunksOf(entries) }
  }
  return {
    ...head,
    kind: 'video',
    duration: fields.duration ?? null,
    uploadDate: dayOf(fields),
    thumbnail: thumbnailOf(fields),
    liveStatus: cut(fields.live_status),
    archiveId: archiveIdOf(fields, fields.extractor_key ?? null),
    formats: parsedOf(fields.formats, MAX_FORMATS, formatFields).map(formatOf),
    subtitles: { manual: languagesOf(fields.subtitles), automatic: languagesOf(fields.automatic_captions) },
    chapters: parsedOf(fields.chapters, MAX_CHAPTERS, chapterFields).map(({ title, start_time, end_time }) => ({
      title: cut(title),
      start: start_time,
      end: end_time ?? null,
    })),
  }
}

/** All entries in order; those of lists that came along stand in the place of their list. */
function flatten(found: readonly unknown[], extractor: string | null): PageEntry[] {
  const entries: PageEntry[] = []
  const take = (items: readonly unknown[], key: string | null, depth: number) => {
    for (const item of items) {
      if (entries.length >= MAX_ENTRIES) return
      const parsed = entryFields.safeParse(item)
      if (!parsed.success) continue
      const { data } = parsed
      if (!data.entries) entries.push(entryOf(data, entries.length + 1, key))
      else if (depth < MAX_DEPTH) take(data.entries, data.extractor_key ?? key, depth + 1)
    }
  }
  take(found, extractor, 1)
  return entries
}

function entryOf(fields: Fields, position: number, extractor: string | null): PageEntry {
  const kind = isList(fields) ? 'playlist' : 'media'
  return {
    position,
    kind,
    id: cut(fields.id),
    url: httpUrl(fields.url) ?? httpUrl(fields.webpage_url),
    title: cut(fields.title),
    duration: fields.duration ?? null,
    uploadDate: dayOf(fields),
    thumbnail: thumbnailOf(fields),
    availability: availabilityOf(fields),
    archiveId: kind === 'media' ? archiveIdOf(fields, extractor) : null,
  }
}

/** yt-dlp does not say whether a link leads to a list, but names extractors of lists after what they read. */
const isList = ({ ie_key: key }: Fields): boolean =>
  /(?:Tab|Playlist|Channel|User|Album|Series|Season|Show|Set|Collection|Category|Search)(?:IE|List)?$/.test(key ?? '')

/** YouTube has no field for what it no longer shows, only these titles. */
const SUBSTITUTES: Readonly<Record<string, Availability>> = {
  '[Private video]': 'private',
  '[Deleted video]': 'removed',
  '[Unavailable video]': 'removed',
}

function availabilityOf({ title, live_status: live, availability }: Fields): Availability | null {
  const substitute = SUBSTITUTES[title ?? '']
  if (substitute) return substitute
  if (live === 'is_live') return 'live'
  if (live === 'is_upcoming') return 'upcoming'
  return AVAILABILITIES.find((word) => word === availability) ?? null
}

/** As yt-dlp writes it: the extractor's key in lower case and the medium's id. */
function archiveIdOf({ id, ie_key, extractor_key }: Fields, extractor: string | null): string | null {
  const key = ie_key ?? extractor_key ?? extractor
  return key && id ? cut(`${key.toLowerCase()} ${id}`) : null
}

function dayOf({ upload_date: day, timestamp }: Fields): string | null {
  const parts = /^(\d{4})(\d\d)(\d\d)$/.exec(day ?? '')
  if (parts) return parts.slice(1).join('-')
  if (timestamp === null || timestamp === undefined) return null
  const date = new Date(timestamp * 1000)
  return Number.isNaN(date.getTime()) ? null : date.toISOString().slice(0, 10)
}

/** The last one is the largest. */
function thumbnailOf({ thumbnail, thumbnails }: Fields): string | null {
  const last = thumbnails?.at(-1)
  const url = typeof last === 'object' && last !== null && 'url' in last ? last.url : null
  return httpUrl(thumbnail) ?? httpUrl(typeof url === 'string' ? url : null)
}

function formatOf(fields: z.output<typeof formatFields>): PageFormat {
  return {
    id: fields.format_id.slice(0, MAX_TEXT_CHARS),
    ext: cut(fields.ext),
    width: fields.width ?? null,
    height: fields.height ?? null,
    fps: fields.fps ?? null,
    vcodec: fields.vcodec === 'none' ? null : cut(fields.vcodec),
    acodec: fields.acodec === 'none' ? null : cut(fields.acodec),
    bitrate: fields.tbr ?? null,
    size: fields.filesize ?? fields.filesize_approx ?? null,
    note: cut(fields.format_note),
  }
}

/** YouTube's chat is no subtitle, though it stands among them. */
const languagesOf = (captions: Readonly<Record<string, unknown>> | null | undefined): string[] =>
  Object.keys(captions ?? {})
    .filter((language) => language !== 'live_chat')
    .slice(0, MAX_LANGUAGES)
    .map((language) => language.slice(0, MAX_TEXT_CHARS))

function parsedOf<T>(found: readonly unknown[] | null | undefined, most: number, schema: z.ZodType<T>): T[] {
  return (found ?? []).slice(0, most).flatMap((item) => schema.safeParse(item).data ?? [])
}

function chunksOf(entries: readonly PageEntry[]): string[] {
  const count = Math.ceil(entries.length / ENTRIES_PER_CHUNK)
  return Array.from({ length: count }, (_, index) =>
    JSON.stringify(entries.slice(index * ENTRIES_PER_CHUNK, (index + 1) * ENTRIES_PER_CHUNK)),
  )
}

const cut = (value: string | null | undefined): string | null =>
  value === null || value === undefined || value === '' ? null : value.slice(0, MAX_TEXT_CHARS)

function httpUrl(value: string | null | undefined): string | null {
  if (!value || value.length > MAX_URL_CHARS) return null
  const protocol = URL.parse(value)?.protocol
  return protocol === 'http:' || protocol === 'https:' ? value : null
}
