/** What each target of a conversion can carry, and how to make it what it cannot. Data only. */

import type { AudioFormat, VideoFormat } from '../domain/output-format.ts'

/** How a track is made when it cannot be copied: the encoder's arguments, without the stream they are for. */
export type Encoder = readonly (readonly [option: string, value: string])[]

/** A container that a video can be put into. */
export type VideoContainer = Readonly<{
  ext: string
  /** ffmpeg's muxer. */
  muxer: string
  /** Codecs copied as they are; null = all. */
  video: readonly string[] | null
  audio: readonly string[] | null
  videoEncoder: Encoder
  /** null = no sound in it. */
  audioEncoder: Encoder | null
  /** Subtitle codec that text is put into; null = no subtitles in it. */
  subtitles: string | null
  /** Subtitle codecs copied as they are. */
  copySubtitles: readonly string[]
  /** Keeps a cover picture. */
  cover: boolean
  output: readonly string[]
}>

/** A form that a sound can be given. */
export type AudioTarget = Readonly<{
  ext: string
  muxer: string
  /** Codecs copied as they are. */
  codecs: readonly string[]
  encoder: Encoder
  output: readonly string[]
}>

/** Visually lossless at a third of the time of the default preset; even sides, as the format demands. */
const H264: Encoder = [
  ['-c', 'libx264'],
  ['-crf', '20'],
  ['-preset', 'veryfast'],
  ['-pix_fmt', 'yuv420p'],
  ['-filter', 'pad=ceil(iw/2)*2:ceil(ih/2)*2'],
]
const VP9: Encoder = [
  ['-c', 'libvpx-vp9'],
  ['-crf', '31'],
  ['-b', '0'],
  ['-deadline', 'good'],
  ['-cpu-used', '5'],
  ['-row-mt', '1'],
]
const MPEG4: Encoder = [
  ['-c', 'mpeg4'],
  ['-q', '3'],
  ['-filter', 'pad=ceil(iw/2)*2:ceil(ih/2)*2'],
]
const THEORA: Encoder = [
  ['-c', 'libtheora'],
  ['-q', '8'],
]
const GIF: Encoder = [
  ['-c', 'gif'],
  [
    '-filter',
    "fps=12,scale='min(480,iw)':-1:flags=lanczos,split[whole][sample];[sample]palettegen[palette];[whole][palette]paletteuse",
  ],
]

const AAC: Encoder = [
  ['-c', 'aac'],
  ['-b', '160k'],
]
const AAC_ALONE: Encoder = [
  ['-c', 'aac'],
  ['-b', '192k'],
]
const MP3: Encoder = [
  ['-c', 'libmp3lame'],
  ['-q', '0'],
]
const OPUS: Encoder = [
  ['-c', 'libopus'],
  ['-b', '160k'],
]
const VORBIS: Encoder = [
  ['-c', 'libvorbis'],
  ['-q', '7'],
]

const FRONT = ['-movflags', '+faststart']
const MP4_VIDEO = ['h264', 'hevc', 'av1', 'vp9', 'mpeg4', 'mpeg2video', 'mpeg1video']
const MP4_AUDIO = ['aac', 'mp3', 'ac3', 'eac3', 'alac', 'opus', 'flac', 'mp2', 'dts']
const PCM = ['pcm_s16le', 'pcm_s16be', 'pcm_s24le', 'pcm_s24be', 'pcm_s32le', 'pcm_f32le', 'pcm_u8']

const MP4: VideoContainer = {
  ext: 'mp4',
  muxer: 'mp4',
  video: MP4_VIDEO,
  audio: MP4_AUDIO,
  videoEncoder: H264,
  audioEncoder: AAC,
  subtitles: 'mov_text',
  copySubtitles: ['mov_text'],
  cover: true,
  output: FRONT,
}

const NO_SUBTITLES = { subtitles: null, copySubtitles: [], cover: false } as const

