import { TaskError } from '../domain/errors.ts'
import { classifyFailure } from './failure.ts'
import { ffmpegRun, progressSeconds, WRITE_ERROR } from './ffmpeg.ts'
import { finishRecording, recordingFile, writeNote, type FinishedRecording, type RecordingNote } from './live-finish.ts'
import {
  chooseStart,
  chooseVariant,
  findSegment,
  parsePlaylist,
  secondsBetween,
  type LiveStart,
  type MediaPlaylist,
} from './live-playlist.ts'
import { liveSourceOf, type LiveTrack } from './live-source.ts'
import { localInput, type MediaContext } from './probe.ts'
import type { ToolExit, ToolRunner } from './tool.ts'

/** A recording to be made. */
export type LiveRequest = MediaContext &
  Readonly<{
    /** What yt-dlp printed with -J, parsed. */
    info: unknown
    kind: 'video' | 'audio'
    /** Seconds back from the newest there is; 0 = from now. */
    startSeconds: number
    durationSeconds: number
    proxyUrl: string | null
    /** Gets a text by way of the egress policy. */
    fetchText: (url: string, headers: Readonly<Record<string, string>>) => Promise<string>
    /** Ends the recording early and keeps it. */
    interrupt?: AbortSignal
    /** Seconds without anything new before the recording ends; 30 when left out, never less than three segments. */
    stallSeconds?: number
    /** Seconds recorded so far. */
    onRecorded?: (seconds: number) => void
  }>

export type EndedEarly = 'ended' | 'stopped' | 'interrupted_by_network' | 'stalled'

/** A recording that was made. */
export type LiveRecording = FinishedRecording &
  Readonly<{
    /** Why it is shorter than asked for; null when it is not. */
    endedEarly: EndedEarly | null
    /** Seconds before the newest there was when it began. */
    startedSecondsBack: number
    /** The stream did not reach back as far as was asked for: it begins with the oldest there was. */
    startClipped: boolean
  }>

const STALL_SECONDS = 30
const WATCH_EVERY_MS = 250
/** What ffmpeg gets to write its last cluster after SIGINT; one that waits for a playlist does not hear it at all. */
const INTERRUPT_GRACE_MS = 3000
/** Seconds without a byte from the network before ffmpeg gives one request up. */
const REQUEST_SECONDS = 20

/**
 * Records a running broadcast: HLS, or media that comes without an end over plain HTTP. Begins with the segment that
 * holds the moment asked for and is as long as asked for, or shorter when the stream ends, stops moving, is lost or
 * `interrupt` comes: what there is then is kept, and the result says why. `timeoutMs` has to exceed the duration.
 *
 * Throws TaskError: `not_live` for what has an end already, `cancelled` when `signal` comes (nothing is finished, the
 * recording stays in `workDir` for `salvageRecording`), and when nothing at all was recorded `cancelled`, `stalled`,
 * `live_ended` or the network's failure.
 */
export async function recordLive(runner: ToolRunner, request: LiveRequest): Promise<LiveRecording> {
  const source = liveSourceOf(request.info, request.kind)
  const inputs = await Promise.all(source.tracks.map((track) => openTrack(track, source.isLive, request)))
  const lead = Math.max(0, ...inputs.map((input) => leadOf(input.start, null)))
  const note: RecordingNote = { kind: request.kind, lead, duration: request.durationSeconds }
  await writeNote(request.workDir, note)
  const watch = await record(runner, request, { inputs, note })
  const finished = await finishRecording(runner, withoutInterrupt(request), watch.note)
  const end = await endOf(watch, request, finished?.recordedSeconds ?? 0)
  if (finished === null) throw nothingRecorded(watch, end)
  const [main] = watch.inputs
  return {
    ...finished,
    endedEarly: end,
    startedSecondsBack: main?.start == null ? 0 : secondsBack(main.start, main.first),
    startClipped: inputs.some(({ start }) => start?.isClipped === true),
  }
}

/** One input of ffmpeg. `first`: the segment that ffmpeg opened first, once that is known. */
type Input = {
  readonly track: LiveTrack
  readonly start: LiveStart | null
  readonly targetSeconds: number
  first: number | null
}

type Watch = {
  readonly inputs: readonly Input[]
  note: RecordingNote
  exit: ToolExit
  isStalled: boolean
  hasNetworkError: boolean
  /** Lines that may still tell what ffmpeg opened first. */
  lookUps: number
}

