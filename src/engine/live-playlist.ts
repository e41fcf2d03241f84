/** HLS playlists as far as choosing where a recording begins needs them (RFC 8216). Pure. */

/** A piece of a stream, by its absolute address. */
export type Segment = Readonly<{ url: string; seconds: number }>

/** One quality of a stream; `bitRate` in bits a second, 0 when it is not told. */
export type Variant = Readonly<{ url: string; bitRate: number; height: number | null }>

/** A playlist of segments. */
export type MediaPlaylist = Readonly<{
  kind: 'media'
  segments: readonly Segment[]
  /** Seconds; no segment is longer. */
  targetSeconds: number
  /** No segment will be added: the broadcast is over, or was never one. */
  isEnded: boolean
}>

/** A playlist of playlists, one for each quality. */
export type MasterPlaylist = Readonly<{ kind: 'master'; variants: readonly Variant[] }>

/** A day of one-second segments; the oldest ones beyond are forgotten. */
const MAX_SEGMENTS = 100_000

/** Far more than any ladder of qualities has. */
const MAX_VARIANTS = 1_000
/** Tags before one address. */
const MAX_SHARING = 8

/** null when the text is no playlist. Addresses are made absolute by `baseUrl`. */
export function parsePlaylist(text: string, baseUrl: string): MediaPlaylist | MasterPlaylist | null {
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  if (lines[0]?.replace(/^\uFEFF/, '').startsWith('#EXTM3U') !== true) return null
  return lines.some((line) => line.startsWith('#EXT-X-STREAM-INF:'))
    ? { kind: 'master', variants: variantsOf(lines, baseUrl) }
    : mediaPlaylist(lines, baseUrl)
}

function variantsOf(lines: readonly string[], baseUrl: string): Variant[] {
  const variants: Variant[] = []
  let tags: string[] = []
  for (const line of lines) {
    if (line.startsWith('#EXT-X-STREAM-INF:')) tags = [...tags.slice(0, MAX_SHARING), line]
    else if (line !== '' && !line.startsWith('#') && tags.length > 0) {
      const url = absolute(line, baseUrl)
      if (url !== null) variants.push(...tags.map((tag) => variantOf(tag, url)))
      tags = []
    }
    if (variants.length >= MAX_VARIANTS) break
  }
  return variants
}

function variantOf(tag: string, url: string): Variant {
  const height = /RESOLUTION=\d{1,6}x(\d{1,6})/.exec(tag)?.[1]
  const bitRate = Number(/[:,]BANDWIDTH=(\d{1,15})/.exec(tag)?.[1] ?? 0)
  return { url, bitRate, height: height === undefined ? null : Number(height) }
}

function mediaPlaylist(lines: readonly string[], baseUrl: string): MediaPlaylist {
  const found: { reference: string; seconds: number }[] = []
  let seconds: number | null = null
  for (const line of lines) {
    if (line.startsWith('#EXTINF:')) seconds = Number.parseFloat(line.slice(8)) || 0
    else if (line !== '' && !line.startsWith('#') && seconds !== null) {
      found.push({ reference: line, seconds })
      seconds = null
    }
  }
  const segments = found.slice(-MAX_SEGMENTS).flatMap(({ reference, ...rest }) => {
    const url = absolute(reference, baseUrl)
    return url === null ? [] : [{ url, ...rest }]
  })
  const target = lines.find((line) => line.startsWith('#EXT-X-TARGETDURATION:'))?.split(':')[1]
  return {
    kind: 'media',
    segments,
    targetSeconds: Math.max(Number(target ?? 0) || 0, ...segments.slice(-100).map((segment) => segment.seconds)),
    isEnded: lines.includes('#EXT-X-ENDLIST'),
  }
}

function absolute(reference: string, baseUrl: string): string | null {
  return URL.parse(reference, baseUrl)?.href ?? null
}

/** The variant nearest to what was chosen: by height, then by bit rate; the best one when nothing is known. */
export function chooseVariant(
  { variants }: MasterPlaylist,
  chosen: Readonly<{ height: number | null; bitRate: number | null }>,
): Variant | null {
  const distance = (variant: Variant) => [
    chosen.height === null ? 0 : Math.abs((variant.height ?? 0) - chosen.height),
    chosen.bitRate === null ? -variant.bitRate : Math.abs(variant.bitRate - chosen.bitRate),
  ]
  const nearest = variants.toSorted((one, other) => {
    const [height = 0, rate = 0] = distance(one)
    const [otherHeight = 0, otherRate = 0] = distance(other)
    return height - otherHeight || rate - otherRate
  })
  return nearest[0] ?? null
}

/** Where a recording begins; indexes count in `segments`. */
export type LiveStart = Readonly<{
  segments: readonly Segment[]
  /** Index of the segment the recording should begin with. */
  wanted: number
  /** Index of the one to be asked for: earlier, as the window moves on until the request is made. */
  asked: number
  /** The window does not reach back as far as was asked for. */
  isClipped: boolean
}>

/** How much earlier than wanted ffmpeg is told to begin; what is too much is cut off afterwards. */
const MARGIN_SECONDS = 2

/** Where to begin so that the first thing recorded was `startSeconds` before the newest there is, or just before. */
export function chooseStart({ segments }: MediaPlaylist, startSeconds: number): LiveStart {
  const wanted = indexBefore(segments, segments.length, startSeconds)
  const isClipped = secondsBetween(segments, 0, segments.length) < startSeconds - 0.001
  return { segments, wanted, asked: indexBefore(segments, wanted, MARGIN_SECONDS), isClipped }
}

/** The last segment before `end` from which at least `seconds` lie before it; the first there is when none does. */
function indexBefore(segments: readonly Segment[], end: number, seconds: number): number {
  let index = end
  let sum = 0
  while (index > 0 && (index === segments.length || sum < seconds - 0.001)) {
    index--
    sum += segments[index]?.seconds ?? 0
  }
  return index
}

/** Seconds of the segments from `from` up to, but not including, `to`; 0 when there are none between. */
export function secondsBetween(segments: readonly Segment[], from: number, to: number): number {
  return segments.slice(from, to).reduce((sum, { seconds }) => sum + seconds, 0)
}

/** Which segment an address is, also when its query has changed since; null when that is not clear. */
export function findSegment(segments: readonly Segment[], url: string): number | null {
  const exact = segments.findIndex((segment) => segment.url === url)
  if (exact >= 0 && segments.findLastIndex((segment) => segment.url === url) === exact) return exact
  const bare = withoutQuery(url)
  const matches = segments.flatMap((segment, index) => (withoutQuery(segment.url) === bare ? [index] : []))
  return matches.length === 1 ? (matches[0] ?? null) : null
}

function withoutQuery(url: string): string {
  return url.split(/[?#]/, 1)[0] ?? url
}