/** What each `output_format` of a video means. */
export const VIDEO_CONTAINERS: Readonly<Record<VideoFormat, VideoContainer>> = {
  mp4: MP4,
  m4v: { ...MP4, ext: 'm4v', video: ['h264', 'hevc', 'mpeg4'], audio: ['aac', 'ac3', 'eac3', 'alac'] },
  mov: {
    ...MP4,
    ext: 'mov',
    muxer: 'mov',
    video: ['h264', 'hevc', 'mpeg4', 'mpeg2video', 'prores', 'dnxhd', 'mjpeg'],
    audio: ['aac', 'mp3', 'ac3', 'eac3', 'alac', ...PCM],
    cover: false,
  },
  mkv: {
    ext: 'mkv',
    muxer: 'matroska',
    video: null,
    audio: null,
    videoEncoder: H264,
    audioEncoder: AAC,
    subtitles: 'srt',
    copySubtitles: ['subrip', 'ass', 'webvtt', 'hdmv_pgs_subtitle', 'dvd_subtitle', 'dvb_subtitle'],
    cover: false,
    output: [],
  },
  webm: {
    ext: 'webm',
    muxer: 'webm',
    video: ['vp8', 'vp9', 'av1'],
    audio: ['opus', 'vorbis'],
    videoEncoder: VP9,
    audioEncoder: OPUS,
    subtitles: 'webvtt',
    copySubtitles: ['webvtt'],
    cover: false,
    output: [],
  },
  avi: {
    ext: 'avi',
    muxer: 'avi',
    video: ['mpeg4', 'msmpeg4v3', 'msmpeg4v2', 'mjpeg', 'mpeg1video', 'mpeg2video'],
    audio: ['mp3', 'ac3', 'mp2', 'pcm_s16le'],
    videoEncoder: MPEG4,
    audioEncoder: MP3,
    ...NO_SUBTITLES,
    output: [],
  },
  flv: {
    ext: 'flv',
    muxer: 'flv',
    video: ['h264', 'flv1'],
    audio: ['aac', 'mp3'],
    videoEncoder: H264,
    audioEncoder: AAC,
    ...NO_SUBTITLES,
    output: [],
  },
  ts: {
    ext: 'ts',
    muxer: 'mpegts',
    video: ['h264', 'hevc', 'mpeg2video', 'mpeg1video', 'mpeg4'],
    audio: ['aac', 'mp3', 'mp2', 'ac3', 'eac3', 'dts'],
    videoEncoder: H264,
    audioEncoder: AAC,
    ...NO_SUBTITLES,
    output: [],
  },
  '3gp': {
    ext: '3gp',
    muxer: '3gp',
    video: ['h264', 'mpeg4', 'h263'],
    audio: ['aac', 'amr_nb', 'amr_wb'],
    videoEncoder: H264,
    audioEncoder: AAC,
    ...NO_SUBTITLES,
    output: FRONT,
  },
  ogv: {
    ext: 'ogv',
    muxer: 'ogv',
    video: ['theora'],
    audio: ['vorbis', 'opus', 'flac'],
    videoEncoder: THEORA,
    audioEncoder: VORBIS,
    ...NO_SUBTITLES,
    output: [],
  },
  gif: {
    ext: 'gif',
    muxer: 'gif',
    video: ['gif'],
    audio: [],
    videoEncoder: GIF,
    audioEncoder: null,
    ...NO_SUBTITLES,
    output: [],
  },
}

const M4A: AudioTarget = { ext: 'm4a', muxer: 'ipod', codecs: ['aac'], encoder: AAC_ALONE, output: FRONT }
const OGG: AudioTarget = { ext: 'ogg', muxer: 'ogg', codecs: ['vorbis', 'opus', 'flac'], encoder: VORBIS, output: [] }

/** What each `output_format` of a sound means. */
export const AUDIO_TARGETS: Readonly<Record<AudioFormat, AudioTarget>> = {
  mp3: { ext: 'mp3', muxer: 'mp3', codecs: ['mp3'], encoder: MP3, output: ['-id3v2_version', '3'] },
  m4a: M4A,
  aac: { ext: 'aac', muxer: 'adts', codecs: ['aac'], encoder: AAC_ALONE, output: [] },
  opus: { ext: 'opus', muxer: 'opus', codecs: ['opus'], encoder: OPUS, output: [] },
  ogg: OGG,
  vorbis: { ...OGG, codecs: ['vorbis'] },
  flac: { ext: 'flac', muxer: 'flac', codecs: ['flac'], encoder: [['-c', 'flac']], output: [] },
  wav: { ext: 'wav', muxer: 'wav', codecs: PCM, encoder: [['-c', 'pcm_s16le']], output: [] },
  alac: { ...M4A, codecs: ['alac'], encoder: [['-c', 'alac']] },
  ac3: {
    ext: 'ac3',
    muxer: 'ac3',
    codecs: ['ac3'],
    encoder: [
      ['-c', 'ac3'],
      ['-b', '448k'],
    ],
    output: [],
  },
  mka: { ext: 'mka', muxer: 'matroska', codecs: [], encoder: [['-c', 'copy']], output: [] },
}

/** The target that a codec goes into when nobody asked for another; a codec without one goes into mka. */
const NATURAL_TARGETS: Readonly<Record<string, AudioFormat>> = {
  aac: 'm4a',
  alac: 'alac',
  opus: 'opus',
  vorbis: 'ogg',
  mp3: 'mp3',
  flac: 'flac',
  ac3: 'ac3',
}

/** Where a codec is at home; `mka`, which takes all, when it is nowhere. */
export function naturalAudioFormat(codec: string | null): AudioFormat {
  if (codec?.startsWith('pcm_') === true) return 'wav'
  return NATURAL_TARGETS[codec ?? ''] ?? 'mka'
}

/** The container of a pair of codecs that the most players open; mkv where there is no better one. */
export function naturalVideoFormat(video: string | null, audio: string | null): VideoFormat {
  const fits = (container: VideoContainer | undefined) =>
    (video === null || container?.video?.includes(video) === true) &&
    (audio === null || container?.audio?.includes(audio) === true)
  if (fits(VIDEO_CONTAINERS['webm']) && video !== 'av1') return 'webm'
  return fits(VIDEO_CONTAINERS['mp4']) ? 'mp4' : 'mkv'
}
