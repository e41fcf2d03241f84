import PQueue from 'p-queue'
import type { Logger } from 'pino'
import type { ClaimedTask, TaskStore } from '../db/task-store.ts'
import { TaskError, type TaskErrorCode } from '../domain/errors.ts'
import { hostCooldown } from '../domain/retry.ts'
import { siteOf } from '../domain/site.ts'
import { isFinal, type Outcome, type TaskProgress, type TaskResult } from '../domain/task.ts'
import { Claims, type ClaimBounds } from './claims.ts'
import { Cooldowns } from './cooldown.ts'
import { outcomeOfFailure } from './outcome.ts'

/** How often the queue looks for what no event announces: freed disk space, a wall clock that was set. */
const LOOK_AROUND_MS = 2_000

/** How long one claimed task is worked on; resolves to what it made. */
export type Attempt = (
  task: ClaimedTask,
  run: Readonly<{ signal: AbortSignal; interrupt: AbortSignal; onProgress: (progress: TaskProgress) => void }>,
) => Promise<TaskResult>

/** What the runner works with, and its bounds. */
export type RunnerOptions = ClaimBounds &
  Readonly<{
    store: TaskStore
    attempt: Attempt
    /** After a task has ended for good: removes what unfinished attempts left, and what was published where no file counts. */
    cleanUp: (taskId: string, hasFile: boolean) => Promise<void>
    /** Tasks of which unfinished attempts have left something. */
    leftWork: () => Promise<string[]>
    freeBytes: () => Promise<number>
    /** Told of every attempt that has ended; must not throw. */
    onAttemptEnded?: (task: ClaimedTask, outcome: Outcome, durationMs: number) => void
    maxWorkers: number
    minFreeBytes: number
    retryMaxWaitMs: number
    shutdownGraceMs: number
    /** Deaths of the daemon while a task ran after which the task is blamed. */
    maxDeaths: number
    log: Logger
  }>

type Running = {
  readonly keyId: string
  readonly controller: AbortController
  readonly interrupt: AbortController
  readonly done: Promise<void>
  progress: TaskProgress | null
}

/**
 * Turns waiting tasks into files. The database is the queue; p-queue only bounds how many run. A crash loses nothing but
 * the work in hand, which `start` puts back.
 *
 * - running: claims whenever a slot is free, keys in turn, hosts that cool down left out, none while the disk is full.
 * - draining: claims nothing; running tasks get the grace time, then go back into the queue with their partial files.
 */
