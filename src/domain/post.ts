import type { Platform } from './platform.ts'

/** What a post consists of, whichever tool read it. Sizes in pixels, durations in seconds, null = nobody said. */
export type Post = Readonly<{
  title: string
  author: string
  /** Address of a picture of it; empty when there is none. */
  thumbnail: string
  /** 0 for pictures. */
  duration: number
  videos: readonly VideoItem[]
  audios: readonly AudioItem[]
  images: readonly ImageItem[]
}>

/** `direct`: a file as it is; `adaptive`: one of YouTube's split tracks, or HLS; `dash`: a track of a DASH manifest. */
export type Source = 'direct' | 'adaptive' | 'dash' | 'live_photo'

export type Item = Readonly<{
  url: string
  mimeType: string
  /** What the host wants to be asked with, beyond a browser's own. */
  headers: Readonly<Record<string, string>>
  /** Milliseconds since the epoch; null = it does not say. */
  expiresAt: number | null
}>

export type VideoItem = Item &
  Readonly<{
    source: Source
    quality: string
    width: number | null
    height: number | null
    fps: number | null
    hasAudio: boolean
    bytes: number | null
  }>

export type AudioItem = Item &
  Readonly<{ source: Source; quality: string; /** bit/s; 0 = unknown. */ bitrate: number; bytes: number | null }>

export type ImageItem = Item & Readonly<{ width: number | null; height: number | null }>

/** Where a service's hosts refuse whoever does not seem to come from its own pages. */
export const REFERERS: Readonly<Record<Platform, string>> = {
  douyin: 'https://www.douyin.com/',
  tiktok: 'https://www.tiktok.com/',
  bilibili: 'https://www.bilibili.com/',
  xiaohongshu: 'https://www.xiaohongshu.com/',
  weibo: 'https://weibo.com/',
  youtube: 'https://www.youtube.com/',
  instagram: 'https://www.instagram.com/',
  kuaishou: 'https://www.kuaishou.com/',
  twitter: 'https://x.com/',
}

/** Names under which hosts say in the query when an address stops working: seconds since the epoch. */
const EXPIRY_NAMES: ReadonlySet<string> = new Set(['expire', 'expires', 'deadline', 'x-expires'])

/** When an address stops working, where it says so; YouTube's lists say it in their path, Instagram's files in hex. */
export function expiryOf(address: string): number | null {
  const url = URL.parse(address)
  if (url === null) return null
  const inQuery = [...url.searchParams].find(([name]) => EXPIRY_NAMES.has(name.toLowerCase()))?.[1]
  const seconds = inQuery ?? /\/expire\/(\d{10})\//.exec(url.pathname)?.[1] ?? ''
  if (/^\d{10}$/.test(seconds)) return Number(seconds) * 1000
  const hex = url.searchParams.get('oe') ?? ''
  return /^[\da-f]{8}$/i.test(hex) ? Number.parseInt(hex, 16) * 1000 : null
}

const IMAGE_TYPES: Readonly<Record<string, string>> = {
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  avif: 'image/avif',
  heic: 'image/heic',
}
const IMAGE_NAMES: ReadonlySet<string> = new Set([...Object.keys(IMAGE_TYPES), 'jpg', 'jpeg'])

export const VIDEO_TYPES: Readonly<Record<string, string>> = {
  mp4: 'video/mp4',
  m4v: 'video/mp4',
  webm: 'video/webm',
  mov: 'video/quicktime',
  mkv: 'video/x-matroska',
  flv: 'video/x-flv',
  '3gp': 'video/3gpp',
  ts: 'video/mp2t',
}

export const AUDIO_TYPES: Readonly<Record<string, string>> = {
  m4a: 'audio/mp4',
  mp4: 'audio/mp4',
  mp3: 'audio/mpeg',
  webm: 'audio/webm',
  opus: 'audio/ogg',
  ogg: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
}

/** The end of the file's name in an address, in lower case; empty when it has none. */
export const extensionOf = (url: string): string =>
  /\.(\w{2,5})$/.exec(URL.parse(url)?.pathname ?? '')?.[1]?.toLowerCase() ?? ''

/** A picture at an address; `extension` where it is known better than by its name. */
export const imageAt = (
  url: string,
  platform: Platform,
  {
    width = null,
    height = null,
    extension,
  }: Readonly<{ width?: number | null; height?: number | null; extension?: string | null }> = {},
): ImageItem => ({
  url,
  mimeType: IMAGE_TYPES[extension ?? extensionOf(url)] ?? 'image/jpeg',
  headers: { Referer: REFERERS[platform] },
  expiresAt: expiryOf(url),
  width,
  height,
})

/** What people call the height of a picture: its shorter side, of upright ones too. `count`: how many there are to choose from. */
export function qualityOf(width: number | null, height: number | null, count: number): string {
  const side = Math.min(width ?? Infinity, height ?? Infinity)
  if (!Number.isFinite(side) || side <= 0) return 'default'
  if (count > 1) return `${side}p`
  return side >= 720 ? 'HD' : 'SD'
}

/** Where nothing but a title may have been found. */
export const hasMedia = ({ videos, audios, images }: Post): boolean => videos.length + audios.length + images.length > 0

/** What two tools found of one post: of each kind the first one's, and where it has none the other's. */
export function joinPosts(first: Post, second: Post): Post {
  const either = <T>(a: readonly T[], b: readonly T[]) => (a.length > 0 ? a : b)
  return {
    title: first.title || second.title,
    author: first.author || second.author,
    thumbnail: first.thumbnail || second.thumbnail,
    duration: Math.max(first.duration, second.duration),
    videos: either(first.videos, second.videos),
    audios: either(first.audios, second.audios),
    images: either(first.images, second.images),
  }
}

/** The post that an address is which names a medium itself. By its name it is a picture, a sound or, failing both, a video. */
export function fileAt(url: string, platform: Platform): Post {
  const extension = extensionOf(url)
  const isPicture =
    IMAGE_NAMES.has(extension) || (VIDEO_TYPES[extension] === undefined && /pic\./.test(new URL(url).host))
  const audioType = isPicture || VIDEO_TYPES[extension] !== undefined ? undefined : AUDIO_TYPES[extension]
  const item = { url, headers: { Referer: REFERERS[platform] }, expiresAt: expiryOf(url), bytes: null }
  const file = { ...item, source: 'direct', quality: 'default' } as const
  const shape = { width: null, height: null, fps: null, hasAudio: true } as const
  return {
    title: '',
    author: '',
    thumbnail: isPicture ? url : '',
    duration: 0,
    videos: isPicture || audioType ? [] : [{ ...file, ...shape, mimeType: VIDEO_TYPES[extension] ?? 'video/mp4' }],
    audios: audioType ? [{ ...file, mimeType: audioType, bitrate: 0 }] : [],
    images: isPicture ? [imageAt(url, platform)] : [],
  }
}

/** When the first of a post's addresses stops working, milliseconds since the epoch; null = none of them says. */
export function expiryOfPost({ videos, audios, images }: Post): number | null {
  const times = [...videos, ...audios, ...images].flatMap(({ expiresAt }) => expiresAt ?? [])
  return times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b))
}
