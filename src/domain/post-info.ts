import { z } from 'zod'
import type { Platform } from './platform.ts'
import {
  AUDIO_TYPES,
  expiryOf,
  imageAt,
  qualityOf,
  REFERERS,
  VIDEO_TYPES,
  type AudioItem,
  type ImageItem,
  type Item,
  type Post,
  type Source,
  type VideoItem,
} from './post.ts'

const text = z.string().nullish().catch(null)
const number = z.number().nullish().catch(null)

/** More of anything in one post is an attack on the memory. */
const MOST = 500

/** The items that can be read of a list. */
const list = <T>(item: z.ZodType<T>) =>
  z
    .array(z.unknown())
    .nullish()
    .catch(null)
    .transform((found) => (found ?? []).slice(0, MOST).flatMap((one) => item.safeParse(one).data ?? []))

const formatSchema = z.looseObject({
  url: text,
  ext: text,
  format_id: text,
  format_note: text,
  protocol: text,
  container: text,
  vcodec: text,
  acodec: text,
  width: number,
  height: number,
  fps: number,
  tbr: number,
  abr: number,
  filesize: number,
  filesize_approx: number,
  has_drm: z.union([z.boolean(), z.string()]).nullish().catch(null),
  http_headers: z.record(z.string(), z.string()).nullish().catch(null),
})
type Format = z.output<typeof formatSchema>

const thumbnailSchema = z.looseObject({ url: text, width: number, height: number })

const entrySchema = z.looseObject({
  title: text,
  description: text,
  thumbnail: text,
  uploader: text,
  channel: text,
  uploader_id: text,
  duration: number,
  extractor_key: text,
  formats: list(formatSchema),
  thumbnails: list(thumbnailSchema),
})
type Entry = z.output<typeof entrySchema>

const documentSchema = entrySchema.extend({
  entries: z.array(z.unknown()).nullish().catch(null),
})

/** Sites whose titles are titles; of the others the first line of what the author wrote says more. */
const TITLED: ReadonlySet<Platform> = new Set(['youtube', 'bilibili'])

/** Sites of which a post without a video is a post of pictures, and yt-dlp names the pictures as thumbnails. */
const PICTURES_AS_THUMBNAILS: ReadonlySet<Platform> = new Set(['instagram', 'xiaohongshu'])

/** How yt-dlp calls its extractors of a service. What a post only refers to, of another service, is not in it. */
const EXTRACTORS: Readonly<Record<Platform, RegExp>> = {
  tiktok: /^TikTok/i,
  douyin: /^Douyin/i,
  youtube: /^Youtube/i,
  twitter: /^Twitter/i,
  instagram: /^Instagram/i,
  xiaohongshu: /^XiaoHongShu/i,
  bilibili: /^Bili/i,
  kuaishou: /^Kuaishou/i,
  weibo: /^Weibo/i,
}

/**
 * What yt-dlp's info document says of a post: of each of its entries, where it is a carousel. Entries that could not be
 * read are left out. Null when it is no such document.
 */
export function fromInfo(document: unknown, platform: Platform): Post | null {
  const parsed = documentSchema.safeParse(document)
  if (!parsed.success) return null
  const info = parsed.data
  const all = info.entries
    ? info.entries.slice(0, MOST).flatMap((entry) => entrySchema.safeParse(entry).data ?? [])
    : [info]
  const entries = all.filter(({ extractor_key: key }) => !key || EXTRACTORS[platform].test(key))
  const tracks = entries.map((entry) => tracksOf(entry, platform))
  const images = entries.flatMap((entry, index) => (isPicture(tracks[index]) ? pictureOf(entry, platform) : []))
  const videos = tracks.flatMap((found) => found.videos)
  const audios = tracks.flatMap((found) => found.audios)
  const durations = entries.flatMap(({ duration }) => duration ?? [])
  return {
    title: titleOf(info, entries, platform),
    author: firstText([info, ...entries].flatMap((e) => [e.uploader, e.channel, e.uploader_id])),
    thumbnail: firstText([...[info, ...entries].flatMap((e) => [e.thumbnail, bestThumbnail(e)?.url]), images[0]?.url]),
    duration: videos.length + audios.length === 0 ? 0 : Math.max(0, ...durations),
    videos,
    audios,
    images,
  }
}

