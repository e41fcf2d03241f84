import { z } from 'zod'
import { TaskError } from '../domain/errors.ts'
import type { Clip, TaskRequest } from '../domain/task.ts'
import { parseInfo } from './info.ts'

const seconds = z.number().nullish().catch(null)
const word = z.string().nullish().catch(null)
const words = z.array(z.string()).nullish().catch(null)
const chapterList = z
  .array(z.object({ start_time: z.number(), end_time: seconds, title: word }))
  .nullish()
  .catch(null)
const tracksByLanguage = z.record(z.string(), z.unknown()).nullish().catch(null)

const mediumSchema = z.object({
  title: word,
  duration: seconds,
  chapters: chapterList,
  subtitles: tracksByLanguage,
  automatic_captions: tracksByLanguage,
  track: word,
  artist: word,
  artists: words,
  creator: word,
  uploader: word,
  channel: word,
  album: word,
  genre: word,
  genres: words,
  description: word,
  upload_date: word,
  release_date: word,
  webpage_url: word,
})

/** What a page says of its medium, as far as it decides what is fetched or is written into a file. */
export type Medium = z.output<typeof mediumSchema>

/** Seconds. */
export type Chapter = Readonly<{ start: number; end: number; title: string }>

/** One file to be made: from when to when, and what it is called. */
export type Part = Clip & Readonly<{ title: string | null }>

/** What exactly is to be fetched, in the site's own terms. */
export type FetchPlan = Readonly<{
  /** null when nothing had to be known before. */
  medium: Medium | null
  /** The parts to make, each a file; a single one from null to null is the whole. */
  parts: readonly [Part, ...Part[]]
  /** The whole is fetched, and cut afterwards. */
  cutHere: boolean
  /** Subtitles to fetch, by the site's own tags. */
  languages: readonly string[]
  /** What was asked for and the medium does not have. */
  lacks: readonly string[]
}>

const WHOLE: Part = { start: null, end: null, title: null }

/** The plan of a request for which nothing has to be known. */
export const PLAIN_PLAN: FetchPlan = {
  medium: null,
  parts: [WHOLE],
  cutHere: false,
  languages: [],
  lacks: [],
}

/** Whether subtitles are fetched. */
export function wantsSubtitles({ kind, embed, write }: TaskRequest): boolean {
  return kind === 'subtitles' || embed.includes('subtitles') || write.includes('subtitles')
}

/** Whether a thumbnail is fetched. */
export function wantsThumbnail({ kind, embed, write }: TaskRequest): boolean {
  return kind === 'thumbnail' || embed.includes('thumbnail') || write.includes('thumbnail')
}

/** Whether the page has to be known before the download can be planned. */
export function needsMedium(request: TaskRequest): boolean {
  const { clips, chapters, embed, write, sponsorBlock } = request
  return (
    clips.length > 0 ||
    chapters !== null ||
    sponsorBlock !== null ||
    wantsSubtitles(request) ||
    embed.includes('metadata') ||
    embed.includes('chapters') ||
    write.includes('info')
  )
}

/** Whether an info document tells of subtitles: some extractors look for them only when asked to. */
export function knowsSubtitles(infoText: string): boolean {
  const { subtitles, automatic_captions: automatic } = readMedium(infoText)
  return Object.keys({ ...subtitles, ...automatic }).length > 0
}

/** Throws as `parseInfo` does. */
function readMedium(infoText: string): Medium {
  return mediumSchema.parse(parseInfo(infoText))
}

/**
 * What to fetch for a request of the medium that an info document describes. Throws TaskError: `bad_request_options` for
 * a part that is not in it, `no_media` for chapters or (as what is asked for itself) subtitles that it does not have.
 */
export function planFetch(request: TaskRequest, infoText: string): FetchPlan {
  const medium = readMedium(infoText)
  const parts = partsOf(request, medium)
  const { languages, lacking } = languagesOf(request, medium)
  const lacks = [
    ...lacking,
    ...(request.embed.includes('chapters') && chaptersOf(medium).length === 0 ? ['it has no chapters'] : []),
  ]
  return { medium, parts, cutHere: request.chapters === 'split', languages, lacks }
}

/** The medium's own chapters, in order. */
export function chaptersOf({ chapters, duration }: Pick<Medium, 'chapters' | 'duration'>): readonly Chapter[] {
  const sorted = (chapters ?? []).toSorted((one, other) => one.start_time - other.start_time)
  return sorted.flatMap(({ start_time: start, end_time, title }, index) => {
    const end = end_time ?? sorted[index + 1]?.start_time ?? duration ?? null
    return end === null || end <= start ? [] : [{ start, end, title: cleanText(title ?? '') || `Chapter ${index + 1}` }]
  })
}

const MAX_TITLE_CHARS = 300

/** A site's words on one line, without control characters, at most 300 characters long. */
export function cleanText(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cs}\u2028\u2029]+/gu, ' ').trim()
  return Array.from(line).slice(0, MAX_TITLE_CHARS).join('')
}

