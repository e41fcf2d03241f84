/** One of the forms a medium can be had in, by yt-dlp's own names. A codec is `none` where there is no such track. */
export type DetailedFormat = Readonly<{
  format_id: string
  url: string | null
  ext: string | null
  resolution: string | null
  protocol: string | null
  format_note: string | null
  vcodec: string | null
  acodec: string | null
  width: number | null
  height: number | null
  fps: number | null
  quality: number | null
  tbr: number | null
  vbr: number | null
  abr: number | null
  filesize: number | null
  filesize_approx: number | null
}>

/** Addresses of subtitles by language. */
export type Captions = Readonly<Record<string, readonly Readonly<{ ext: string | null; url: string | null }>[]>>

/** A medium by the names that yt-dlp has for what it tells; null = it does not. Formats and pictures: the best comes last. */
export type DetailedMedium = Readonly<{
  id: string | null
  title: string | null
  description: string | null
  duration: number | null
  duration_string: string | null
  view_count: number | null
  like_count: number | null
  comment_count: number | null
  /** `YYYYMMDD`. */
  upload_date: string | null
  /** Seconds since the epoch. */
  timestamp: number | null
  channel: string | null
  channel_id: string | null
  channel_url: string | null
  channel_follower_count: number | null
  uploader: string | null
  uploader_id: string | null
  thumbnail: string | null
  thumbnails: readonly Readonly<{
    id: string | null
    url: string | null
    width: number | null
    height: number | null
  }>[]
  webpage_url: string | null
  /** Of an entry that was not opened, where it leads. */
  url: string | null
  extractor_key: string | null
  is_live: boolean | null
  live_status: string | null
  age_limit: number | null
  width: number | null
  height: number | null
  fps: number | null
  formats: readonly DetailedFormat[]
  subtitles: Captions
  automatic_captions: Captions
}>

/** What yt-dlp tells of a page, far more than most faces show. */
export type Details = DetailedMedium &
  Readonly<{
    playlist_count: number | null
    /** Null unless the page has several media, such as a carousel or a playlist. */
    entries: readonly DetailedMedium[] | null
  }>
