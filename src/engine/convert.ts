import { TaskError } from '../domain/errors.ts'
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
}>

/** How ffmpeg makes one file of another. */
export type Conversion = Readonly<{
  /** What the result is to be called. */
  ext: string
  /** Output arguments of ffmpeg, between the one input and the output's name. */
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
  const args = ['-y', '-i', localInput(run.input), ...plan.args, localInput(run.output)]
  await runFfmpeg(runner, { args, duration: plan.duration }, run)
}

function planVideo({ probe, outputFormat, sourceExt, silent = false }: ConversionRequest): Conversion | null {
  const mutes = silent && probe.streams.some(isAudio)
  if (outputFormat === null && !mutes) return null
  const format = requireVideoFormat(outputFormat ?? (isVideoFormat(sourceExt) ? sourceExt : 'mkv'))
  const target = VIDEO_CONTAINERS[format]
  if (!mutes && isAlready(target, probe, sourceExt)) return null
  const tracks = [
    ...probe.streams.filter(isMoving).map((stream) => videoTrack(stream, target)),
    ...(silent ? [] : probe.streams.filter(isAudio).flatMap((stream) => audioTrack(stream, target))),
    ...probe.streams.filter((stream) => stream.type === 'subtitle').flatMap((stream) => subtitleTrack(stream, target)),
    ...(target.cover ? probe.streams.filter((stream) => stream.attachedPicture).map(coverTrack) : []),
  ]
  return toConversion(tracks, target, probe)
}

function planAudio({ probe, outputFormat, sourceExt }: ConversionRequest): Conversion | null {
  const stream = probe.streams.find(isAudio)
  if (stream === undefined) throw new TaskError('invalid_media', 'no audio stream')
  const hasVideo = probe.streams.some(isMoving)
  if (outputFormat === null && !hasVideo) return null
  const format = outputFormat === null ? naturalAudioFormat(stream.codec) : requireAudioFormat(outputFormat)
  const target = AUDIO_TARGETS[format]
  const isCopy = target.codecs.includes(stream.codec ?? '') || format === 'mka'
  if (!hasVideo && isCopy && sourceExt.toLowerCase() === target.ext && holds(target, probe)) return null
  const track: Track = { stream, type: 'a', encoder: isCopy ? COPY : target.encoder, more: [] }
  return toConversion([track], target, probe)
}

type Track = Readonly<{ stream: MediaStream; type: 'v' | 'a' | 's'; encoder: Encoder; more: Encoder }>

const COPY: Encoder = [['-c', 'copy']]

function videoTrack(stream: MediaStream, target: VideoContainer): Track {
  const isCopy = target.video === null || target.video.includes(stream.codec ?? '')
  // Apple's players know HEVC in mp4 by this tag alone.
  const more: Encoder = isCopy && stream.codec === 'hevc' && target.output.length > 0 ? [['-tag', 'hvc1']] : []
  return { stream, type: 'v', encoder: isCopy ? COPY : target.videoEncoder, more }
}

function audioTrack(stream: MediaStream, target: VideoContainer): Track[] {
  if (target.audioEncoder === null) return []
  const isCopy = target.audio === null || target.audio.includes(stream.codec ?? '')
  return [{ stream, type: 'a', encoder: isCopy ? COPY : target.audioEncoder, more: [] }]
}

const TEXT_SUBTITLES: ReadonlySet<string> = new Set(['subrip', 'srt', 'ass', 'ssa', 'webvtt', 'mov_text', 'text'])

/** Subtitles that are pictures cannot become text: they are left out where the container does not take them. */
function subtitleTrack(stream: MediaStream, target: VideoContainer): Track[] {
  const codec = stream.codec ?? ''
  if (target.copySubtitles.includes(codec)) return [{ stream, type: 's', encoder: COPY, more: [] }]
  if (target.subtitles === null || !TEXT_SUBTITLES.has(codec)) return []
  return [{ stream, type: 's', encoder: [['-c', target.subtitles]], more: [] }]
}

function coverTrack(stream: MediaStream): Track {
  return { stream, type: 'v', encoder: COPY, more: [['-disposition', 'attached_pic']] }
}

function toConversion(tracks: readonly Track[], target: VideoContainer | AudioTarget, probe: MediaProbe): Conversion {
  if (tracks.length === 0) throw new TaskError('invalid_media', `nothing in it that ${target.ext} can carry`)
  const counts = { v: 0, a: 0, s: 0 }
  const codecs = tracks.flatMap(({ type, encoder, more }) => {
    const specifier = `${type}:${counts[type]++}`
    return [...encoder, ...more].flatMap(([option, value]) => [`${option}:${specifier}`, value])
  })
  const maps = tracks.flatMap(({ stream }) => ['-map', `0:${stream.index}`])
  const metadata = ['-map_metadata', '0', '-map_chapters', '0', '-dn']
  return {
    ext: target.ext,
    args: [...maps, ...codecs, ...metadata, ...target.output, '-max_muxing_queue_size', '4096', '-f', target.muxer],
    isCopy: tracks.every(({ encoder }) => encoder === COPY),
    duration: probe.duration,
  }
}

/** ffmpeg's demuxer for what each muxer here writes, where the two are not called the same. */
const DEMUXERS: Readonly<Record<string, string>> = { ipod: 'm4a', opus: 'ogg', ogv: 'ogg', adts: 'aac', '3gp': '3gp' }

function holds(target: VideoContainer | AudioTarget, probe: MediaProbe): boolean {
  return probe.formatName.split(',').includes(DEMUXERS[target.muxer] ?? target.muxer)
}

/** A container by its right name is what was asked for, whatever its tracks are. */
function isAlready(target: VideoContainer, probe: MediaProbe, sourceExt: string): boolean {
  return sourceExt.toLowerCase() === target.ext && holds(target, probe)
}

function isMoving(stream: MediaStream): boolean {
  return stream.type === 'video' && !stream.attachedPicture
}

function isAudio(stream: MediaStream): boolean {
  return stream.type === 'audio'
}
