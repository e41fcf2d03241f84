import fs from 'node:fs/promises'
import path from 'node:path'
import { TaskError } from '../domain/errors.ts'
import type { Clip } from '../domain/task.ts'
import type { ImageFormat } from '../domain/wishes.ts'
import { runFfmpeg } from './ffmpeg.ts'
import { pictureBlock } from './ffmetadata.ts'
import { checkWhole } from './gate.ts'
import { localInput, readThrough, type MediaContext } from './probe.ts'
import type { ToolRunner } from './tool.ts'
import { SUBTITLES_STEM, THUMBNAIL_STEM } from './side-args.ts'

/** Subtitles of one language, proven to be some. */
export type SubtitleFile = Readonly<{ path: string; tag: string; ext: string }>

/** Formats that ffmpeg reads: only of these it can tell whether they are subtitles. */
const READABLE: ReadonlySet<string> = new Set(['vtt', 'srt', 'ass', 'ssa', 'lrc'])

/** The subtitles that yt-dlp left in the work folder, in the order of `tags`. Throws TaskError `invalid_media`. */
export async function findSubtitles(
  runner: ToolRunner,
  ctx: MediaContext,
  tags: readonly string[],
): Promise<readonly SubtitleFile[]> {
  const found: SubtitleFile[] = []
  for (const tag of tags) {
    const name = await nameOf(ctx.workDir, `${SUBTITLES_STEM}.${tag}.`)
    if (name === null) throw new TaskError('invalid_media', `the site sent no subtitles in ${tag}`)
    const file = { path: path.join(ctx.workDir, name), tag, ext: path.extname(name).slice(1) }
    if (READABLE.has(file.ext)) await requireSubtitles(runner, ctx, file)
    found.push(file)
  }
  return found
}

/** The one regular file that is called so, and whose rest of the name is an extension. */
async function nameOf(workDir: string, beginning: string): Promise<string | null> {
  const entries = await fs.readdir(workDir, { withFileTypes: true })
  const isIt = (name: string) => name.startsWith(beginning) && /^[a-z0-9]{1,8}$/.test(name.slice(beginning.length))
  return entries.find((entry) => entry.isFile() && isIt(entry.name))?.name ?? null
}

async function requireSubtitles(
  runner: ToolRunner,
  ctx: MediaContext,
  { path: file, tag }: SubtitleFile,
): Promise<void> {
  const { probe, spans } = await readThrough(runner, file, ctx)
  if (probe.streams.some(({ type, index }) => type === 'subtitle' && spans.has(index))) return
  throw new TaskError('invalid_media', `what the site sent are no subtitles in ${tag}`)
}

/** What of the subtitles is within a part, on the part's own clock; they may be none. Seconds, null = to the end. */
export async function cutSubtitles(
  runner: ToolRunner,
  ctx: MediaContext,
  { file, part, number }: Readonly<{ file: SubtitleFile; part: Clip; number: number }>,
): Promise<string> {
  // These two have a header: none of them is an empty file.
  const ext = file.ext === 'ass' ? 'ass' : 'vtt'
  const output = path.join(ctx.workDir, `cut.${number}.${file.tag}.${ext}`)
  const times = ['-ss', String(part.start ?? 0), ...(part.end === null ? [] : ['-to', String(part.end)])]
  const args = ['-y', '-i', localInput(file.path), ...times, localInput(output)]
  await runFfmpeg(runner, { args, duration: null }, ctx)
  return output
}

/** Names to publish subtitles by: the tag in letters, digits and hyphens. */
export function subtitleNames(files: readonly SubtitleFile[]): readonly string[] {
  const stems = files.map(({ tag }) => `subtitles.${tag.replaceAll(/[^A-Za-z0-9-]/g, '-')}`)
  return files.map(({ ext }, index) => {
    const earlier = stems.slice(0, index).filter((stem) => stem === stems[index]).length
    return `${stems[index] ?? ''}${earlier === 0 ? '' : `-${earlier + 1}`}.${ext}`
  })
}

/** A picture, proven to be one. Pixels. */
export type Picture = Readonly<{ path: string; ext: string; width: number | null; height: number | null }>

/** The thumbnail that yt-dlp left in the work folder, null when there is none. Throws TaskError `invalid_media`. */
export async function findThumbnail(runner: ToolRunner, ctx: MediaContext): Promise<Picture | null> {
  const name = await nameOf(ctx.workDir, `${THUMBNAIL_STEM}.`)
  return name === null ? null : requirePicture(runner, ctx, path.join(ctx.workDir, name))
}

/** A file proven to be a picture. Throws TaskError `invalid_media`. */
export async function requirePicture(runner: ToolRunner, ctx: MediaContext, file: string): Promise<Picture> {
  const checked = await checkWhole(runner, { ...ctx, file, expect: 'any', expectedDuration: null })
  const [picture] = checked.probe.streams
  const isStill = checked.duration === 0 && picture?.type === 'video'
  if (!isStill) throw new TaskError('invalid_media', 'this is not a picture')
  return { path: file, ext: checked.ext === 'jpeg' ? 'jpg' : checked.ext, width: picture.width, height: picture.height }
}

const ENCODERS: Readonly<Record<ImageFormat, readonly string[]>> = {
  jpg: ['-c:v', 'mjpeg', '-q:v', '2', '-pix_fmt', 'yuvj420p'],
  png: ['-c:v', 'png'],
  webp: ['-c:v', 'libwebp', '-quality', '90'],
}

/** The picture in one of the formats, the first of them unless it is in one already. */
export async function pictureAs(
  runner: ToolRunner,
  ctx: MediaContext,
  { picture, formats }: Readonly<{ picture: Picture; formats: readonly [ImageFormat, ...ImageFormat[]] }>,
): Promise<Picture> {
  if (formats.some((format) => format === picture.ext)) return picture
  const [format] = formats
  const output = path.join(ctx.workDir, `picture.${format}`)
  const still = ['-map', '0:v:0', '-frames:v', '1', ...ENCODERS[format], '-f', 'image2', '-update', '1']
  const args = ['-y', '-i', localInput(picture.path), ...still, localInput(output)]
  await runFfmpeg(runner, { args, duration: null }, ctx)
  return requirePicture(runner, ctx, output)
}

/** A picture as a cover: a jpg or png, and the same as a file of tags. */
export async function coverOf(
  runner: ToolRunner,
  ctx: MediaContext,
  picture: Picture,
): Promise<Readonly<{ file: string; block: string }>> {
  const { path: file, ext, width, height } = await pictureAs(runner, ctx, { picture, formats: ['jpg', 'png'] })
  const block = path.join(ctx.workDir, 'cover.ffmetadata')
  const mime = ext === 'png' ? 'image/png' : 'image/jpeg'
  await fs.writeFile(block, pictureBlock(await fs.readFile(file), { mime, width: width ?? 0, height: height ?? 0 }))
  return { file, block }
}