/** As many as one task may make files of. */
const MAX_PARTS = 200

function partsOf(request: TaskRequest, medium: Medium): FetchPlan['parts'] {
  const [first, ...more] = request.chapters === null ? clipParts(request, medium) : chapterParts(request, medium)
  if (more.length >= MAX_PARTS) {
    throw new TaskError('bad_request_options', `${more.length + 1} chapters are too many: name at most ${MAX_PARTS}`)
  }
  return first === undefined ? [WHOLE] : [first, ...more]
}

function clipParts({ clips }: TaskRequest, { duration }: Medium): Part[] {
  const late = clips.find(({ start }) => duration != null && (start ?? 0) >= duration)
  if (late !== undefined) {
    const end = Math.round(duration ?? 0)
    throw new TaskError('bad_request_options', `a clip begins at ${late.start} s, and the medium ends at ${end} s`)
  }
  return clips.map((clip) => ({ ...clip, title: null }))
}

function chapterParts({ chapters: wanted }: TaskRequest, medium: Medium): Part[] {
  const chapters = chaptersOf(medium)
  if (chapters.length === 0) throw new TaskError('no_media', 'this medium has no chapters')
  if (wanted === 'split' || wanted === null) return [...chapters]
  const isCalled = (title: string) => (chapter: Chapter) => sameWords(chapter.title, title)
  const unknown = wanted.find((title) => !chapters.some(isCalled(title)))
  if (unknown !== undefined) {
    const known = listed(chapters.map(({ title }) => `“${title}”`))
    throw new TaskError('bad_request_options', `no chapter is called “${cleanText(unknown)}”; there are ${known}`)
  }
  return chapters.filter((chapter) => wanted.some((title) => isCalled(title)(chapter)))
}

const sameWords = (one: string, other: string) => cleanText(one).toLowerCase() === cleanText(other).toLowerCase()

/** Tags of any site that mean nothing but themselves in a file name and to yt-dlp, which reads them as patterns. */
const PLAIN_TAG = /^[A-Za-z0-9][\w.-]{0,63}$/

/** YouTube translates into some 150 languages: fetching all of them gets everybody behind the address blocked. */
const MAX_LANGUAGES = 40

function languagesOf(request: TaskRequest, medium: Medium): Readonly<{ languages: string[]; lacking: string[] }> {
  if (!wantsSubtitles(request)) return { languages: [], lacking: [] }
  const { languages: wanted, automatic } = request.subtitles
  const manual = tagsOf(medium.subtitles)
  const machine = automatic ? tagsOf(medium.automatic_captions) : []
  const found = wanted.map((tag) => (tag === 'all' ? [...manual, ...machine] : matching(tag, manual, machine)))
  const languages = [...new Set(found.flat())]
  const missing = wanted.filter((_, index) => found[index]?.length === 0)
  if (languages.length > MAX_LANGUAGES) {
    const message = `there are subtitles in ${languages.length} languages: name at most ${MAX_LANGUAGES}`
    throw new TaskError('bad_request_options', message)
  }
  const lacking = missing.map((tag) => `it has no subtitles in ${tag === 'all' ? 'any language' : cleanText(tag)}`)
  if (request.kind === 'subtitles' && languages.length === 0) throw withoutSubtitles(request, medium)
  return { languages, lacking }
}

const tagsOf = (tracks: Medium['subtitles']) =>
  Object.keys(tracks ?? {}).filter((tag) => PLAIN_TAG.test(tag) && tag !== 'live_chat' && tag !== 'all')

/** The tag itself, else its regional forms (`en-GB` for `en`); what people wrote goes before what a machine did. */
function matching(tag: string, manual: readonly string[], machine: readonly string[]): readonly string[] {
  const isSame = (known: string) => known.toLowerCase() === tag.toLowerCase()
  const isForm = (known: string) => known.toLowerCase().startsWith(`${tag.toLowerCase()}-`)
  const choices = [manual.filter(isSame), manual.filter(isForm), machine.filter(isSame), machine.filter(isForm)]
  return choices.find((choice) => choice.length > 0) ?? []
}

function withoutSubtitles({ subtitles }: TaskRequest, medium: Medium): TaskError {
  const manual = tagsOf(medium.subtitles)
  const machine = tagsOf(medium.automatic_captions)
  const wanted = listed(subtitles.languages.map(cleanText))
  const machineMade = subtitles.automatic
    ? `, made by machine: ${listed(machine)}`
    : `; ${machine.length} more made by machine (subtitles.automatic)`
  const there = manual.length === 0 && machine.length === 0 ? 'there are none at all' : `there are ${listed(manual)}`
  return new TaskError('no_media', `no subtitles in ${wanted}: ${there}${machine.length === 0 ? '' : machineMade}`)
}

const MAX_LISTED = 20

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'none'
  const more = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : ''
  return `${names.slice(0, MAX_LISTED).join(', ')}${more}`
}
