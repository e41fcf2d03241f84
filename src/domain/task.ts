import type { TaskErrorCode } from './errors.ts'

/** What a task makes. A `post` is all media of one page, pictures too; a `playlist` makes other tasks, one for each of its entries. */
export const TASK_KINDS = [
  'video',
  'audio',
  'live_video',
  'live_audio',
  'info',
  'subtitles',
  'thumbnail',
  'post',
  'playlist',
] as const
export type TaskKind = (typeof TASK_KINDS)[number]

/** The states of a task's life; the last three are final. */
export const TASK_STATES = ['waiting', 'processing', 'completed', 'error', 'cancelled'] as const
export type TaskState = (typeof TASK_STATES)[number]
export type FinalState = 'completed' | 'error' | 'cancelled'

/** Whether nothing can happen to such a task any more, unless it is tried again by hand. */
export const isFinal = (state: TaskState): state is FinalState =>
  state === 'completed' || state === 'error' || state === 'cancelled'

/** What a client wants, whatever face it came through. Seconds and bytes throughout. */
export type TaskRequest = Readonly<{
  kind: TaskKind
  url: string
  /** yt-dlp selector of the picture; ignored by audio kinds. */
  videoFormat: string
  /** yt-dlp selector of the sound; null = a video without sound. */
  audioFormat: string | null
  /** Parts of the medium to cut out, each a file of its own; none = all of it. */
  clips: readonly Clip[]
  /** Make a file of each of the medium's own chapters, or of those with these titles; null = chapters do not matter. */
  chapters: 'split' | readonly string[] | null
  /** Cut exactly (re-encodes) instead of at the nearest key frames. */
  forceKeyframes: boolean
  /** Container of a video, codec of a sound; null = as it comes. */
  outputFormat: string | null
  /** Base name offered to whoever downloads the file. */
  outputFilename: string | null
  /** Live kinds: how far back from now to begin, and how long to record. */
  live: Readonly<{ start: number; duration: number }> | null
  /** kbit/s of a sound that is encoded; null = what the encoder is known to do well. */
  audioBitrate: number | null
  /** What becomes part of the file. */
  embed: readonly EmbedWish[]
  /** What is kept as a file beside it. */
  write: readonly WriteWish[]
  /** Which subtitles are meant by `embed`, `write` and the kind `subtitles`. */
  subtitles: SubtitleWish
  /** Parts that SponsorBlock's users marked; null = nobody is asked. */
  sponsorBlock: Readonly<{ action: 'remove' | 'mark'; categories: readonly SponsorCategory[] }> | null
  /** The operator's preset for the site; null = the one that stands for the site by itself, if any. */
  sitePreset: string | null
  /** Use the key's cookies of the site, where it has some. */
  cookies: boolean
  /** Kind `playlist`: which entries, and what is made of each. */
  playlist: PlaylistWish | null
  /** Kind `post`: which of its media; null = all of them. */
  post: PostWish | null
}>

/** From when to when, in seconds; null = from the beginning, to the end. */
export type Clip = Readonly<{ start: number | null; end: number | null }>

export const EMBED_WISHES = ['subtitles', 'thumbnail', 'metadata', 'chapters'] as const
export type EmbedWish = (typeof EMBED_WISHES)[number]

export const WRITE_WISHES = ['subtitles', 'thumbnail', 'info'] as const
export type WriteWish = (typeof WRITE_WISHES)[number]

export const SUBTITLE_FORMATS = ['srt', 'vtt', 'ass', 'lrc'] as const
export type SubtitleFormat = (typeof SUBTITLE_FORMATS)[number]

export type SubtitleWish = Readonly<{
  /** Language tags as the site spells them, or `all`. */
  languages: readonly string[]
  /** Take those that the site makes by machine where there are no others. */
  automatic: boolean
  /** null = as the site has them. */
  format: SubtitleFormat | null
}>

/** SponsorBlock's own words. */
export const SPONSOR_CATEGORIES = [
  'sponsor',
  'intro',
  'outro',
  'selfpromo',
  'preview',
  'filler',
  'interaction',
  'music_offtopic',
] as const
export type SponsorCategory = (typeof SPONSOR_CATEGORIES)[number]

export type PostWish = Readonly<{
  pick: 'all' | 'videos' | 'images'
  /** Most lines of a video; null = as many as there are. */
  maxLines: number | null
  /** Write beside the media what is told of the post. */
  metadata: boolean
}>

export type PlaylistWish = Readonly<{
  /** What is made of each entry, with the other fields of the request. */
  kind: 'video' | 'audio' | 'info' | 'subtitles' | 'thumbnail'
  /** Places in the playlist, from 1: single ones and ranges (to the end where `to` is null); null = all. */
  items: readonly Readonly<{ from: number; to: number | null }>[] | null
  /** Days, `YYYY-MM-DD`; an entry whose day is unknown passes. */
  dateAfter: string | null
  dateBefore: string | null
  /** Seconds; an entry whose duration is unknown passes. */
  minDuration: number | null
  maxDuration: number | null
  /** Text that the title contains, whatever the case. */
  title: string | null
  /** At most so many entries of those that are left. */
  limit: number | null
  /** Leave out what the key's archive has. */
  skipDownloaded: boolean
}>

