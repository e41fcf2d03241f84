import { REQUEST_DEFAULTS, type TaskRequest } from './task.ts'

/** What can be asked for without knowing selectors. `audio`: the sound alone. */
export const QUALITIES = ['best', '2160p', '1440p', '1080p', '720p', '480p', 'worst', 'audio'] as const
export type Quality = (typeof QUALITIES)[number]

/** Whether a quality says something of the picture. */
export const isOfPicture = (quality: Quality): boolean => /^\d+p$/.test(quality)

type Selectors = Pick<TaskRequest, 'videoFormat' | 'audioFormat'>

/** The selectors of a quality. A number of lines is the most there may be; where all have more, the least. */
export function selectorsOf(quality: Quality): Selectors {
  const { videoFormat, audioFormat } = REQUEST_DEFAULTS
  if (quality === 'best' || quality === 'audio') return { videoFormat, audioFormat }
  if (quality === 'worst') return { videoFormat: 'worstvideo*', audioFormat: 'worstaudio' }
  return { videoFormat: upTo(Number.parseInt(quality, 10)), audioFormat }
}

/**
 * An upright picture has its lines across: 1080p is 1080 × 1920 there. What does not tell its size passes, and files
 * with picture and sound count, because some pages have no others.
 */
const upTo = (lines: number) =>
  `bestvideo*[height<=?${lines}][aspect_ratio>=?1]/bestvideo*[width<=?${lines}][aspect_ratio<?1]/worstvideo*`
