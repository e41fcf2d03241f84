import type { Details, DetailedFormat, DetailedMedium } from '../../domain/details.ts'
import type { ApiKey } from '../../domain/key.ts'
import { hasPicture, hasSound } from '../../domain/social-post.ts'
import type { MezdiaContext } from './context.ts'

/** Videos of a playlist that are read one by one; how many at a time, and for how long. */
export const MAX_VIDEOS = 50
const AT_ONCE = 2
const READING_MS = 60_000

/** The playlist of an address that names a playlist of YouTube and a video in it; any other as it is. */
export function listUrlOf(url: string): string {
  const { hostname, searchParams } = new URL(url)
  const list = searchParams.get('list')
  const isYouTube = /(^|\.)(youtube\.com|youtu\.be)$/.test(hostname)
  return isYouTube && list !== null ? `https://www.youtube.com/playlist?list=${encodeURIComponent(list)}` : url
}

/**
 * The videos of a playlist, each read by itself as far as time allows; of the others, and of those that cannot be read,
 * what the list tells.
 */
export async function readVideos(
  { details }: Pick<MezdiaContext, 'details'>,
  key: ApiKey,
  { entries }: Details,
  signal: AbortSignal,
): Promise<readonly DetailedMedium[]> {
  const videos = (entries ?? []).slice(0, MAX_VIDEOS)
  const found: DetailedMedium[] = [...videos]
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(READING_MS)])
  let next = 0
  const work = async () => {
    while (next < videos.length && !inTime.aborted) {
      const index = next++
      const video = videos[index]
      const url = video?.webpage_url ?? video?.url ?? null
      if (!video || url === null || video.formats.length > 0) continue
      const read = await details.look(key, url, inTime).catch(() => null) // the list's own words stay
      if (read !== null && read.entries === null) found[index] = read
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  signal.throwIfAborted()
  return found
}

/** One file with picture and sound that a browser can play as it is, of at most so many lines; null when there is none. */
export function streamOf({ formats }: Details, lines: number | 'best' | 'worst'): DetailedFormat | null {
  const whole = formats.filter((format) => format.url !== null && hasPicture(format) && hasSound(format))
  const plain = whole.filter(({ protocol }) => protocol === 'https' || protocol === 'http')
  const fits = ({ height }: DetailedFormat) => typeof lines !== 'number' || height === null || height <= lines
  // Formats stand from the worst to the best.
  const chosen = [plain.filter(fits), whole.filter(fits), plain, whole].find((choice) => choice.length > 0) ?? []
  return (lines === 'worst' ? chosen[0] : chosen.at(-1)) ?? null
}

/** Names of the pictures that YouTube has of every video, and their widths elsewhere. */
export const THUMBNAILS = {
  maxres: ['maxresdefault', 1280],
  hq: ['hqdefault', 480],
  mq: ['mqdefault', 320],
  sd: ['sddefault', 640],
  default: ['default', 120],
} as const
export type ThumbnailQuality = keyof typeof THUMBNAILS

/** Where the picture of a video is in about that size; null when there is none. */
export function thumbnailOf(details: Details, quality: ThumbnailQuality): string | null {
  const [name, wanted] = THUMBNAILS[quality]
  if (details.id !== null && /^youtube$/i.test(details.extractor_key ?? ''))
    return `https://img.youtube.com/vi/${encodeURIComponent(details.id)}/${name}.jpg`
  const sized = details.thumbnails.filter(({ url, width }) => url !== null && width !== null)
  const distance = (width: number | null) => Math.abs((width ?? 0) - wanted)
  const nearest = sized.toSorted((a, b) => distance(a.width) - distance(b.width))[0]
  return nearest?.url ?? details.thumbnail ?? details.thumbnails.at(-1)?.url ?? null
}
