import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'

import { z } from 'zod'

import { TaskError } from '../domain/errors.ts'
import { convert, planConversion, type Conversion } from './convert.ts'
import { naturalAudioFormat, naturalVideoFormat } from './convert-formats.ts'
import { probeFile, readThrough, type MediaContext, type MediaProbe } from './probe.ts'
import type { ToolRunner } from './tool.ts'

/** What is written while the stream runs: Matroska is readable up to the last cluster, however its writer ends. */
export function recordingFile(workDir: string): string {
  return join(workDir, 'recording.mkv')
}

const noteSchema = z.object({
  kind: z.enum(['video', 'audio']),
  /** Seconds at the beginning of the recording that were not asked for. */
  lead: z.number(),
  /** Seconds asked for. */
  duration: z.number(),
})

/** What has to be known of a recording to finish it, kept beside it. */
export type RecordingNote = Readonly<z.infer<typeof noteSchema>>

const NOTE = 'recording.json'
const FINISHED = 'finished.'

/** Keeps the note beside the recording, for whoever finishes it. */
export async function writeNote(workDir: string, note: RecordingNote): Promise<void> {
  await writeFile(join(workDir, NOTE), JSON.stringify(note))
}

/** A recording in its final container; `ext` has no dot. */
export type FinishedRecording = Readonly<{ file: string; ext: string; recordedSeconds: number }>

/** The cut lies a little before the first picture wanted, so that rounding does not lose its key frame. */
const CUT_EARLY_SECONDS = 0.1

/** Less than this is no recording. */
const LEAST_SECONDS = 0.05

/**
 * Makes the finished file of what was recorded, in the container its codecs are at home in, and removes the
 * recording. null when there is nothing in it.
 */
export async function finishRecording(
  runner: ToolRunner,
  ctx: MediaContext,
  note: RecordingNote,
): Promise<FinishedRecording | null> {
  const input = recordingFile(ctx.workDir)
  if ((await sizeOf(input)) === 0) return null
  const probe = await probeOrNull(runner, input, ctx)
  if (probe === null || probe.streams.length === 0) return null
  const plan = naturalPlan(probe, note.kind)
  const from = Math.max(0, leadIn(probe, note) - CUT_EARLY_SECONDS)
  const cut = [...(from > CUT_EARLY_SECONDS ? ['-ss', from.toFixed(3)] : []), '-t', String(note.duration)]
  const output = join(ctx.workDir, `${FINISHED}${plan.ext}`)
  await convert(runner, { ...plan, args: [...cut, ...plan.args] }, { ...ctx, input, output })
  const finished = await lookAtFinished(runner, ctx, output)
  // In this order: without a note, what is called finished is.
  await rm(join(ctx.workDir, NOTE), { force: true })
  await rm(input, { force: true })
  return finished
}

async function lookAtFinished(runner: ToolRunner, ctx: MediaContext, file: string): Promise<FinishedRecording | null> {
  const { spans } = await readThrough(runner, file, ctx)
  const lengths = [...spans.values()].map((span) => span.end - span.first)
  const recordedSeconds = Math.max(0, ...lengths)
  return recordedSeconds < LEAST_SECONDS ? null : { file, ext: extname(file).slice(1), recordedSeconds }
}

/**
 * The recording that a killed daemon left in `ctx.workDir`, finished now if it was not yet; null when there is none, or
 * nothing in it. May be called again.
 */
export async function salvageRecording(runner: ToolRunner, ctx: MediaContext): Promise<FinishedRecording | null> {
  const text = await readFile(join(ctx.workDir, NOTE), 'utf8').catch(() => null)
  const note = text === null ? null : noteSchema.safeParse(parseJson(text)).data
  if (note != null) return finishRecording(runner, ctx, note)
  const names = await readdir(ctx.workDir).catch(() => [])
  const name = text === null ? names.find((each) => each.startsWith(FINISHED)) : undefined
  return name === undefined ? null : lookAtFinished(runner, ctx, join(ctx.workDir, name))
}

/** Where in the recording, counted from its beginning, the part asked for begins: tracks need not begin together. */
function leadIn(probe: MediaProbe, { kind, lead }: RecordingNote): number {
  const main = probe.streams.find((stream) => stream.type === kind)
  return lead + Math.max(0, (main?.start ?? 0) - (probe.start ?? 0))
}

function naturalPlan(probe: MediaProbe, kind: 'video' | 'audio'): Conversion {
  const codecOf = (type: 'video' | 'audio') => probe.streams.find((stream) => stream.type === type)?.codec ?? null
  const outputFormat =
    kind === 'audio' ? naturalAudioFormat(codecOf('audio')) : naturalVideoFormat(codecOf('video'), codecOf('audio'))
  const plan = planConversion({ probe, kind, outputFormat, sourceExt: '' })
  if (plan === null) throw new TaskError('invalid_media', 'nothing in the recording that could be kept')
  return plan
}

/** A writer killed within its first moments leaves a header that cannot be read: nothing was recorded then. */
async function probeOrNull(runner: ToolRunner, file: string, ctx: MediaContext): Promise<MediaProbe | null> {
  try {
    return await probeFile(runner, file, ctx)
  } catch (error) {
    if (error instanceof TaskError && error.code === 'invalid_media') return null
    throw error
  }
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch(() => null)
  return found?.size ?? 0
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Half written when the daemon died: as good as none.
    return null
  }
}
