import fs from 'node:fs/promises'
import path from 'node:path'
import { TaskError } from '../domain/errors.ts'
import type { Clip, TaskRequest } from '../domain/task.ts'
import { partsToEmbed } from '../domain/wishes.ts'
import {
  coverOf,
  cutSubtitles,
  findSubtitles,
  findThumbnail,
  pictureAs,
  subtitleNames,
  type Picture,
  type SubtitleFile,
} from './beside.ts'
import type { Extras } from './convert-extras.ts'
import type { EngineRun } from './engine-run.ts'
import { chaptersWithin, ffmetadata, tagsOf } from './ffmetadata.ts'
import { chaptersOf, wantsThumbnail, type Chapter, type FetchPlan, type Part } from './fetch-plan.ts'
import { expectedOf, madeFile, mediaContext, type Finisher, type MadeFile, type Rough } from './finish.ts'
import type { GateResult } from './gate.ts'
import { writePublicInfo } from './info-file.ts'
import type { FinishedFile } from './progress.ts'
import { START_INFO_FILE } from './site-access.ts'
import type { ToolRunner } from './tool.ts'
import type { Downloaded } from './yt-dlp.ts'

/** Seconds a clip cut at key frames may be off from what was asked. */
const KEYFRAME_SLACK_S = 12

/** Less than this at the end of a medium is no chapter. */
const LEAST_PART_S = 0.1

/** What one download left in the work folder. */
export type Fetched = Downloaded &
  Readonly<{
    plan: FetchPlan
    /** SponsorBlock was asked, and had an answer. */
    sponsorBlock: boolean
  }>

/** What stands beside a medium, proven. */
export type Beside = Readonly<{ subtitles: readonly SubtitleFile[]; picture: Picture | null }>

/** Finds and proves what was fetched beside a medium. Throws TaskError `invalid_media`. */
export function findBeside(runner: ToolRunner, request: TaskRequest, plan: FetchPlan, run: EngineRun): Promise<Beside> {
  const ctx = mediaContext(run)
  return run.quietly(async () => ({
    subtitles: await findSubtitles(runner, ctx, plan.languages),
    picture: wantsThumbnail(request) ? await findThumbnail(runner, ctx) : null,
  }))
}

/** The files that a request asks for beside the medium, to be published under names of ours. */
export async function filesBeside(
  runner: ToolRunner,
  request: TaskRequest,
  { subtitles, picture }: Beside,
  run: EngineRun,
): Promise<readonly MadeFile[]> {
  const wants = (what: 'subtitles' | 'thumbnail' | 'info') =>
    request.kind === what || request.write.some((w) => w === what)
  const files: MadeFile[] = []
  const plain = { duration: null, width: null, height: null, note: null }
  if (wants('subtitles')) {
    const names = subtitleNames(subtitles)
    files.push(
      ...subtitles.map((file, n) => ({ ...plain, path: file.path, name: names[n] ?? '', kind: 'subtitles' as const })),
    )
  }
  if (wants('thumbnail') && picture !== null) {
    const { ext, ...made } = await pictureFor(runner, request, picture, run)
    files.push({ ...plain, ...made, name: `thumbnail.${ext}`, kind: 'thumbnail' })
  }
  if (wants('info')) {
    const file = path.join(run.workDir, 'info.json')
    const { duration } = await writePublicInfo(await fs.readFile(path.join(run.workDir, START_INFO_FILE), 'utf8'), file)
    files.push({ ...plain, path: file, name: 'info.json', kind: 'info', duration })
  }
  return files
}

function pictureFor(runner: ToolRunner, request: TaskRequest, picture: Picture, run: EngineRun): Promise<Picture> {
  const wanted = request.kind === 'thumbnail' ? request.outputFormat : null
  const formats =
    wanted === 'png' || wanted === 'webp' || wanted === 'jpg' ? ([wanted] as const) : (['jpg', 'png', 'webp'] as const)
  return pictureAs(runner, mediaContext(run), { picture, formats })
}

