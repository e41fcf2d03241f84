import { TaskError } from '../domain/errors.ts'
import { CARRIES } from '../domain/wishes.ts'
import type { EmbedWish } from '../domain/task.ts'
import {
  isAudioFormat,
  isVideoFormat,
  OUTPUT_FORMATS,
  type AudioFormat,
  type VideoFormat,
} from '../domain/output-format.ts'
import {
  AUDIO_TARGETS,
  naturalAudioFormat,
  VIDEO_CONTAINERS,
  type AudioTarget,
  type Encoder,
  type VideoContainer,
} from './convert-formats.ts'
import { addedBy, COPY, NOTHING_ADDED, type Extras, type Target, type Track } from './convert-extras.ts'
import { runFfmpeg, type FfmpegContext } from './ffmpeg.ts'
import { localInput, type MediaProbe, type MediaStream } from './probe.ts'
import type { ToolRunner } from './tool.ts'

/** A file, and what it should become. */
export type ConversionRequest = Readonly<{
  probe: MediaProbe
  kind: 'video' | 'audio'
  /** One of OUTPUT_FORMATS of the kind; null = leave it as it is. */
  outputFormat: string | null
  /** Without a dot. */
  sourceExt: string
  /** Leave the sound of a video out. */
  silent?: boolean
  /** kbit/s that the sound is encoded with; null or left out = encoded only where it must be, and as its encoder does well. */
  audioBitrate?: number | null
  /** What else becomes part of the file; null or left out = nothing. */
  extras?: Extras | null
}>

/** How ffmpeg makes one file of another. */
export type Conversion = Readonly<{
  /** What the result is to be called. */
  ext: string
  /** Options of the first input. */
  inputOptions: readonly string[]
  /** Further inputs with their options. */
  inputs: readonly string[]
  /** Output arguments of ffmpeg, between the inputs and the output's name. */
  args: readonly string[]
  /** Nothing is encoded: the result is a copy in another container. */
  isCopy: boolean
  /** Seconds of the input, where known: what progress is measured against. */
  duration: number | null
}>

/**
 * How to make of a file what was asked for, or null when it is that already. Tracks that the target can carry are
 * copied, others encoded. Asking for audio of a file with moving video drops the picture; without a format it goes
 * into the container its codec is at home in. Pure.
 * Throws TaskError `bad_request_options` for a format there is not, `invalid_media` when there is no such track.
 */
export function planConversion(request: ConversionRequest): Conversion | null {
  return request.kind === 'video' ? planVideo(request) : planAudio(request)
}

function requireVideoFormat(format: string): VideoFormat {
  if (isVideoFormat(format)) return format
  throw new TaskError('bad_request_options', `output_format of a video may be ${OUTPUT_FORMATS.video.join(', ')}`)
}

function requireAudioFormat(format: string): AudioFormat {
  if (isAudioFormat(format)) return format
  throw new TaskError('bad_request_options', `output_format of a sound may be ${OUTPUT_FORMATS.audio.join(', ')}`)
}

/** From where to where, both absolute. */
export type ConvertRun = FfmpegContext & Readonly<{ input: string; output: string }>

/**
 * Writes `output` (absolute; replaced when it exists) by the plan. Whether the result is whole is the gate's to say.
 * `onProgress` gets 0..1. Throws TaskError: `no_space`, `too_large`, `timeout`, `cancelled`, `ffmpeg_failed`, …
 */
export async function convert(runner: ToolRunner, plan: Conversion, run: ConvertRun): Promise<void> {
  const inputs = [...plan.inputOptions, '-i', localInput(run.input), ...plan.inputs]
  const args = ['-y', ...inputs, ...plan.args, localInput(run.output)]
  await runFfmpeg(runner, { args, duration: plan.duration }, run)
}

