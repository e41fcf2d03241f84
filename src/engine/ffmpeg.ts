import { TaskError } from '../domain/errors.ts'
import { classifyFailure } from './failure.ts'
import type { MediaContext } from './probe.ts'
import type { ToolExit, ToolRun, ToolRunner } from './tool.ts'

/** Whose run it is. `onProgress` gets 0..1. */
export type FfmpegContext = MediaContext & Readonly<{ onProgress?: (share: number) => void }>

/** One call of ffmpeg. */
export type FfmpegCall = Readonly<{
  /** Inputs, output options and output; the general options are added. */
  args: readonly string[]
  /** Seconds of output expected; null = no progress is told. */
  duration: number | null
}>

/** Errors of writing, after which some muxers carry on and exit with success. */
export const WRITE_ERROR = /No space left on device|Disk quota exceeded|File too large/

/**
 * Runs ffmpeg over local files. Damage inside a track is no reason to stop: the gate judges what comes out. Throws
 * TaskError with the reason when it fails, or when writing did.
 */
export async function runFfmpeg(runner: ToolRunner, call: FfmpegCall, ctx: FfmpegContext): Promise<void> {
  const { onProgress, ...context } = ctx
  const writeFailed = new AbortController()
  const exit = await runner.run({
    ...context,
    ...ffmpegRun(call.args),
    proxyUrl: null,
    signal: AbortSignal.any([ctx.signal, writeFailed.signal]),
    onStdout: (line) => {
      const seconds = progressSeconds(line)
      if (seconds !== null && call.duration) onProgress?.(Math.min(1, Math.max(0, seconds / call.duration)))
    },
    onStderr: (line) => {
      if (WRITE_ERROR.test(line)) writeFailed.abort()
    },
  })
  if (writeFailed.signal.aborted && !ctx.signal.aborted) throw writeError(exit)
  if (exit.kind !== 'exit' || exit.exitCode !== 0) throw ffmpegError(exit)
}

/** The parts of a run that every ffmpeg of ours shares. `-noxerror`: one bad packet must not end an hour's work. */
export function ffmpegRun(args: readonly string[], verbosity = 'error'): Pick<ToolRun, 'tool' | 'args'> {
  const general = ['-hide_banner', '-nostdin', '-noxerror', '-nostats', '-v', verbosity]
  return { tool: 'ffmpeg', args: [...general, '-progress', 'pipe:1', '-stats_period', '0.5', ...args] }
}

/** `out_time_us=1500000`, one line of `-progress`; null for any other. */
export function progressSeconds(line: string): number | null {
  const microseconds = /^out_time_us=(\d+)$/.exec(line)?.[1]
  return microseconds === undefined ? null : Number(microseconds) / 1e6
}

function ffmpegError(exit: ToolExit): TaskError {
  const error = classifyFailure({ exit })
  return error.code === 'unknown' || error.code === 'filtered'
    ? new TaskError('ffmpeg_failed', error.message, { cause: error })
    : error
}

/** Told by its words: how it ended is our own doing. */
function writeError(exit: ToolExit): TaskError {
  return classifyFailure({ exit: { ...exit, kind: 'exit', exitCode: 1, signalName: null } })
}
