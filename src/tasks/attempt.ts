import type { ClaimedTask } from '../db/task-store.ts'
import type { TaskFile, TaskProgress } from '../domain/task.ts'
import type { Egress } from '../engine/egress/index.ts'
import type { EngineRun } from '../engine/engine-run.ts'
import type { ToolLimits } from '../engine/tool.ts'
import { execute, type ExecuteDeps } from './execute.ts'
import type { Attempt } from './runner.ts'
import { Watchdog } from './watchdog.ts'

/** Bytes that finding out about a page may cost: a page of hundreds of megabytes is an attack on the memory. */
const INFO_MAX_BYTES = 64 * 2 ** 20

/** How much larger than the finished file a work folder may be: two tracks, the merged file, a converted one. */
const WORK_FACTOR = 4

/** Open files and processes of one tool run: yt-dlp with its threads, ffmpeg with its own. */
const OPEN_FILES = 1024
const PROCESSES = 1024

/** What every attempt shares, and its bounds. */
export type AttemptOptions = ExecuteDeps &
  Readonly<{
    egress: Egress
    stallMs: number
    maxRunMs: number
    maxFileBytes: number
    maxMemoryBytes: number
  }>

/** One attempt of a task: its own folder, its own way out, its own watchdog. */
export function createAttempt(options: AttemptOptions): Attempt {
  const limits: ToolLimits = {
    fileBytes: options.maxFileBytes,
    memoryBytes: options.maxMemoryBytes,
    openFiles: OPEN_FILES,
    processes: PROCESSES,
  }
  return async (task: ClaimedTask, given): Promise<TaskFile> => {
    const label = `${task.id}.${task.attempt}`
    const workDir = await options.files.openWork(task.id, task.attempt)
    using lane = options.egress.open({
      label,
      maxBytes: INFO_MAX_BYTES,
      idleMs: options.stallMs * 2,
    })
    const tripped = new AbortController()
    const recording = task.request.live?.duration ?? 0
    const maxRunMs = options.maxRunMs + recording * 1000
    using watchdog = new Watchdog({
      workDir,
      fetchedBytes: () => lane.bytes,
      stallMs: options.stallMs,
      maxRunMs,
      maxBytes: options.maxFileBytes * WORK_FACTOR,
      onTrip: (reason) => tripped.abort(reason),
    })
    let isFetching = false
    const onProgress = (progress: TaskProgress) => {
      if (!isFetching && (progress.phase === 'downloading' || progress.phase === 'recording')) {
        isFetching = true
        lane.allow(options.maxFileBytes)
      }
      given.onProgress(progress)
    }
    const run: EngineRun = {
      label,
      workDir,
      signal: AbortSignal.any([given.signal, tripped.signal]),
      interrupt: given.interrupt,
      lane,
      limits,
      timeoutMs: maxRunMs,
      onProgress,
      fresh: task.failures > 0,
      quietly: (work) => watchdog.pauseFor(work),
    }
    return await execute(options, task, run) // the lane and the watchdog live until it ends
  }
}
