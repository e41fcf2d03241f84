import { selectorsOf, type Quality } from '../../domain/quality.ts'
import { REQUEST_DEFAULTS, type PlaylistWish, type TaskRequest } from '../../domain/task.ts'
import { oneOf, requireUrl } from './fields.ts'

/** The words of this face for what others know by numbers of lines. */
const QUALITY_OF = {
  best: 'best',
  worst: 'worst',
  '720p': '720p',
  '1080p': '1080p',
  '1440p': '1440p',
  '4k': '2160p',
  audio_only: 'audio',
} as const satisfies Record<string, Quality>

export const QUALITIES = Object.keys(QUALITY_OF) as (keyof typeof QUALITY_OF)[]
export const TYPES = ['video', 'audio'] as const
export const BATCH_TYPES = ['video', 'audio', 'both'] as const
export const AUDIO_FORMATS = ['best', 'mp3', 'm4a'] as const

/** kbit/s of a sound that is converted. */
const AUDIO_BITRATE = 192

/** What a client wants of a video, in its own words. */
export type Wish = Readonly<{
  url: string
  quality: string
  type: string
  audio_format: string
  format_id?: string | null | undefined
}>

/** The task for a wish; refuses words that this face does not know. */
export function requestOf(wish: Wish): TaskRequest {
  const url = requireUrl(wish.url)
  const quality = oneOf(QUALITIES, wish.quality, 'quality')
  const type = oneOf(TYPES, wish.type, 'type')
  const audioFormat = oneOf(AUDIO_FORMATS, wish.audio_format, 'audio format')
  const formatId = wish.format_id ?? null
  if (type === 'audio' || (formatId === null && quality === 'audio_only')) return soundOf(url, audioFormat, formatId)
  const selectors = selectorsOf(QUALITY_OF[quality])
  return {
    ...REQUEST_DEFAULTS,
    ...selectors,
    ...(formatId === null ? {} : { videoFormat: formatId }),
    kind: 'video',
    url,
  }
}

/** The sound of a video, as it is or converted. */
export function soundOf(
  url: string,
  audioFormat: (typeof AUDIO_FORMATS)[number],
  formatId: string | null = null,
): TaskRequest {
  const isConverted = audioFormat !== 'best'
  return {
    ...REQUEST_DEFAULTS,
    kind: 'audio',
    url,
    audioFormat: formatId ?? REQUEST_DEFAULTS.audioFormat,
    outputFormat: isConverted ? audioFormat : null,
    audioBitrate: isConverted ? AUDIO_BITRATE : null,
  }
}

/** The same for videos of a playlist: all of them, or those at these places, from 0. */
export function playlistRequestOf(wish: Wish, listUrl: string, indices: readonly number[] | null): TaskRequest {
  const request = requestOf(wish)
  const playlist: PlaylistWish = {
    kind: request.kind === 'audio' ? 'audio' : 'video',
    items: indices && [...new Set(indices)].map((index) => ({ from: index + 1, to: index + 1 })),
    dateAfter: null,
    dateBefore: null,
    minDuration: null,
    maxDuration: null,
    title: null,
    limit: null,
    skipDownloaded: false,
  }
  return { ...request, kind: 'playlist', url: listUrl, playlist }
}