function planVideo(request: ConversionRequest): Conversion | null {
  const { probe, outputFormat, sourceExt, silent = false } = request
  const mustChange = (silent && probe.streams.some(isAudio)) || isChanged(request)
  if (outputFormat === null && !mustChange) return null
  const extras = request.extras ?? null
  const format = outputFormat === null ? naturalContainer(sourceExt, extras) : requireVideoFormat(outputFormat)
  const target = VIDEO_CONTAINERS[format]
  const isSame = isAlready(target, probe, sourceExt)
  if (!mustChange && isSame) return null
  return toConversion(videoTracks(request, { ...request, target, keep: isSame }), target, { probe, extras })
}

/** Something of it changes, whatever form it has. */
const isChanged = ({ audioBitrate = null, extras = null }: ConversionRequest) =>
  audioBitrate !== null || extras !== null

function videoTracks({ probe, silent = false }: ConversionRequest, way: Way): readonly Track[] {
  const { target, extras = null } = way
  const ofType = (type: MediaStream['type']) => probe.streams.filter((stream) => stream.type === type)
  const hasNewCover = extras !== null && extras.cover !== null
  return [
    ...probe.streams.filter(isMoving).map((stream) => videoTrack(stream, way)),
    ...(silent ? [] : ofType('audio').flatMap((stream) => audioTrack(stream, way))),
    ...ofType('subtitle').flatMap((stream) => subtitleTrack(stream, target)),
    ...(target.cover && !hasNewCover ? probe.streams.filter((stream) => stream.attachedPicture).map(coverTrack) : []),
  ]
}

function planAudio(request: ConversionRequest): Conversion | null {
  const { probe, outputFormat, sourceExt, extras = null } = request
  const stream = probe.streams.find(isAudio)
  if (stream === undefined) throw new TaskError('invalid_media', 'no audio stream')
  const mustChange = probe.streams.some(isMoving) || isChanged(request)
  if (outputFormat === null && !mustChange) return null
  const format = outputFormat === null ? naturalFormat(stream, extras) : requireAudioFormat(outputFormat)
  const target = AUDIO_TARGETS[format]
  const canCopy = target.codecs.includes(stream.codec ?? '') || format === 'mka'
  if (!mustChange && canCopy && isAlready(target, probe, sourceExt)) return null
  const encoder = encoderFor({ canCopy, encoder: target.encoder }, request.audioBitrate)
  return toConversion([{ from: `0:${stream.index}`, type: 'a', encoder, more: [] }], target, { probe, extras })
}

/** The container that it has, or the one that takes everything when that does not carry the extras. */
function naturalContainer(sourceExt: string, extras: Extras | null): VideoFormat {
  return isVideoFormat(sourceExt) && fits(sourceExt, extras) ? sourceExt : 'mkv'
}

/** Where a sound is at home, or what takes everything when that does not carry the extras. */
function naturalFormat({ codec }: MediaStream, extras: Extras | null): AudioFormat {
  const natural = naturalAudioFormat(codec)
  return fits(natural, extras) ? natural : 'mka'
}

/** Whether a container by this name carries all of the extras. */
function fits(name: VideoFormat | AudioFormat, extras: Extras | null): boolean {
  const wishes: readonly (readonly [EmbedWish, boolean])[] = [
    ['subtitles', (extras?.subtitles.length ?? 0) > 0],
    ['thumbnail', extras?.cover != null],
    ['metadata', extras?.metadata?.tags === true],
    ['chapters', extras?.metadata?.chapters === true],
  ]
  return wishes.every(([wish, isWanted]) => !isWanted || CARRIES[name].includes(wish))
}

/** `keep`: the container has these very tracks already. */
type Way = Readonly<{
  target: VideoContainer
  keep: boolean
  audioBitrate?: number | null
  extras?: Extras | null
}>

function videoTrack(stream: MediaStream, { target, keep, extras }: Way): Track {
  const exactly = extras?.cut?.exactly === true
  const isCopy = !exactly && (keep || target.video === null || target.video.includes(stream.codec ?? ''))
  // Apple's players know HEVC in mp4 by this tag alone.
  const more: Encoder = isCopy && stream.codec === 'hevc' && target.output.length > 0 ? [['-tag', 'hvc1']] : []
  return { from: `0:${stream.index}`, type: 'v', encoder: isCopy ? COPY : target.videoEncoder, more }
}

