import type { TaskErrorCode } from './errors.ts'

/** What a task makes. The core face spells them with `get_` in front. */
export const TASK_KINDS = ['video', 'audio', 'live_video', 'live_audio', 'info'] as const
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
  /** Part of the medium to cut out; null = from the beginning, to the end. */
  clip: Readonly<{ start: number | null; end: number | null }> | null
  /** Cut exactly (re-encodes) instead of at the nearest key frames. */
  forceKeyframes: boolean
  /** Container of a video, codec of a sound; null = as it comes. */
  outputFormat: string | null
  /** Base name offered to whoever downloads the file. */
  outputFilename: string | null
  /** Live kinds: how far back from now to begin, and how long to record. */
  live: Readonly<{ start: number; duration: number }> | null
}>

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
  file: TaskFile | null
}>

/** The finished file of a task: `downloads/<task id>/<name>`. */
export type TaskFile = Readonly<{
  name: string
  size: number
  duration: number | null
  /** What a client should know of it, such as why a recording is shorter than asked for. */
  note: string | null
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

/** How an attempt ended. `retry` puts the task back into the queue, everything else is final. */
export type Outcome =
  | Readonly<{ kind: 'completed'; file: TaskFile }>
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
