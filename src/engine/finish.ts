import path from 'node:path'
import { fileKindOf, type TaskFile, type TaskRequest } from '../domain/task.ts'
import type { Extras } from './convert-extras.ts'
import { convert, planConversion } from './convert.ts'
import type { EngineRun } from './engine-run.ts'
import { checkWhole, type Expected, type GateResult } from './gate.ts'
import type { MediaContext } from './probe.ts'
import type { ToolRunner } from './tool.ts'

/** A file proven whole and of the kind that was asked for, still in the work folder, and the name to publish it by. */
export type MadeFile = Readonly<{ path: string }> & Omit<TaskFile, 'size'>

/** What was made of a URL; the file that was asked for comes first. */
export type Made = Readonly<{ files: readonly [MadeFile, ...MadeFile[]]; title: string | null }>

/** A file in its final form. */
export type Shaped = Readonly<{ path: string; extension: string }> & Pick<TaskFile, 'duration' | 'width' | 'height'>

type Check = Readonly<{ file: string; expect: Expected; expectedDuration: number | null }> &
  Partial<Readonly<{ expectedBytes: number | null; durationTolerance: number; indexIsEnough: boolean }>>

/** A checked file, and what is to become of it. */
export type Rough = Readonly<{
  file: string
  checked: GateResult
  /** Place among the files of the task, from 1. */
  number: number
  extras: Extras | null
}>

/** Brings what was fetched or recorded into the form that was asked for. */
export class Finisher {
  readonly #runner: ToolRunner

  constructor(runner: ToolRunner) {
    this.#runner = runner
  }

  /** The publish gate. Throws TaskError `invalid_media`. */
  check(run: EngineRun, request: Check): Promise<GateResult> {
    return run.quietly(() => checkWhole(this.#runner, { ...mediaContext(run), ...request }))
  }

  /** Converts a checked file where that is needed; the result is checked as well. */
  async shape(request: TaskRequest, { file, checked, number, extras }: Rough, run: EngineRun): Promise<Shaped> {
    const kind = expectedOf(request)
    const plan = planConversion({
      probe: checked.probe,
      kind,
      outputFormat: request.outputFormat,
      sourceExt: checked.ext,
      silent: request.audioFormat === null,
      audioBitrate: request.audioBitrate,
      extras,
    })
    if (plan === null) return { path: file, extension: checked.ext, duration: checked.duration, ...sizeOf(checked) }
    const output = path.join(run.workDir, `shaped.${number}.${plan.ext}`)
    await convert(this.#runner, plan, {
      ...mediaContext(run),
      input: file,
      output,
      onProgress: (fraction: number) =>
        run.onProgress({
          phase: 'processing',
          percent: percentOf(fraction),
          speed: null,
          eta: null,
          downloadedBytes: null,
          totalBytes: null,
        }),
    })
    const cut = extras?.cut ?? null
    const expectedDuration = cut === null ? checked.duration : cut.end - cut.start
    const shaped = await this.check(run, { file: output, expect: kind, expectedDuration })
    return { path: output, extension: plan.ext, duration: shaped.duration, ...sizeOf(shaped) }
  }
}

/** What the file of a request has to contain. */
export function expectedOf(request: TaskRequest): 'video' | 'audio' {
  return request.kind === 'audio' || request.kind === 'live_audio' ? 'audio' : 'video'
}

/** A finished file under the name to publish it by: `video.mp4`, then `video.2.mp4`, … Its length is to the millisecond. */
export function madeFile(
  request: TaskRequest,
  { extension, duration, ...shaped }: Shaped,
  { number, note }: Readonly<{ number: number; note: string | null }>,
): MadeFile {
  const name = `${request.kind}${number === 1 ? '' : `.${number}`}.${extension}`
  const rounded = duration === null ? null : Math.round(1000 * duration) / 1000
  return { ...shaped, duration: rounded, name, kind: fileKindOf(request.kind), note }
}

/** Pixels of the picture, null for a sound. */
function sizeOf({ probe }: GateResult): Pick<TaskFile, 'width' | 'height'> {
  const picture = probe.streams.find(({ type, attachedPicture }) => type === 'video' && !attachedPicture)
  return { width: picture?.width ?? null, height: picture?.height ?? null }
}

export const percentOf = (fraction: number) => Math.round(1000 * Math.min(1, fraction)) / 10

/** A run as the tools over local files take it. */
export function mediaContext(run: EngineRun): MediaContext {
  const { label, workDir, limits, timeoutMs, signal } = run
  return { label, workDir, limits, timeoutMs, signal }
}
