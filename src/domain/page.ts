/** What a flat list may tell of an entry before anybody opened it: why it cannot be had, or who can have it. */
export const AVAILABILITIES = [
  'private',
  'removed',
  'live',
  'upcoming',
  'premium_only',
  'subscriber_only',
  'needs_auth',
  'unlisted',
  'public',
] as const
export type Availability = (typeof AVAILABILITIES)[number]

/** One line of a playlist. What the site does not tell is null. */
export type PageEntry = Readonly<{
  /** From 1, in the order of the site. */
  position: number
  /** A `playlist` is a list of its own, such as a channel's tab. */
  kind: 'media' | 'playlist'
  id: string | null
  /** http(s); null where yt-dlp knows the entry by something else. */
  url: string | null
  title: string | null
  /** Seconds. */
  duration: number | null
  /** `YYYY-MM-DD`. */
  uploadDate: string | null
  thumbnail: string | null
  availability: Availability | null
  /** The line a download archive of yt-dlp has for it. */
  archiveId: string | null
}>

/** What every page tells of itself. */
type PageHead = Readonly<{
  id: string | null
  extractor: string | null
  url: string | null
  title: string | null
  uploader: string | null
}>

/** A playlist or channel; `entriesOf` reads its entries. */
export type PlaylistPage = PageHead &
  Readonly<{
    kind: 'playlist'
    count: number
    /** JSON arrays of `ENTRIES_PER_CHUNK` entries each. */
    chunks: readonly string[]
  }>

/** A single medium. */
export type VideoPage = PageHead &
  Readonly<{
    kind: 'video'
    duration: number | null
    uploadDate: string | null
    thumbnail: string | null
    liveStatus: string | null
    archiveId: string | null
    formats: readonly PageFormat[]
    subtitles: Readonly<{ manual: readonly string[]; automatic: readonly string[] }>
    chapters: readonly Readonly<{ title: string | null; start: number; end: number | null }>[]
  }>

/** What is at a URL. */
export type Page = VideoPage | PlaylistPage

/** One of the forms a medium can be had in. */
export type PageFormat = Readonly<{
  id: string
  ext: string | null
  /** Pixels. */
  width: number | null
  height: number | null
  fps: number | null
  /** Null where there is no picture, or no sound, or nobody says. */
  vcodec: string | null
  acodec: string | null
  /** kbit/s. */
  bitrate: number | null
  /** Bytes, the site's own estimate where it does not tell exactly. */
  size: number | null
  note: string | null
}>

/** Entries that are read at a time: a fraction of a millisecond. */
export const ENTRIES_PER_CHUNK = 200

/** Entries `from` (from 0) up to, not with, `to`. */
export function entriesOf({ chunks }: PlaylistPage, from: number, to: number): PageEntry[] {
  const first = Math.floor(from / ENTRIES_PER_CHUNK)
  const entries = chunks
    .slice(first, Math.ceil(to / ENTRIES_PER_CHUNK))
    .flatMap((chunk) => JSON.parse(chunk) as PageEntry[])
  return entries.slice(from - first * ENTRIES_PER_CHUNK, to - first * ENTRIES_PER_CHUNK)
}