export class Runner implements AsyncDisposable {
  readonly #options: RunnerOptions
  readonly #queue: PQueue
  readonly #running = new Map<string, Running>()
  readonly #cooldowns = new Cooldowns()
  readonly #claims: Claims
  #claiming: Promise<void> | null = null
  #claimAgain = false
  #started = false
  #stopping = false
  #diskIsFull = false
  #isPaused = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#queue = new PQueue({ concurrency: options.maxWorkers })
    this.#claims = new Claims({ ...options, cooldowns: this.#cooldowns })
  }

  /** Puts back what an earlier daemon left running, then claims. Call it once, before anything else can run tasks. */
  async start(): Promise<void> {
    const { store, log, maxDeaths } = this.#options
    const { requeued, quarantined } = await store.recover(Date.now(), maxDeaths)
    if (requeued > 0) log.warn({ requeued }, 'tasks of an interrupted run go back to the queue')
    if (quarantined > 0) log.error({ quarantined }, 'tasks during which the daemon died again and again were ended')
    await this.#cleanUpEnded()
    this.#started = true
    this.#timer = setInterval(() => this.nudge(), LOOK_AROUND_MS)
    this.nudge()
  }

  /** Call when something may be claimed. Never throws and never waits. Before the start it claims nothing. */
  nudge(): void {
    if (!this.#started || this.#stopping) return
    this.#claimAgain = true
    this.#claiming ??= this.#claimLoop()
      .catch((err: unknown) => this.#options.log.error({ err }, 'the queue could not be read'))
      .finally(() => {
        this.#claiming = null
        if (this.#claimAgain) this.nudge() // came in after the last look, before this line
      })
  }

  /** While it is paused nothing is claimed; what runs goes on. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Stops claiming, or claims again. */
  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused
    if (!isPaused) this.nudge()
  }

  get diskIsFull(): boolean {
    return this.#diskIsFull
  }

  get runningCount(): number {
    return this.#running.size
  }

  /** What a running task has done so far; null when it does not run here or has not said anything. */
  progressOf(taskId: string): TaskProgress | null {
    return this.#running.get(taskId)?.progress ?? null
  }

  /** Sites that are being left in peace. */
  coolingSites(): string[] {
    return this.#cooldowns.blocked(Date.now())
  }

  /** Leaves a site in peace where a failure that did not come from a task asks for it. */
  strike(site: string, code: TaskErrorCode): void {
    this.#cooldowns.strike(site, Date.now(), (strikes) => hostCooldown(code, strikes + 1))
  }

  /**
   * Ends a running task; resolves when nothing of it runs any more. False when it does not run here. An attempt that was
   * ending already is settled as it ended.
   */
  async cancel(taskId: string): Promise<boolean> {
    const running = this.#running.get(taskId)
    if (!running) return false
    running.controller.abort(new TaskError('cancelled', 'the task was cancelled'))
    await running.done
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true
    clearInterval(this.#timer)
    await this.#claiming
    // A recording cannot be taken up again later: it finishes now, with what it has.
    for (const { interrupt } of this.#running.values()) interrupt.abort()
    const idle = this.#queue.onIdle()
    const grace = setTimeout(() => {
      for (const { controller } of this.#running.values())
        controller.abort(new TaskError('shutdown', 'the daemon was stopped'))
    }, this.#options.shutdownGraceMs)
    await idle
    clearTimeout(grace)
  }

  async #claimLoop(): Promise<void> {
    while (this.#claimAgain && !this.#stopping) {
      this.#claimAgain = false
      if (!(await this.#hasSpace())) return
      while (this.#hasSlot() && !this.#stopping) {
        const task = await this.#claims.next([...this.#running.values()].map(({ keyId }) => keyId))
        if (!task) break
        this.#launch(task)
      }
    }
  }

  #hasSlot(): boolean {
    return !this.#isPaused && this.#running.size < this.#options.maxWorkers
  }

  async #hasSpace(): Promise<boolean> {
    const free = await this.#options.freeBytes()
    const full = free < this.#options.minFreeBytes
    if (full !== this.#diskIsFull) {
      this.#options.log.warn({ freeBytes: free }, full ? 'the disk is nearly full: tasks wait' : 'there is space again')
    }
    this.#diskIsFull = full
    return !full
  }

  #launch(task: ClaimedTask): void {
    const { promise: done, resolve } = Promise.withResolvers<void>()
    const running: Running = {
      keyId: task.keyId,
      controller: new AbortController(),
      interrupt: new AbortController(),
      done,
      progress: null,
    }
    this.#running.set(task.id, running)
    void this.#queue
      .add(() => this.#runOne(task, running))
      .catch((err: unknown) => this.#options.log.error({ err, taskId: task.id }, 'a task could not be settled'))
      .finally(() => {
        this.#running.delete(task.id)
        resolve()
        this.nudge()
      })
  }

  /** For tasks whose end was the last that a daemon got to do. */
  async #cleanUpEnded(): Promise<void> {
    const { store, leftWork, cleanUp } = this.#options
    for (const id of await leftWork()) {
      const task = await store.get(id)
      if (task && isFinal(task.state)) await cleanUp(id, task.state === 'completed')
    }
  }

  async #runOne(task: ClaimedTask, running: Running): Promise<void> {
    const { log, cleanUp } = this.#options
    const startedAt = performance.now()
    const { kind, url } = task.request
    log.info({ taskId: task.id, attempt: task.attempt, kind, site: siteOf(url) }, 'task started')
    const outcome = await this.#attempt(task, running)
    const settled = await this.#settle(task, outcome)
    const durationMs = Math.round(performance.now() - startedAt)
    if (settled) this.#options.onAttemptEnded?.(task, outcome, durationMs)
    const code = outcome.kind === 'error' || outcome.kind === 'retry' ? outcome.code : undefined
    log.info({ taskId: task.id, attempt: task.attempt, outcome: outcome.kind, code, durationMs, settled }, 'task ended')
    // On a full disk its partial files are part of what fills it: kept, they could keep every task waiting for ever.
    const isInTheWay = outcome.kind === 'retry' && outcome.code === 'no_space' && task.request.live === null
    if (outcome.kind !== 'retry' || isInTheWay) await cleanUp(task.id, outcome.kind === 'completed')
  }

  /** Goes on until the database takes it, as long as the daemon runs: a full disk must not leave a task running for ever. */
  async #settle(task: ClaimedTask, outcome: Outcome): Promise<boolean> {
    for (;;) {
      try {
        return await this.#options.store.settle(task.id, task.attempt, outcome, Date.now())
      } catch (err) {
        if (this.#stopping) throw err
        this.#options.log.error({ err, taskId: task.id }, 'a task could not be settled, trying again')
        await new Promise((resolve) => setTimeout(resolve, LOOK_AROUND_MS))
      }
    }
  }

  async #attempt(task: ClaimedTask, running: Running): Promise<Outcome> {
    const { attempt, log } = this.#options
    try {
      const result = await attempt(task, {
        signal: running.controller.signal,
        interrupt: running.interrupt.signal,
        onProgress: (progress) => {
          running.progress = progress
        },
      })
      this.#cooldowns.clear(siteOf(task.request.url))
      return { kind: 'completed', ...result }
    } catch (thrown) {
      // An attempt that was told to stop may say what broke because of that; why it had to stop is what counts.
      const { signal } = running.controller
      const cause: unknown = signal.aborted ? signal.reason : thrown
      const error = TaskError.from(cause)
      // A failure that has a name is described by it; only one of ours needs its stack.
      if (cause instanceof TaskError)
        log.warn({ taskId: task.id, code: error.code, reason: error.message }, 'attempt failed')
      else log.error({ err: cause, taskId: task.id }, 'attempt failed')
      return this.#outcomeOf(task, error, running.progress)
    }
  }

  #outcomeOf(task: ClaimedTask, error: TaskError, progress: TaskProgress | null): Outcome {
    if (error.code === 'cancelled') return { kind: 'cancelled' }
    const now = Date.now()
    this.strike(siteOf(task.request.url), error.code)
    const { retryMaxWaitMs } = this.#options
    return outcomeOfFailure(task, error, { progress, now, retryMaxWaitMs })
  }
}