/** What a request says that nobody asked for. */
export const REQUEST_DEFAULTS = {
  videoFormat: 'bestvideo',
  audioFormat: 'bestaudio',
  clips: [],
  chapters: null,
  forceKeyframes: false,
  outputFormat: null,
  outputFilename: null,
  live: null,
  audioBitrate: null,
  embed: [],
  write: [],
  subtitles: { languages: ['en'], automatic: false, format: null },
  sponsorBlock: null,
  sitePreset: null,
  cookies: true,
  playlist: null,
  post: null,
} as const satisfies Omit<TaskRequest, 'kind' | 'url'>

/** What a task tells others about its end. */
export type Webhook = Readonly<{ url: string; events: readonly WebhookEvent[] }>

/** The ends that are told; `batch.completed` is told once, when the last task of a batch or playlist has ended. */
export const WEBHOOK_EVENTS = ['task.completed', 'task.failed', 'task.cancelled', 'batch.completed'] as const
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number]

/** A task as it is stored. Times are milliseconds since the epoch. */
export type Task = Readonly<{
  id: string
  /** The key that made it; only that key sees it. */
  keyId: string
  keyName: string
  request: TaskRequest
  /** The body's own fields as the client sent them, for faces that show them again. */
  sent: Readonly<Record<string, unknown>>
  state: TaskState
  /** Raised by every claim; what a run may settle is bound to it. */
  attempt: number
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
  /** Not to be claimed before; null = at once. */
  notBefore: number | null
  /** Why a waiting task waits although there is room: an error code of the attempt before, or a word of the queue. */
  waitReason: string | null
  errorCode: TaskErrorCode | null
  errorMessage: string | null
  /** The finished file that was asked for, always the first of `files`. */
  file: TaskFile | null
  /** Every finished file. */
  files: readonly TaskFile[]
  /** What the site calls the medium; null until it is known. */
  title: string | null
  /** Higher ones of the same key run first; 0 is usual. */
  priority: number
  /** What it was submitted together with: a batch, or the playlist task that made it (and that task itself). */
  batchId: string | null
  /** Place in its batch or playlist, from 1. */
  position: number | null
  /** What skips it in a playlist once it is completed: the site's own id of the medium. */
  archiveId: string | null
  webhook: Webhook | null
  /** Milliseconds that it stays after its end; left out = as long as the daemon says. */
  retentionMs?: number | null
}>

export const FILE_KINDS = ['video', 'audio', 'image', 'info', 'subtitles', 'thumbnail', 'playlist'] as const
export type FileKind = (typeof FILE_KINDS)[number]

/** What the main file of a task of this kind is. */
export function fileKindOf(kind: TaskKind): FileKind {
  switch (kind) {
    case 'live_video':
      return 'video'
    case 'live_audio':
      return 'audio'
    case 'post':
      return 'image'
    case 'video':
    case 'audio':
    case 'info':
    case 'subtitles':
    case 'thumbnail':
    case 'playlist':
      return kind
  }
}

/** A finished file of a task: `downloads/<task id>/<name>`. */
export type TaskFile = Readonly<{
  name: string
  size: number
  kind: FileKind
  /** Seconds. */
  duration: number | null
  /** Pixels. */
  width: number | null
  height: number | null
  /** What a client should know of it, such as why a recording is shorter than asked for. */
  note: string | null
  /** Hex; where somebody has asked for it. */
  sha256?: string
}>

/** What the running attempt has done so far; kept in memory only. */
export type TaskProgress = Readonly<{
  phase: 'extracting' | 'downloading' | 'recording' | 'processing' | 'publishing'
  /** 0–100, null when unknown. */
  percent: number | null
  /** Bytes a second. */
  speed: number | null
  /** Seconds to go. */
  eta: number | null
  downloadedBytes: number | null
  totalBytes: number | null
}>

/** What a successful attempt made; the file that was asked for comes first. */
export type TaskResult = Readonly<{ files: readonly [TaskFile, ...TaskFile[]]; title: string | null }>

/** How an attempt ended. `retry` puts the task back into the queue, everything else is final. */
export type Outcome =
  | (Readonly<{ kind: 'completed' }> & TaskResult)
  | Readonly<{ kind: 'error'; code: TaskErrorCode; message: string }>
  | Readonly<{ kind: 'cancelled' }>
  | Readonly<{
      kind: 'retry'
      code: TaskErrorCode
      message: string
      /** Milliseconds since the epoch. */
      at: number
      /** False where the attempt was not the task's fault: a drain, a full disk. */
      counts: boolean
    }>
