import type { DetailedFormat, DetailedMedium, Details } from './details.ts'

/** One medium of a post: a video at its best single file, or a picture at its largest. */
export type PostMedium = Readonly<{
  kind: 'video' | 'image'
  url: string | null
  thumbnail: string | null
  duration: number | null
  width: number | null
  height: number | null
}>

/** A codec that nobody names may well be there. */
export const hasPicture = ({ vcodec }: Pick<DetailedFormat, 'vcodec'>): boolean => vcodec !== 'none'
export const hasSound = ({ acodec }: Pick<DetailedFormat, 'acodec'>): boolean => acodec !== 'none'

const isFile = ({ url, protocol }: DetailedFormat) => url !== null && (protocol === 'https' || protocol === 'http')

/** The shorter side is what people call the lines of an upright video, too. */
const linesOf = ({ width, height }: DetailedFormat) => Math.min(width ?? Infinity, height ?? Infinity)

/** The best file of a video with at most so many lines; the smallest where all have more. Null when it has none. */
export function bestFile({ formats }: DetailedMedium, maxLines: number | null = null): DetailedFormat | null {
  const pictured = formats.filter((format) => isFile(format) && hasPicture(format))
  const whole = pictured.filter(hasSound)
  const files = whole.length > 0 ? whole : pictured
  const fitting = files.filter(
    (format) => maxLines === null || linesOf(format) <= maxLines || linesOf(format) === Infinity,
  )
  // Formats stand from the worst to the best.
  return fitting.at(-1) ?? files[0] ?? null
}

/** The largest picture of a medium; null when it has none. */
export function largestPicture({ thumbnails, thumbnail }: DetailedMedium): DetailedMedium['thumbnails'][number] | null {
  const area = ({ width, height }: DetailedMedium['thumbnails'][number]) => (width ?? 0) * (height ?? 0)
  const sized = thumbnails
    .filter(({ url }) => url !== null)
    .toReversed()
    .toSorted((a, b) => area(b) - area(a))
  return sized[0] ?? (thumbnail === null ? null : { id: null, url: thumbnail, width: null, height: null })
}

/** The media of a post in its own order. */
export const mediaOf = (details: Details): readonly DetailedMedium[] => details.entries ?? [details]

/** Whether a medium moves. */
export const isVideo = (medium: DetailedMedium): boolean => medium.formats.length > 0

const NO_PICTURE = { url: null, width: null, height: null } as const

function mediumOf(medium: DetailedMedium): PostMedium {
  const { url, width, height } = largestPicture(medium) ?? NO_PICTURE
  const thumbnail = medium.thumbnail ?? url
  if (!isVideo(medium)) return { kind: 'image', url, thumbnail, duration: null, width, height }
  const file = bestFile(medium)
  return {
    kind: 'video',
    url: file?.url ?? null,
    thumbnail,
    duration: medium.duration,
    width: file?.width ?? medium.width,
    height: file?.height ?? medium.height,
  }
}

/** The code in the address of a post. */
export const codeOf = (url: string): string => /\/(?:p|reel|tv)\/([\w-]+)/.exec(new URL(url).pathname)?.[1] ?? ''

const dayOf = (timestamp: number | null): string | null =>
  timestamp === null ? null : new Date(timestamp * 1000).toISOString().slice(0, 10).replaceAll('-', '')

/** What everybody is told of a post, by the names that yt-dlp and its users have for it. */
export function describePost(details: Details, url: string) {
  const first = mediaOf(details)[0]
  const media = mediaOf(details).map(mediumOf)
  const isCarousel = details.entries !== null
  const known = <K extends keyof DetailedMedium>(name: K) => details[name] ?? first?.[name] ?? null
  const timestamp = known('timestamp')
  return {
    type: isCarousel ? ('carousel' as const) : (media[0]?.kind ?? ('image' as const)),
    post_id: codeOf(url),
    shortcode: codeOf(url),
    caption: known('description'),
    owner: { username: known('channel'), user_id: known('uploader_id') },
    timestamp,
    upload_date: known('upload_date') ?? dayOf(timestamp),
    view_count: known('view_count'),
    like_count: known('like_count'),
    comment_count: known('comment_count'),
    duration: isCarousel ? null : known('duration'),
    thumbnail: known('thumbnail') ?? media[0]?.thumbnail ?? null,
    webpage_url: url,
    is_carousel: isCarousel,
    carousel_count: isCarousel ? media.length : null,
    media_items: isCarousel
      ? media.map(({ kind, url: at, thumbnail, duration, width, height }, index) => ({
          index,
          type: kind,
          url: at,
          thumbnail,
          duration,
          width,
          height,
        }))
      : null,
  }
}
