import { z } from 'zod'
import type { Platform } from './platform.ts'
import {
  AUDIO_TYPES,
  expiryOf,
  extensionOf,
  hasMedia,
  imageAt,
  qualityOf,
  REFERERS,
  VIDEO_TYPES,
  type AudioItem,
  type ImageItem,
  type Post,
  type VideoItem,
} from './post.ts'

const text = z.string().nullish().catch(null)

/** gallery-dl is told to print numbers as texts, because ids are larger than JavaScript's numbers. */
const amount = z.coerce.number().nonnegative().nullish().catch(null)

const person = z.object({ name: text, nick: text, nickname: text, screen_name: text, uniqueId: text })
type Person = Partial<z.output<typeof person>>

/** The keys that the services we ask it for are described with. */
const factsSchema = z.looseObject({
  type: text,
  extension: text,
  width: amount,
  height: amount,
  duration: amount,
  video_url: text,
  title: text,
  desc: text,
  content: text,
  description: text,
  username: text,
  fullname: text,
  user: z.union([z.string(), person]).nullish().catch(null),
  author: person.nullish().catch(null),
  status: z
    .looseObject({ text_raw: text, user: person.nullish().catch(null) })
    .nullish()
    .catch(null),
})
type Facts = z.output<typeof factsSchema>

type File = Readonly<{ url: string; facts: Facts; kind: 'video' | 'audio' | 'image' | 'live_photo' }>

/** More rows of one post are an attack on the memory. */
const MOST = 500

/** Marks of the rows that gallery-dl prints. */
const DIRECTORY = 2
const FILE = 3
const FAILURE = -1

/**
 * What the rows say that gallery-dl printed of a post: a `[3, address, facts]` for each file, before them a `[2, facts]`
 * of the whole. Null when these are no such rows, or there is no file in them.
 */
export function fromGalleryRows(rows: unknown, platform: Platform): Post | null {
  if (!Array.isArray(rows)) return null
  const known = rows.slice(0, MOST)
  const files = withLivePhotos(known.flatMap((row: unknown) => fileOf(row)))
  const all = [...known.flatMap((row: unknown) => directoryOf(row)), ...files.map(({ facts }) => facts)]
  const images = files.flatMap((file) => (file.kind === 'image' ? [toImage(file, platform)] : []))
  const videos = files.filter(({ kind }) => kind === 'video' || kind === 'live_photo')
  const post: Post = {
    title: firstLine(
      firstOf(all, ({ content, desc, description, status, title }) => [
        content,
        desc,
        description,
        status?.text_raw,
        title,
      ]),
    ),
    author: firstOf(all, authorsOf),
    thumbnail: images[0]?.url ?? '',
    duration: videos.length === 0 ? 0 : Math.max(0, ...files.map(({ facts }) => facts.duration ?? 0)),
    videos: videos.map((file) => toVideo(file, platform, videos.length)),
    audios: files.flatMap((file) => (file.kind === 'audio' ? [toAudio(file, platform)] : [])),
    images,
  }
  return hasMedia(post) ? post : null
}

/** The names and words of the failures among the rows. */
export function galleryFailures(rows: unknown): readonly Readonly<{ error: string; message: string }>[] {
  if (!Array.isArray(rows)) return []
  const failure = z.looseObject({ error: z.string(), message: z.string().catch('') })
  return rows.flatMap((row: unknown) => {
    const parsed = Array.isArray(row) && row[0] === FAILURE ? failure.safeParse(row[1]) : null
    return parsed?.success ? [{ error: parsed.data.error, message: parsed.data.message }] : []
  })
}

const directoryOf = (row: unknown): Facts[] => (Array.isArray(row) && row[0] === DIRECTORY ? parsedOf(row[1]) : [])

const parsedOf = (facts: unknown): Facts[] => {
  const { data } = factsSchema.safeParse(facts)
  return data ? [data] : []
}

function fileOf(row: unknown): File[] {
  if (!Array.isArray(row) || row[0] !== FILE || typeof row[1] !== 'string') return []
  // What is left to yt-dlp (`ytdl:…`) or is made up (`text:…`) is at no address.
  if (!/^https?:\/\//i.test(row[1])) return []
  return parsedOf(row[2]).map((facts) => ({ url: row[1] as string, facts, kind: kindOf(row[1] as string, facts) }))
}

function kindOf(url: string, { type, extension }: Facts): 'video' | 'audio' | 'image' {
  if (type === 'video' || type === 'animated_gif') return 'video'
  if (type === 'audio') return 'audio'
  if (type === 'image' || type === 'photo') return 'image'
  const name = (extension || extensionOf(url)).toLowerCase()
  if (VIDEO_TYPES[name] !== undefined) return 'video'
  return AUDIO_TYPES[name] === undefined ? 'image' : 'audio'
}

/** A picture that moves comes as two files, the picture and right after it its `.mov`. */
function withLivePhotos(files: readonly File[]): File[] {
  return files.map((file, index) => {
    const isMoving = file.kind === 'video' && (file.facts.extension || extensionOf(file.url)) === 'mov'
    const still = files[index - 1]
    if (!isMoving || still?.kind !== 'image') return file
    const { width, height } = still.facts
    return { ...file, kind: 'live_photo', facts: { ...file.facts, width, height } }
  })
}

const authorsOf = ({ fullname, username, user, author, status }: Facts) => [
  ...[author, typeof user === 'string' ? { name: user } : user, status?.user].flatMap((who) => namesOf(who)),
  fullname,
  username,
]

const namesOf = (who: Person | null | undefined) =>
  who ? [who.nick, who.nickname, who.screen_name, who.name, who.uniqueId] : []

function firstOf(all: readonly Facts[], of: (facts: Facts) => readonly unknown[]): string {
  return all.flatMap(of).find((value): value is string => typeof value === 'string' && value !== '') ?? ''
}

const firstLine = (words: string) => words.trim().split(/\r?\n/, 1)[0] ?? ''

const itemOf = (url: string, platform: Platform) => ({
  url,
  headers: { Referer: REFERERS[platform] },
  expiresAt: expiryOf(url),
  bytes: null,
})

const toImage = ({ url, facts: { width, height, extension } }: File, platform: Platform): ImageItem =>
  imageAt(url, platform, { width: width || null, height: height || null, extension: extension || null })

function toVideo({ url, facts, kind }: File, platform: Platform, count: number): VideoItem {
  const [width, height] = [facts.width || null, facts.height || null]
  return {
    ...itemOf(url, platform),
    mimeType: VIDEO_TYPES[facts.extension || extensionOf(url)] ?? 'video/mp4',
    source: kind === 'live_photo' ? 'live_photo' : 'direct',
    quality: qualityOf(width, height, count),
    width,
    height,
    fps: null,
    hasAudio: facts.type !== 'animated_gif',
  }
}

const toAudio = ({ url, facts: { extension } }: File, platform: Platform): AudioItem => ({
  ...itemOf(url, platform),
  mimeType: AUDIO_TYPES[extension || extensionOf(url)] ?? 'audio/mpeg',
  source: 'direct',
  quality: 'default',
  bitrate: 0,
})
