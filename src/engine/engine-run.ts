import { TaskError } from '../domain/errors.ts'
import type { TaskProgress } from '../domain/task.ts'
import type { EgressLane } from './egress/lane.ts'
import { classifyFailure } from './failure.ts'
import type { SiteAccess } from './site-access.ts'
import type { ToolExit, ToolLimits, ToolName, ToolRunner } from './tool.ts'

/** What one attempt of a task brings along for every tool it starts. */
export type EngineRun = Readonly<{
  /** `<task id>.<attempt>`. */
  label: string
  /** Absolute; the attempt's own folder. */
  workDir: string
  /** Ends everything at once; its reason is a TaskError. */
  signal: AbortSignal
  /** Asks a recording to finish early and keep what it has. */
  interrupt: AbortSignal
  /** The attempt's way out; closed with it. */
  lane: EgressLane
  /** How the run shows itself to the site. */
  site: SiteAccess
  limits: ToolLimits
  /** Longest run of one tool, milliseconds. */
  timeoutMs: number
  onProgress: (progress: TaskProgress) => void
  /** Nothing that was found out earlier may be used: an attempt before failed. */
  fresh: boolean
  /** Runs work that moves no byte without the watchdog calling it a stall. */
  quietly: <T>(work: () => Promise<T>) => Promise<T>
}>

/** Most characters of one tool's standard output that are kept. */
const MAX_OUTPUT_CHARS = 64 * 2 ** 20

/** One call of a tool. */
export type Invocation = Readonly<{
  tool: ToolName
  args: readonly string[]
  onLine?: (line: string) => void
  readable?: readonly string[]
}>

/** Runs a tool to its successful end and returns what it printed (unless `onLine` takes it). Throws TaskError for any other end. */
export async function invoke(runner: ToolRunner, run: EngineRun, invocation: Invocation): Promise<string> {
  const { text, failure } = await tryInvoke(runner, run, invocation)
  if (failure !== null) throw failure
  return text
}

/** As `invoke`, for a tool whose output may be of use although it failed. `stderr`: the end of what it said besides. */
export async function tryInvoke(
  runner: ToolRunner,
  run: EngineRun,
  { tool, args, onLine, readable }: Invocation,
): Promise<Readonly<{ text: string; failure: TaskError | null; stderr: string }>> {
  const lines: string[] = []
  let chars = 0
  const collect = (line: string) => {
    chars += line.length
    if (chars <= MAX_OUTPUT_CHARS) lines.push(line)
  }
  const exit = await runner.run({
    label: run.label,
    tool,
    args,
    workDir: run.workDir,
    ...(readable ? { readable } : {}),
    proxyUrl: run.lane.proxyUrl,
    timeoutMs: run.timeoutMs,
    limits: run.limits,
    signal: run.signal,
    onStdout: onLine ?? collect,
  })
  if (exit.kind === 'aborted') throw abortReason(run.signal)
  if (chars > MAX_OUTPUT_CHARS) throw new TaskError('too_large', 'the description of this page is too large')
  const hasWorked = exit.kind === 'exit' && exit.exitCode === 0
  return { text: lines.join('\n'), failure: hasWorked ? null : failureOf(run, exit), stderr: exit.stderr }
}

/** Why a tool ended as it did, with what the run's way out knows. */
export function failureOf({ lane }: EngineRun, exit: ToolExit): TaskError {
  const laneFailure = lane.failure === 'too_large' ? 'too_large' : null
  return classifyFailure({ exit, denied: lane.denials, laneFailure })
}

/** Why a run was told to stop, as the one who told it put it. */
function abortReason(signal: AbortSignal): TaskError {
  return signal.reason instanceof TaskError ? signal.reason : new TaskError('cancelled', 'the task was stopped')
}
