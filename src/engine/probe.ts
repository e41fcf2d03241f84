import { z } from 'zod'

import { TaskError } from '../domain/errors.ts'
import { classifyFailure } from './failure.ts'
import type { ToolExit, ToolLimits, ToolRunner } from './tool.ts'

/** What every run of ffmpeg or ffprobe over local files is given. */
export type MediaContext = Readonly<{
  label: string
  /** Absolute. The only folder the run may write to. */
  workDir: string
  /** Absolute paths outside `workDir` that it may read. */
  readable?: readonly string[]
  limits: ToolLimits
  timeoutMs: number
  signal: AbortSignal
}>

/** Kinds of tracks that matter here. */
export type StreamType = 'video' | 'audio' | 'subtitle' | 'other'

export type MediaStream = Readonly<{
  index: number
  type: StreamType
  /** As ffmpeg names it: `h264`, `aac`, `subrip`; null when unknown to it. */
  codec: string | null
  width: number | null
  height: number | null
  /** Of pictures: `yuv420p`. */
  pixelFormat: string | null
  /** Frames a second. */
  frameRate: number | null
  /** A cover picture, not moving video. */
  attachedPicture: boolean
  channels: number | null
  sampleRate: number | null
  /** Bits a second. */
  bitRate: number | null
  language: string | null
  /** Seconds; null when the container keeps none per stream. */
  start: number | null
  duration: number | null
}>

export type MediaProbe = Readonly<{
  /** ffmpeg's demuxer: `mov,mp4,m4a,3gp,3g2,mj2`, `matroska,webm`, … */
  formatName: string
  /** Seconds as the container declares them, or as ffprobe estimates; null when neither can. */
  duration: number | null
  /** Bytes. */
  size: number
  /** Seconds. */
  start: number | null
  streams: readonly MediaStream[]
}>

/** How far the packets of one stream reach, in seconds of the file's own clock. */
export type StreamSpan = Readonly<{ first: number; end: number; packets: number }>

export type MediaRead = Readonly<{
  probe: MediaProbe
  /** By stream index. A stream without a timed packet has none. */
  spans: ReadonlyMap<number, StreamSpan>
  /** ffprobe said on the way that the file breaks off or is damaged there. */
  damage: string | null
}>

const FORMAT_ENTRIES = 'format=format_name,duration,size,start_time'
const STREAM_ENTRIES =
  'stream=index,codec_name,codec_type,width,height,pix_fmt,avg_frame_rate,channels,sample_rate,bit_rate,start_time,duration' +
  ':stream_disposition=attached_pic:stream_tags=language'
const PACKET_ENTRIES = 'packet=stream_index,pts_time,dts_time,duration_time'

/** What the demuxers of mp4 and Matroska say of a file that ends too soon; they carry on, and exit with success. */
const DAMAGE = /partial file|ended prematurely|Truncating packet of size/

/** More streams than any medium has; a hostile file may announce thousands. */
const MAX_STREAMS = 256

/**
 * What `file` is, from its headers.
 * Throws TaskError `invalid_media` when ffprobe cannot open it, or the code of the run's own failure (`timeout`, …).
 */
export async function probeFile(runner: ToolRunner, file: string, ctx: MediaContext): Promise<MediaProbe> {
  const { probe } = await runProbe(runner, file, ctx, `${STREAM_ENTRIES}:${FORMAT_ENTRIES}`)
  return probe
}

/**
 * What `file` is and how far each stream really reaches: every packet is read, none decoded. One process; memory does
 * not grow with the file. Throws as `probeFile` does.
 */
export async function readThrough(runner: ToolRunner, file: string, ctx: MediaContext): Promise<MediaRead> {
  return runProbe(runner, file, ctx, `${STREAM_ENTRIES}:${FORMAT_ENTRIES}:${PACKET_ENTRIES}`)
}

async function runProbe(runner: ToolRunner, file: string, ctx: MediaContext, entries: string): Promise<MediaRead> {
  const spans = new Map<number, StreamSpan>()
  const found: { streams: string[]; format: string | null; damage: string | null } = {
    streams: [],
    format: null,
    damage: null,
  }
  const exit = await runner.run({
    ...ctx,
    tool: 'ffprobe',
    // `-o pipe:1` is buffered by ffprobe; its plain standard output is flushed after every packet.
    args: ['-v', 'error', '-show_entries', entries, '-of', 'compact', '-o', 'pipe:1', '-i', localInput(file)],
    proxyUrl: null,
    onStdout: (line) => {
      if (line.startsWith('packet|')) addPacket(spans, line)
      else if (line.startsWith('stream|') && found.streams.length < 2 * MAX_STREAMS) found.streams.push(line)
      else if (line.startsWith('format|')) found.format = line
    },
    onStderr: (line) => {
      if (DAMAGE.test(line)) found.damage ??= withoutAddress(line)
    },
  })
  if (exit.kind !== 'exit') throw classifyFailure({ exit })
  if (exit.exitCode !== 0 || found.format === null) {
    const failure = classifyFailure({ exit })
    // The machine's fault, not the file's.
    if (failure.code === 'storage_error' || failure.code === 'crashed') throw failure
    throw new TaskError('invalid_media', `not media: ${lastWords(exit)}`)
  }
  const { format_name: formatName, duration, size, start_time: start } = formatSchema.parse(fieldsOf(found.format))
  // A stream of an MPEG-TS is printed once for its programme and once for itself.
  const streams = new Map(
    found.streams.map((line) => fieldsOf(line)).map((fields) => [fields['index'], streamSchema.parse(fields)]),
  )
  return {
    probe: {
      formatName,
      duration,
      size: size ?? 0,
      start,
      streams: [...streams.values()].toSorted((one, other) => one.index - other.index),
    },
    spans,
    damage: found.damage,
  }
}

