import type { ClaimedTask } from '../db/task-store.ts'
import type { TaskProgress, TaskResult } from '../domain/task.ts'
import type { EngineRun } from '../engine/engine-run.ts'
import { execute, type ExecuteDeps } from './execute.ts'
import { openLane, toolLimits, type RunBounds } from './run-bounds.ts'
import type { Attempt } from './runner.ts'
import type { Sites } from './sites.ts'
import { Watchdog } from './watchdog.ts'

/** How much larger than the finished file a work folder may be: two tracks, the merged file, a converted one. */
const WORK_FACTOR = 4

/** What every attempt shares, and its bounds. */
export type AttemptOptions = ExecuteDeps & RunBounds & Readonly<{ maxRunMs: number; sites: Sites }>

/** One attempt of a task: its own folder, its own way out, its own watchdog. */
export function createAttempt(options: AttemptOptions): Attempt {
  const limits = toolLimits(options)
  return async (task: ClaimedTask, given): Promise<TaskResult> => {
    const label = `${task.id}.${task.attempt}`
    const workDir = await options.files.openWork(task.id, task.attempt)
    const visit = await options.sites.visit({ keyId: task.keyId, ...task.request })
    using lane = openLane(options, label, visit.route)
    const tripped = new AbortController()
    const recording = task.request.live?.duration ?? 0
    const maxRunMs = options.maxRunMs + recording * 1000
    using watchdog = new Watchdog({
      workDir,
      fetchedBytes: () => lane.bytes,
      stallMs: options.stallMs + visit.sleepMs,
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
    const run: Omit<EngineRun, 'site'> = {
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
    // The lane and the watchdog live until it ends.
    return await visit.during(workDir, (site) => execute(options, task, { ...run, site }))
  }
}