const firstText = (candidates: readonly (string | null | undefined)[]) => candidates.find((found) => found) ?? ''

function titleOf(info: Entry, entries: readonly Entry[], platform: Platform): string {
  if (TITLED.has(platform)) return info.title ?? ''
  const written = firstText([info, ...entries].map(({ description }) => description))
  const [line = ''] = written.trim().split(/\r?\n/, 1)
  return line || firstText([info, ...entries].map(({ title }) => title))
}

type Tracks = Readonly<{ videos: readonly VideoItem[]; audios: readonly AudioItem[] }>

const isPicture = (tracks: Tracks | undefined) => tracks?.videos.length === 0 && tracks.audios.length === 0

function tracksOf({ formats, extractor_key: extractor }: Entry, platform: Platform): Tracks {
  const usable = (formats ?? []).filter((format) => isUsable(format, platform))
  const withPicture = preferFiles(usable.filter(hasPicture))
  const soundOnly = preferFiles(usable.filter((format) => !hasPicture(format)))
  const context = { platform, isYouTube: /^youtube/i.test(extractor ?? platform) }
  const videos = distinct(withPicture.toSorted(byWorth), (f) =>
    [hasSound(f), f.width, f.height, Math.round((f.fps ?? 0) / 10), f.ext, codecFamily(f.vcodec)].join(' '),
  )
  const audios = distinct(soundOnly.toSorted(byBitrate), (f) => [Math.round(bitrateOf(f) / 8000), f.ext].join(' '))
  return {
    videos: videos.map((format) => toVideo(format, videos.length, context)),
    audios: audios.map((format) => toAudio(format, context)),
  }
}