function audioTrack(stream: MediaStream, { target, keep, audioBitrate }: Way): Track[] {
  if (target.audioEncoder === null) return []
  const canCopy = keep || target.audio === null || target.audio.includes(stream.codec ?? '')
  const encoder = encoderFor({ canCopy, encoder: target.audioEncoder }, audioBitrate)
  return [{ from: `0:${stream.index}`, type: 'a', encoder, more: [] }]
}

/** A bitrate takes the place of the quality that an encoder is set to; who asks for one has the sound encoded. */
function encoderFor(
  { canCopy, encoder }: Readonly<{ canCopy: boolean; encoder: Encoder }>,
  audioBitrate: number | null = null,
): Encoder {
  if (audioBitrate === null) return canCopy ? COPY : encoder
  return [...encoder.filter(([option]) => option !== '-b' && option !== '-q'), ['-b', `${audioBitrate}k`]]
}

const TEXT_SUBTITLES: ReadonlySet<string> = new Set(['subrip', 'srt', 'ass', 'ssa', 'webvtt', 'mov_text', 'text'])

/** Subtitles that are pictures cannot become text: they are left out where the container does not take them. */
function subtitleTrack(stream: MediaStream, target: VideoContainer): Track[] {
  const codec = stream.codec ?? ''
  const from = `0:${stream.index}`
  if (target.copySubtitles.includes(codec)) return [{ from, type: 's', encoder: COPY, more: [] }]
  if (target.subtitles === null || !TEXT_SUBTITLES.has(codec)) return []
  return [{ from, type: 's', encoder: [['-c', target.subtitles]], more: [] }]
}

function coverTrack(stream: MediaStream): Track {
  return { from: `0:${stream.index}`, type: 'v', encoder: COPY, more: [['-disposition', 'attached_pic']] }
}

function toConversion(
  tracks: readonly Track[],
  target: Target,
  { probe, extras }: Readonly<{ probe: MediaProbe; extras: Extras | null }>,
): Conversion {
  if (tracks.length === 0) throw new TaskError('invalid_media', `nothing in it that ${target.ext} can carry`)
  const added = extras === null ? NOTHING_ADDED : addedBy(extras, target)
  const all = [...tracks, ...added.tracks]
  const counts = { v: 0, a: 0, s: 0 }
  const codecs = all.flatMap(({ type, encoder, more }) => {
    const specifier = `${type}:${counts[type]++}`
    return [...encoder, ...more].flatMap(([option, value]) => [`${option}:${specifier}`, value])
  })
  const maps = all.flatMap(({ from }) => ['-map', from])
  const cut = extras?.cut ?? null
  const end = [...target.output, '-max_muxing_queue_size', '4096', '-f', target.muxer]
  return {
    ext: target.ext,
    inputOptions: cut === null ? [] : ['-ss', String(cut.start), '-to', String(cut.end)],
    inputs: added.inputs,
    args: [...maps, ...codecs, ...added.metadata, '-dn', ...added.attachments, ...end],
    isCopy: tracks.every(({ encoder }) => encoder === COPY),
    duration: cut === null ? probe.duration : cut.end - cut.start,
  }
}

/** ffmpeg's demuxer for what each muxer here writes, where the two are not called the same. */
const DEMUXERS: Readonly<Record<string, string>> = { ipod: 'm4a', opus: 'ogg', ogv: 'ogg', adts: 'aac', '3gp': '3gp' }

function holds(target: VideoContainer | AudioTarget, probe: MediaProbe): boolean {
  return probe.formatName.split(',').includes(DEMUXERS[target.muxer] ?? target.muxer)
}

/** A container by its right name is what was asked for, whatever its tracks are. */
function isAlready(target: Target, probe: MediaProbe, sourceExt: string): boolean {
  return sourceExt.toLowerCase() === target.ext && holds(target, probe)
}

function isMoving(stream: MediaStream): boolean {
  return stream.type === 'video' && !stream.attachedPicture
}

function isAudio(stream: MediaStream): boolean {
  return stream.type === 'audio'
}
