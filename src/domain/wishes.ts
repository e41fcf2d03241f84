import { isAudioFormat, isVideoFormat, type AudioFormat, type VideoFormat } from './output-format.ts'
import type { EmbedWish, TaskRequest } from './task.ts'

/** What `output_format` of a thumbnail may be. */
export const IMAGE_FORMATS = ['jpg', 'png', 'webp'] as const
export type ImageFormat = (typeof IMAGE_FORMATS)[number]

/** What can become part of a file, by its form. */
export const CARRIES: Readonly<Record<VideoFormat | AudioFormat, readonly EmbedWish[]>> = {
  mp4: ['subtitles', 'thumbnail', 'metadata', 'chapters'],
  m4v: ['subtitles', 'thumbnail', 'metadata', 'chapters'],
  mkv: ['subtitles', 'thumbnail', 'metadata', 'chapters'],
  mov: ['subtitles', 'metadata', 'chapters'],
  webm: ['subtitles', 'metadata', 'chapters'],
  avi: ['metadata'],
  flv: ['metadata'],
  ts: [],
  '3gp': [],
  ogv: [],
  gif: [],
  mp3: ['thumbnail', 'metadata', 'chapters'],
  m4a: ['thumbnail', 'metadata', 'chapters'],
  alac: ['thumbnail', 'metadata', 'chapters'],
  opus: ['thumbnail', 'metadata', 'chapters'],
  ogg: ['thumbnail', 'metadata', 'chapters'],
  vorbis: ['thumbnail', 'metadata', 'chapters'],
  mka: ['thumbnail', 'metadata', 'chapters'],
  flac: ['thumbnail', 'metadata'],
  wav: ['metadata'],
  aac: [],
  ac3: [],
}

const LOSSLESS: ReadonlySet<string> = new Set(['flac', 'wav', 'alac', 'mka', 'gif'])

/** What has to become part of the file: chapters also where SponsorBlock's parts are marked in it. */
export function partsToEmbed({ embed, sponsorBlock }: TaskRequest): ReadonlySet<EmbedWish> {
  return new Set([...embed, ...(sponsorBlock?.action === 'mark' ? (['chapters'] as const) : [])])
}

/** A wish that does not go with the others: which, and what to change. */
export type Conflict = Readonly<{ wish: keyof TaskRequest; message: string }>

/** What a request asks for that does not go together; null when all of it does. */
export function conflictIn(request: TaskRequest): Conflict | null {
  if (request.kind === 'playlist') {
    return request.playlist === null ? null : conflictIn({ ...request, kind: request.playlist.kind, playlist: null })
  }
  return conflictOfKind(request) ?? conflictOfParts(request) ?? conflictOfFormat(request)
}

/** Wishes that only make sense where a whole medium is fetched. */
function conflictOfKind(request: TaskRequest): Conflict | null {
  if (request.kind === 'video' || request.kind === 'audio') return null
  const asked: readonly (readonly [wish: keyof TaskRequest, isAsked: boolean])[] = [
    ['clips', request.clips.length > 0],
    ['chapters', request.chapters !== null],
    ['embed', request.embed.length > 0],
    ['write', request.write.length > 0],
    ['sponsorBlock', request.sponsorBlock !== null],
  ]
  const wish = asked.find(([, isAsked]) => isAsked)?.[0]
  return wish === undefined
    ? null
    : { wish, message: `${wish.toLowerCase()} is for the kinds video and audio: leave it out` }
}

function conflictOfParts({ clips, chapters, sponsorBlock, kind, embed, subtitles }: TaskRequest): Conflict | null {
  if (clips.length > 0 && chapters !== null)
    return { wish: 'chapters', message: 'ask for clips or for chapters, not for both' }
  if (sponsorBlock !== null && (clips.length > 0 || chapters !== null)) {
    return { wish: 'sponsorBlock', message: 'sponsorblock works on the whole medium: leave clips and chapters out' }
  }
  if (!embed.includes('subtitles')) return null
  if (kind === 'audio') return { wish: 'embed', message: 'subtitles cannot become part of a sound: write them instead' }
  if (subtitles.format !== 'lrc') return null
  return { wish: 'subtitles', message: 'lrc cannot become part of a video: ask for subtitles as srt, vtt or ass' }
}

function conflictOfFormat(request: TaskRequest): Conflict | null {
  const { kind, outputFormat } = request
  switch (kind) {
    case 'thumbnail':
      return isImageFormat(outputFormat)
        ? null
        : { wish: 'outputFormat', message: `output_format of a thumbnail may be ${IMAGE_FORMATS.join(', ')}` }
    case 'subtitles':
      return outputFormat === null
        ? null
        : { wish: 'outputFormat', message: 'output_format is not for subtitles: use subtitles.format' }
    case 'video':
    case 'live_video':
      return request.audioBitrate !== null && request.audioFormat === null
        ? { wish: 'audioBitrate', message: 'a video without sound has no audio bitrate' }
        : conflictOfMedia(request, 'mkv or mp4')
    case 'audio':
    case 'live_audio':
      return conflictOfMedia(request, 'mp3, m4a or opus')
    case 'info':
    case 'playlist':
    case 'post':
      return null
  }
}

const isImageFormat = (wanted: string | null) => wanted === null || IMAGE_FORMATS.some((format) => format === wanted)

/** `able`: formats that carry the most. */
function conflictOfMedia(request: TaskRequest, able: string): Conflict | null {
  const { outputFormat, audioBitrate } = request
  if (outputFormat === null || !(isVideoFormat(outputFormat) || isAudioFormat(outputFormat))) return null
  if (audioBitrate !== null && LOSSLESS.has(outputFormat))
    return { wish: 'audioBitrate', message: `${outputFormat} has no audio bitrate: leave it out` }
  const lost = [...partsToEmbed(request)].find((wish) => !CARRIES[outputFormat].includes(wish))
  if (lost === undefined) return null
  return { wish: 'embed', message: `${outputFormat} cannot carry ${lost}: choose ${able}, or leave it out` }
}