/** A local file as ffmpeg takes it; the scheme keeps a name with a colon from being read as another protocol. */
export function localInput(file: string): string {
  return `file:${file}`
}

const NUMBER = z.preprocess(
  (text) => (text === undefined || text === 'N/A' ? null : text),
  z.coerce.number().nullable(),
)
const WORD = z
  .string()
  .optional()
  .transform((text) => (text === undefined || text === 'unknown' || text === 'N/A' ? null : text))

const formatSchema = z.object({ format_name: z.string(), duration: NUMBER, size: NUMBER, start_time: NUMBER })

const streamSchema = z
  .object({
    index: z.coerce.number().int(),
    codec_type: WORD,
    codec_name: WORD,
    width: NUMBER,
    height: NUMBER,
    pix_fmt: WORD,
    avg_frame_rate: WORD,
    channels: NUMBER,
    sample_rate: NUMBER,
    bit_rate: NUMBER,
    start_time: NUMBER,
    duration: NUMBER,
    'disposition:attached_pic': z.string().optional(),
    'tag:language': WORD,
  })
  .transform((raw): MediaStream => ({
    index: raw.index,
    type: streamType(raw.codec_type),
    codec: raw.codec_name,
    width: raw.width,
    height: raw.height,
    pixelFormat: raw.pix_fmt,
    frameRate: ratio(raw.avg_frame_rate),
    attachedPicture: raw['disposition:attached_pic'] === '1',
    channels: raw.channels,
    sampleRate: raw.sample_rate,
    bitRate: raw.bit_rate,
    language: raw['tag:language'],
    start: raw.start_time,
    duration: raw.duration,
  }))

function streamType(word: string | null): StreamType {
  return word === 'video' || word === 'audio' || word === 'subtitle' ? word : 'other'
}

function ratio(text: string | null): number | null {
  const [over = NaN, under = NaN] = (text ?? '').split('/').map(Number)
  return over > 0 && under > 0 ? over / under : null
}

/** `stream|index=0|tag:language=a\|b` as ffprobe's compact writer escapes it: `\|`, `\\`, `\n`. */
function fieldsOf(line: string): Record<string, string> {
  const parts = line.match(/(?:[^|\\]|\\.)+/g) ?? []
  const pairs = parts.slice(1).map((part): [string, string] => {
    const at = part.indexOf('=')
    return [part.slice(0, at), part.slice(at + 1).replaceAll(/\\(.)/g, '$1')]
  })
  return Object.fromEntries(pairs)
}

/** `packet|stream_index=1|pts_time=11.98|dts_time=11.98|duration_time=0.02`; hundreds of thousands of these come. */
function addPacket(spans: Map<number, StreamSpan>, line: string): void {
  const index = Number.parseInt(line.slice(line.indexOf('=') + 1), 10)
  const time = timeAfter(line, '|pts_time=') ?? timeAfter(line, '|dts_time=')
  if (time === null || (!spans.has(index) && spans.size >= MAX_STREAMS)) return
  const end = time + (timeAfter(line, '|duration_time=') ?? 0)
  const known = spans.get(index)
  spans.set(index, {
    first: Math.min(known?.first ?? time, time),
    end: Math.max(known?.end ?? end, end),
    packets: (known?.packets ?? 0) + 1,
  })
}

function timeAfter(line: string, key: string): number | null {
  const at = line.indexOf(key)
  const time = at < 0 ? NaN : Number.parseFloat(line.slice(at + key.length))
  return Number.isNaN(time) ? null : time
}

function lastWords(exit: ToolExit): string {
  const line = exit.stderr.trim().split('\n').at(-1) ?? ''
  return withoutAddress(line.replace(/^file:\S*: /, '')).slice(0, 200) || 'it could not be read'
}

/** Without the component's name and address that ffmpeg begins its lines with. */
function withoutAddress(line: string): string {
  return line.replace(/^(?:\[[^\]]*\] )+/, '')
}