async function openTrack(track: LiveTrack, isLive: boolean | null, request: LiveRequest): Promise<Input> {
  if (!track.isHls) {
    if (isLive !== true) throw new TaskError('not_live', 'not a live stream')
    return { track, start: null, targetSeconds: 0, first: null }
  }
  const { url, playlist } = await fetchMediaPlaylist(track, request)
  if (playlist.isEnded) throw new TaskError('not_live', 'not a live stream: its playlist has an end')
  if (playlist.segments.length === 0) throw new TaskError('live_not_started', 'nothing has been broadcast yet')
  const start = chooseStart(playlist, request.startSeconds)
  return { track: { ...track, url }, start, targetSeconds: playlist.targetSeconds, first: null }
}

async function fetchMediaPlaylist(
  track: LiveTrack,
  { fetchText }: LiveRequest,
): Promise<{ url: string; playlist: MediaPlaylist }> {
  const fetchPlaylist = async (url: string) => {
    const text = await fetchText(url, track.headers).catch((cause: unknown) => {
      if (cause instanceof TaskError) throw cause
      throw new TaskError('network', 'the playlist of the stream cannot be had', { cause })
    })
    const playlist = parsePlaylist(text, url)
    if (playlist === null) throw new TaskError('no_media', 'the stream has no playlist')
    return playlist
  }
  const playlist = await fetchPlaylist(track.url)
  if (playlist.kind === 'media') return { url: track.url, playlist }
  const variant = chooseVariant(playlist, track)
  const media = variant === null ? null : await fetchPlaylist(variant.url)
  if (variant === null || media?.kind !== 'media') throw new TaskError('no_media', 'the stream has no playlist')
  return { url: variant.url, playlist: media }
}

async function record(
  runner: ToolRunner,
  request: LiveRequest,
  { inputs, note }: { inputs: readonly Input[]; note: RecordingNote },
): Promise<Watch> {
  const exit: ToolExit = { kind: 'exit', exitCode: 0, signalName: null, stderr: '' }
  const watch: Watch = { inputs, note, exit, isStalled: false, hasNetworkError: false, lookUps: MAX_LOOK_UPS }
  const stall = new AbortController()
  const writeFailed = new AbortController()
  const stallMs = stallMsOf(request, inputs)
  let lastSeconds = 0
  let movedAt = performance.now()
  const timer = setInterval(() => {
    if (performance.now() - movedAt <= stallMs) return
    watch.isStalled = true
    stall.abort()
  }, WATCH_EVERY_MS)
  try {
    watch.exit = await runner.run({
      ...request,
      ...ffmpegRun(recordingArgs(inputs, request), 'info'),
      signal: AbortSignal.any([request.signal, writeFailed.signal]),
      interrupt: request.interrupt === undefined ? stall.signal : AbortSignal.any([request.interrupt, stall.signal]),
      interruptGraceMs: INTERRUPT_GRACE_MS,
      onStdout: (line) => {
        const seconds = progressSeconds(line)
        if (seconds === null || seconds <= lastSeconds) return
        movedAt = performance.now()
        lastSeconds = seconds
        request.onRecorded?.(Math.min(request.durationSeconds, Math.max(0, seconds - watch.note.lead)))
      },
      onStderr: (line) => {
        if (WRITE_ERROR.test(line)) writeFailed.abort()
        if (NETWORK_ERROR.test(line)) watch.hasNetworkError = true
        noteOpened(watch, line)
      },
    })
  } finally {
    clearInterval(timer)
  }
  if (request.signal.aborted) throw new TaskError('cancelled', 'cancelled')
  if (writeFailed.signal.aborted) throw classifyFailure({ exit: { ...watch.exit, kind: 'exit', exitCode: 1 } })
  if (watch.note !== note) await writeNote(request.workDir, watch.note)
  return watch
}

const NETWORK_ERROR =
  /Failed to reload playlist|Connection (refused|reset|timed out)|Server returned [45]|HTTP error [45]/

function stallMsOf({ stallSeconds }: LiveRequest, inputs: readonly Input[]): number {
  const segments = Math.max(...inputs.map((input) => 3 * input.targetSeconds))
  return 1000 * Math.max(stallSeconds ?? STALL_SECONDS, segments)
}

/** The first segments come early, behind a playlist, a key and a header for each input; a look-up in a long list takes long. */
const MAX_LOOK_UPS = 40

