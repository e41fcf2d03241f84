import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

const TOOL_TIMEOUT_MS = 60_000

export type ProbedStream = Readonly<{
  type: string
  codec: string
  width: number | null
  height: number | null
  /** Seconds; null when the container does not say. */
  duration: number | null
  language: string | null
}>
export type Probed = Readonly<{
  format: string
  duration: number
  streams: readonly ProbedStream[]
  chapters: number
  tags: Readonly<Record<string, string>>
}>

type RawProbe = Readonly<{
  format: Readonly<{ format_name: string; duration?: string; tags?: Record<string, string> }>
  streams: readonly Readonly<{
    codec_type: string
    codec_name?: string
    width?: number
    height?: number
    duration?: string
    tags?: Readonly<{ language?: string }>
  }>[]
  chapters: readonly unknown[]
}>

/** What ffprobe says of a file; rejects when it is no media. Durations are 0 where a format has none. */
export async function probe(file: string): Promise<Probed> {
  const args = ['-v', 'error', '-of', 'json', '-show_format', '-show_streams', '-show_chapters', '-i', file]
  const { stdout } = await run('ffprobe', args, { timeout: TOOL_TIMEOUT_MS })
  const { format, streams, chapters } = JSON.parse(stdout) as RawProbe
  return {
    format: format.format_name,
    duration: Number(format.duration ?? 0),
    streams: streams.map((stream) => ({
      type: stream.codec_type,
      codec: stream.codec_name ?? 'unknown',
      width: stream.width ?? null,
      height: stream.height ?? null,
      duration: stream.duration === undefined ? null : Number(stream.duration),
      language: stream.tags?.language ?? null,
    })),
    chapters: chapters.length,
    tags: format.tags ?? {},
  }
}

/** Whether ffmpeg decodes every stream to its end without a word of complaint. */
export async function decodesCleanly(file: string): Promise<boolean> {
  try {
    const args = ['-nostdin', '-v', 'error', '-xerror', '-i', file, '-map', '0:v?', '-map', '0:a?', '-f', 'null', '-']
    const { stderr } = await run('ffmpeg', args, { timeout: TOOL_TIMEOUT_MS })
    return stderr.trim() === ''
  } catch {
    return false // the exit code is the answer
  }
}

export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/** How the live streams of the test origin carry their clock: in the pitch of the tone and in stripes of the picture. */
export const POSITION_CODE = {
  /** Pitch at second 0, and how much it rises each second. */
  baseHz: 300,
  hzPerSecond: 20,
  /** The frame number in binary: black and white stripes, the lowest bit leftmost. */
  stripes: 16,
  framesPerSecond: 10,
} as const

export type StreamPosition = Readonly<{
  /** Seconds of the live stream at the first and at the last moment of the file. */
  first: number
  last: number
  /** Seconds that the file plays; less than `last - first` when something in the middle is missing. */
  duration: number
}>

/**
 * Which part of a live stream of the test origin a recording holds, by its sound or, when it has none (or when asked),
 * by its picture; within 0.15 s. Rejects for a file that is no such recording.
 */
export async function readStreamPosition(file: string, track?: 'audio' | 'video'): Promise<StreamPosition> {
  const probed = await probe(file)
  const hasAudio = probed.streams.some((stream) => stream.type === 'audio')
  return (track ?? (hasAudio ? 'audio' : 'video')) === 'audio' ? readTone(file) : readStripes(file, probed.duration)
}

/** Runs ffmpeg with raw output and hands each piece to `onData`. */
async function decode(file: string, args: readonly string[], onData: (data: Buffer) => void): Promise<void> {
  const child = spawn('ffmpeg', ['-nostdin', '-v', 'error', '-i', file, ...args, '-'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: TOOL_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('close', resolve)
    child.on('error', reject)
  })
  child.stdout.on('data', onData)
  const exitCode = await ended
  if (exitCode !== 0) throw new Error(`ffmpeg cannot decode ${file}: exit code ${exitCode}`)
}

const SAMPLE_RATE = 48_000
const WINDOW = SAMPLE_RATE / 4
/** Edges hold the encoder's start-up and the container's padding. */
const MARGIN = SAMPLE_RATE / 20
const KEPT_BYTES = 2 * 2 * (WINDOW + 2 * MARGIN)

async function readTone(file: string): Promise<StreamPosition> {
  let head = Buffer.alloc(0)
  let tail = Buffer.alloc(0)
  let bytes = 0
  const args = ['-map', '0:a:0', '-ac', '1', '-ar', String(SAMPLE_RATE), '-f', 's16le']
  await decode(file, args, (data) => {
    bytes += data.length
    if (head.length < KEPT_BYTES) head = Buffer.concat([head, data]).subarray(0, KEPT_BYTES)
    tail = Buffer.concat([tail, data])
    if (tail.length > KEPT_BYTES) tail = Buffer.from(tail.subarray(tail.length - KEPT_BYTES))
  })
  const samples = Math.floor(bytes / 2)
  const start = samplesOf(head).subarray(MARGIN, MARGIN + WINDOW)
  const all = samplesOf(tail)
  const end = all.subarray(Math.max(0, all.length - MARGIN - WINDOW), all.length - MARGIN)
  const toEdge = (MARGIN + WINDOW / 2) / SAMPLE_RATE
  return { first: secondOf(start) - toEdge, last: secondOf(end) + toEdge, duration: samples / SAMPLE_RATE }
}

const samplesOf = (bytes: Buffer): Int16Array =>
  Int16Array.from({ length: Math.floor(bytes.length / 2) }, (_, index) => bytes.readInt16LE(index * 2))

/** The stream second in the middle of a window, from the time between its first and last rising zero crossing. */
function secondOf(window: Int16Array): number {
  const crossings: number[] = []
  for (let index = 1; index < window.length; index += 1) {
    const before = window[index - 1] ?? 0
    const after = window[index] ?? 0
    if (before < 0 && after >= 0) crossings.push(index - after / (after - before))
  }
  const first = crossings.at(0) ?? 0
  const last = crossings.at(-1) ?? 0
  const hz = ((crossings.length - 1) / (last - first)) * SAMPLE_RATE
  if (!Number.isFinite(hz)) throw new Error('no tone in the sound: not a recording of a test stream')
  return (hz - POSITION_CODE.baseHz) / POSITION_CODE.hzPerSecond
}

async function readStripes(file: string, duration: number): Promise<StreamPosition> {
  const { stripes, framesPerSecond } = POSITION_CODE
  const pieces: Buffer[] = []
  const filter = `scale=${stripes}:1:flags=area,format=gray`
  const args = ['-map', '0:v:0', '-vf', filter, '-fps_mode', 'passthrough', '-f', 'rawvideo']
  await decode(file, args, (data) => pieces.push(data))
  const bytes = Buffer.concat(pieces)
  if (bytes.length < stripes) throw new Error('no picture: not a recording of a test stream')
  const frameAt = (offset: number): number =>
    bytes.subarray(offset, offset + stripes).reduce((sum, light, bit) => sum + (light > 127 ? 2 ** bit : 0), 0)
  return {
    first: frameAt(0) / framesPerSecond,
    last: (frameAt(bytes.length - stripes) + 1) / framesPerSecond,
    duration,
  }
}