/** Storyboards, protected tracks and TikTok's marked or unplayable copies are none that anybody wants. */
function isUsable(format: Format, platform: Platform): boolean {
  const { url, ext, protocol, has_drm: drm, format_note: note, vcodec, acodec } = format
  if (!url || !/^https?:\/\//i.test(url) || ext === 'mhtml' || protocol === 'mhtml') return false
  if ((drm ?? false) !== false || (vcodec === 'none' && acodec === 'none')) return false
  return !(platform === 'tiktok' && /watermarked|UNPLAYABLE/i.test(note ?? '')) && !/storyboard/i.test(note ?? '')
}

/** A codec that is not named may well be there. */
const hasPicture = ({ vcodec }: Format) => vcodec !== 'none'
const hasSound = ({ acodec }: Format) => acodec !== 'none'

const isManifest = ({ protocol }: Format) => /m3u8|dash|ism|f4m/i.test(protocol ?? '')

/** A manifest is worth naming only where there is no file. */
function preferFiles(formats: readonly Format[]): readonly Format[] {
  const files = formats.filter((format) => !isManifest(format))
  return files.length > 0 ? files : formats
}

const byWorth = (a: Format, b: Format) =>
  Number(hasSound(b)) - Number(hasSound(a)) ||
  (b.height ?? 0) - (a.height ?? 0) ||
  (b.fps ?? 0) - (a.fps ?? 0) ||
  (b.tbr ?? 0) - (a.tbr ?? 0)

const bitrateOf = ({ abr, tbr }: Format) => Math.round((abr ?? tbr ?? 0) * 1000)
const byBitrate = (a: Format, b: Format) => bitrateOf(b) - bitrateOf(a)

const codecFamily = (codec: string | null | undefined) => (codec ?? '').split('.', 1)[0]

function distinct(formats: readonly Format[], keyOf: (format: Format) => string): Format[] {
  const known = new Map<string, Format>()
  for (const format of formats) if (!known.has(keyOf(format))) known.set(keyOf(format), format)
  return [...known.values()]
}

type Context = Readonly<{ platform: Platform; isYouTube: boolean }>

function toVideo(format: Format, count: number, context: Context): VideoItem {
  return {
    ...itemOf(format, 'video', context.platform),
    source: sourceOf(format, context),
    quality: nameOf(format, count),
    width: format.width ?? null,
    height: format.height ?? null,
    fps: format.fps ?? null,
    hasAudio: hasSound(format),
    bytes: format.filesize ?? format.filesize_approx ?? null,
  }
}

function toAudio(format: Format, context: Context): AudioItem {
  const bitrate = bitrateOf(format)
  return {
    ...itemOf(format, 'audio', context.platform),
    source: sourceOf(format, context),
    quality: bitrate === 0 ? 'default' : `${Math.round(bitrate / 1000)}kbps`,
    bitrate,
    bytes: format.filesize ?? format.filesize_approx ?? null,
  }
}

function nameOf({ format_note: note, width, height }: Format, count: number): string {
  return note && /^\d{3,4}p\d*$/.test(note) ? note : qualityOf(width ?? null, height ?? null, count)
}

function sourceOf(format: Format, { platform, isYouTube }: Context): Source {
  const isSplit = !hasPicture(format) || !hasSound(format)
  if (/m3u8/i.test(format.protocol ?? '')) return 'adaptive'
  if (isYouTube) return isSplit ? 'adaptive' : 'direct'
  const isDash =
    /dash/i.test(format.protocol ?? '') ||
    /_dash$/i.test(format.container ?? '') ||
    /^dash/i.test(format.format_id ?? '') ||
    (platform === 'bilibili' && isSplit)
  return isDash ? 'dash' : 'direct'
}

const TYPES = { video: VIDEO_TYPES, audio: AUDIO_TYPES } as const

function typeOf(format: Format, kind: 'video' | 'audio'): string {
  if (/m3u8/i.test(format.protocol ?? '')) return 'application/vnd.apple.mpegurl'
  if (isManifest(format)) return 'application/dash+xml'
  return TYPES[kind][format.ext ?? ''] ?? (kind === 'video' ? 'video/mp4' : 'audio/mp4')
}

function itemOf(format: Format, kind: 'video' | 'audio', platform: Platform): Item {
  const url = format.url ?? ''
  return { url, mimeType: typeOf(format, kind), headers: headersOf(format, platform), expiresAt: expiryOf(url) }
}

/** Headers that a browser sends anyway, or that would tell a session. */
const OWN_HEADERS = /^(accept|accept-language|accept-encoding|sec-.*|cookie|authorization|user-agent)$/i

function headersOf({ http_headers: given }: Format, platform: Platform): Record<string, string> {
  const said = Object.entries(given ?? {}).filter(([name]) => !OWN_HEADERS.test(name))
  return { Referer: REFERERS[platform], ...Object.fromEntries(said) }
}

const area = ({ width, height }: z.output<typeof thumbnailSchema>) => (width ?? 0) * (height ?? 0)

function bestThumbnail({ thumbnails }: Entry): z.output<typeof thumbnailSchema> | null {
  const usable = (thumbnails ?? []).filter(({ url }) => url && /^https?:\/\//i.test(url))
  // The last one is yt-dlp's own favourite; sizes count more where there are any.
  return usable.toReversed().toSorted((a, b) => area(b) - area(a))[0] ?? null
}

function pictureOf(entry: Entry, platform: Platform): ImageItem[] {
  if (!PICTURES_AS_THUMBNAILS.has(platform)) return []
  if (platform === 'xiaohongshu') return noteImages(entry)
  const best = bestThumbnail(entry)
  return best ? [imageOf(best, platform)] : []
}

/** Each picture of a note comes twice, `…!nd_prv…` and `…!nd_dft…`; the latter is the larger. */
function noteImages({ thumbnails }: Entry): ImageItem[] {
  const byName = new Map<string, z.output<typeof thumbnailSchema>>()
  for (const found of thumbnails ?? []) {
    const [name = ''] = (found.url ?? '').split('!', 1)
    const known = byName.get(name)
    if (name !== '' && (!known || /!nd_dft/.test(found.url ?? ''))) byName.set(name, found)
  }
  return [...byName.values()].map((found) =>
    imageOf(found, 'xiaohongshu', /_webp/.test(found.url ?? '') ? 'webp' : null),
  )
}

const imageOf = (
  { url, width = null, height = null }: z.output<typeof thumbnailSchema>,
  platform: Platform,
  extension: string | null = null,
): ImageItem => imageAt(url ?? '', platform, { width, height, extension })