/** ffmpeg tells each file it opens: the first segment among them tells where the recording really begins. */
function noteOpened(watch: Watch, line: string): void {
  const url = /Opening '([^']+)' for reading/.exec(line)?.[1]
  if (url === undefined || watch.lookUps === 0) return
  watch.lookUps--
  const open = watch.inputs.find((input) => input.first === null && input.start !== null)
  const index = open?.start == null ? null : findSegment(open.start.segments, url)
  if (open === undefined || index === null) return
  open.first = index
  const [main] = watch.inputs
  if (open === main) watch.note = { ...watch.note, lead: leadOf(main.start, index) }
}

/** Seconds between where ffmpeg began (where it was told to, until it is known) and where it should. */
function leadOf(start: LiveStart | null, first: number | null): number {
  return start === null ? 0 : secondsBetween(start.segments, first ?? start.asked, start.wanted)
}

function secondsBack(start: LiveStart, first: number | null): number {
  return secondsBetween(start.segments, Math.max(start.wanted, first ?? 0), start.segments.length)
}

/**
 * Two inputs keep the clock of the broadcast, which is one for both; a single one begins at zero and may then jump
 * between parts of a broadcast that have clocks of their own.
 */
function recordingArgs(inputs: readonly Input[], request: LiveRequest): string[] {
  const seconds = request.durationSeconds + Math.max(0, ...inputs.map(({ start }) => leadOf(start, null)))
  const audio = ['-map', `${inputs.length - 1}:a:0${inputs.length === 1 && request.kind === 'video' ? '?' : ''}`]
  return [
    '-y',
    ...(inputs.length > 1 ? ['-copyts'] : []),
    ...inputs.flatMap((input) => inputArgs(input, seconds)),
    ...(request.kind === 'video' ? ['-map', '0:v:0?'] : []),
    ...audio,
    ...['-c', 'copy', '-cluster_time_limit', '500', '-flush_packets', '1', '-f', 'matroska'],
    localInput(recordingFile(request.workDir)),
  ]
}

function inputArgs({ track, start }: Input, seconds: number): string[] {
  const { 'User-Agent': userAgent, ...headers } = track.headers
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return [
    ...['-rw_timeout', String(REQUEST_SECONDS * 1e6)],
    ...(userAgent === undefined ? [] : ['-user_agent', userAgent]),
    ...(lines.length === 0 ? [] : ['-headers', lines.join('')]),
    ...(start === null ? [] : ['-f', 'hls', '-live_start_index', String(start.asked - start.segments.length)]),
    ...['-t', String(seconds), '-i', track.url],
  ]
}

async function endOf(watch: Watch, request: LiveRequest, recordedSeconds: number): Promise<EndedEarly | null> {
  const slack = Math.max(1, ...watch.inputs.map((input) => input.targetSeconds))
  if (recordedSeconds >= request.durationSeconds - slack) return null
  if (request.interrupt?.aborted === true) return 'stopped'
  if (watch.isStalled || watch.exit.kind === 'timeout') return 'stalled'
  return (await hasEnded(watch, request)) ? 'ended' : 'interrupted_by_network'
}

/** ffmpeg ends alike when the broadcast does and when its playlist cannot be had any more: the playlist tells. */
async function hasEnded(watch: Watch, request: LiveRequest): Promise<boolean> {
  const [main] = watch.inputs
  if (main?.start == null) return watch.exit.exitCode === 0 && !watch.hasNetworkError
  const again = await fetchMediaPlaylist(main.track, request).catch(() => null)
  return again?.playlist.isEnded === true
}

function nothingRecorded(watch: Watch, end: EndedEarly | null): TaskError {
  if (end === 'stopped') return new TaskError('cancelled', 'stopped before anything was recorded')
  if (end === 'stalled') return new TaskError('stalled', 'the stream does not move')
  if (end === 'ended') return new TaskError('live_ended', 'the broadcast ended before anything was recorded')
  const error = classifyFailure({ exit: watch.exit })
  return error.code === 'unknown' || error.code === 'filtered'
    ? new TaskError('network', 'the stream was lost before anything was recorded', { cause: error })
    : error
}

/** The work after the recording runs to its end whatever ended it. */
function withoutInterrupt({ label, workDir, readable, limits, timeoutMs, signal }: LiveRequest): MediaContext {
  return { label, workDir, limits, timeoutMs, signal, ...(readable === undefined ? {} : { readable }) }
}