/** What the files of one request are made with. */
export type PartsContext = Readonly<{ runner: ToolRunner; finisher: Finisher; request: TaskRequest; run: EngineRun }>

/** The file of each part, checked, in its final form; what could not be had stands in the note of the first. */
export async function makeParts(
  context: PartsContext,
  fetched: Fetched,
  beside: Beside,
): Promise<readonly [MadeFile, ...MadeFile[]]> {
  const { runner, finisher, request, run } = context
  const isWanted = partsToEmbed(request).has('thumbnail') && beside.picture !== null
  const cover = isWanted ? await coverOf(runner, mediaContext(run), beside.picture) : null
  const embedded = { subtitles: beside.subtitles, cover }
  const make = async (source: Source): Promise<MadeFile> => {
    const extras = await extrasOf(context, source, embedded)
    const { file, checked, number, part } = source
    const shaped = await finisher.shape(request, { file, checked, number, extras }, run)
    const notes = [
      ...(number === 1 ? lacksOf(request, fetched, beside) : []),
      ...(part.title === null ? [] : [`chapter: ${part.title}`]),
    ]
    return madeFile(request, shaped, { number, note: notes.length === 0 ? null : notes.join('; ') })
  }
  const [first, ...others] = await sourcesOf(context, fetched)
  if (first === undefined) throw new TaskError('invalid_media', 'the medium ends before its first chapter')
  const made: [MadeFile, ...MadeFile[]] = [await make(first)]
  for (const other of others) made.push(await make(other))
  return made
}

/** What one file is made of. */
type Source = Omit<Rough, 'extras'> &
  Readonly<{
    part: Part
    /** The part of the medium that is really in the file. */
    window: Clip
    count: number
    finished: FinishedFile
    fetched: Fetched
    cut: Extras['cut']
  }>

/** The checked files in the work folder, one for each part. */
async function sourcesOf(context: PartsContext, fetched: Fetched): Promise<readonly Source[]> {
  const { plan, files } = fetched
  if (plan.cutHere) return sourcesOfWhole(context, fetched)
  if (files.length !== plan.parts.length) {
    throw new TaskError('invalid_media', `only ${files.length} of ${plan.parts.length} parts were fetched`)
  }
  const sources: Source[] = []
  for (const [index, part] of plan.parts.entries()) {
    const finished = files[index] ?? files[0]
    const checked = await checkPart(context, fetched, { finished, part })
    const window = { start: startOf(part, checked, fetched), end: part.end }
    const place = { number: index + 1, count: files.length }
    sources.push({ file: finished.filepath, checked, part, window, finished, fetched, cut: null, ...place })
  }
  return sources
}

/** A part begins at the key frame before it. Players of mp4 are told where it does, those of Matroska show all of it. */
function startOf(part: Part, { ext, duration }: GateResult, { announcedDuration }: Fetched): number | null {
  const wanted = durationOf(part, announcedDuration)
  if (part.start === null || wanted === null || !MATROSKA.has(ext)) return part.start
  return Math.max(0, part.start - Math.max(0, duration - wanted))
}

const MATROSKA: ReadonlySet<string> = new Set(['mkv', 'mka', 'webm'])

async function sourcesOfWhole(context: PartsContext, fetched: Fetched): Promise<readonly Source[]> {
  const [finished] = fetched.files
  const checked = await checkPart(context, fetched, { finished, part: { start: null, end: null } })
  const parts = fetched.plan.parts.filter(({ start }) => (start ?? 0) < checked.duration - LEAST_PART_S)
  return parts.map((part, index) => {
    const end = Math.min(part.end ?? checked.duration, checked.duration)
    const cut = { start: part.start ?? 0, end, exactly: context.request.forceKeyframes }
    const place = { number: index + 1, count: parts.length }
    return { file: finished.filepath, checked, part, window: part, finished, fetched, cut, ...place }
  })
}

function checkPart(
  { finisher, request, run }: PartsContext,
  { announcedDuration, announcedBytes, sponsorBlock, plan }: Fetched,
  { finished, part }: Readonly<{ finished: FinishedFile; part: Pick<Part, 'start' | 'end'> }>,
) {
  const isPart = part.start !== null || part.end !== null
  const isShorter = sponsorBlock && request.sponsorBlock?.action === 'remove'
  const isAsItCame = !plan.cutHere && partsToEmbed(request).size === 0 && request.audioBitrate === null && !isShorter
  return finisher.check(run, {
    file: finished.filepath,
    expect: expectedOf(request),
    expectedDuration: durationOf(part, isShorter ? (finished.duration ?? announcedDuration) : announcedDuration),
    expectedBytes: announcedBytes,
    ...(isPart || isShorter ? { durationTolerance: KEYFRAME_SLACK_S } : {}),
    indexIsEnough:
      isAsItCame && request.kind === 'video' && request.outputFormat === null && request.audioFormat !== null,
  })
}

/** Seconds that the file has to have, null when nobody said. */
function durationOf({ start, end }: Pick<Part, 'start' | 'end'>, announced: number | null): number | null {
  const last = end === null ? announced : Math.min(end, announced ?? end)
  return last === null ? null : Math.max(0, last - (start ?? 0))
}

type Embedded = Readonly<{ subtitles: readonly SubtitleFile[]; cover: Extras['cover'] }>

async function extrasOf(context: PartsContext, source: Source, embedded: Embedded): Promise<Extras | null> {
  const { request, run } = context
  const { part, cut, number, count, fetched } = source
  const wishes = partsToEmbed(request)
  const subtitles = wishes.has('subtitles') ? await subtitlesFor(context, source, embedded.subtitles) : []
  const { medium } = fetched.plan
  const tags = wishes.has('metadata') && medium !== null ? tagsOf(medium, { title: part.title, number, count }) : {}
  const chapters = wishes.has('chapters') ? chaptersFor(source) : []
  const parts = { tags: Object.keys(tags).length > 0, chapters: chapters.length > 0 }
  const { cover } = embedded
  if (!(parts.tags || parts.chapters || cover !== null || subtitles.length > 0 || cut !== null)) return null
  const file = path.join(run.workDir, `tags.${number}.ffmetadata`)
  if (parts.tags || parts.chapters) await fs.writeFile(file, ffmetadata(tags, chapters))
  return { subtitles, cover, metadata: parts.tags || parts.chapters ? { file, ...parts } : null, cut }
}

async function subtitlesFor(
  { runner, run }: PartsContext,
  { window: part, number }: Source,
  files: readonly SubtitleFile[],
): Promise<Extras['subtitles']> {
  const isWhole = part.start === null && part.end === null
  const cutOne = (file: SubtitleFile) => cutSubtitles(runner, mediaContext(run), { file, part, number })
  const cut: { file: string; tag: string }[] = []
  for (const file of files) cut.push({ file: isWhole ? file.path : await cutOne(file), tag: file.tag })
  return cut
}

/** The medium's own; where SponsorBlock was asked, as they are after that. */
function chaptersFor({ finished, fetched, window }: Source): readonly Chapter[] {
  const { medium } = fetched.plan
  if (fetched.sponsorBlock) return chaptersOf({ chapters: finished.chapters, duration: finished.duration })
  return medium === null ? [] : chaptersWithin(chaptersOf(medium), window)
}

/** What was asked for and could not be had. */
function lacksOf(request: TaskRequest, { plan, sponsorBlock, files }: Fetched, { picture }: Beside): readonly string[] {
  const isKnown = files[0].sponsorblock_chapters != null
  return [
    ...plan.lacks,
    ...(wantsThumbnail(request) && picture === null ? ['it has no thumbnail'] : []),
    ...(request.sponsorBlock !== null && !sponsorBlock ? ['SponsorBlock did not answer'] : []),
    ...(request.sponsorBlock !== null && sponsorBlock && !isKnown ? ['SponsorBlock does not know this site'] : []),
  ]
}
