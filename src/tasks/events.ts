import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { EventLog } from '../db/event-log.ts'
import type { ProgressEvent, TaskEvent } from '../domain/event.ts'
import type { Task, TaskProgress } from '../domain/task.ts'
import type { Attempt } from './runner.ts'

/** Events read at a time. */
const BATCH = 500

/** How often running tasks are told of, and so at most how often each. */
const PROGRESS_MS = 500

/** Events that are kept, for readers that come back; and how often older ones are forgotten. */
const KEPT_EVENTS = 50_000
const TRIM_MS = 60_000

/** Told of every event, in order; must not throw and not wait. */
export type EventListener = (event: TaskEvent) => void

/** What is listened to: one task, or all tasks of a key. */
export type EventScope = Readonly<{ taskId: string } | { keyId: string }>

/** Told of what happens in its scope; must not throw and not wait. */
export type ScopeListener = Readonly<{
  onEvent: EventListener
  /** What the running tasks have done since the last time, each once; the same list goes to everybody in the scope. */
  onProgress?: (events: readonly ProgressEvent[]) => void
}>

/** Tells whoever listens what the database wrote down of tasks, and how far running ones are. Nobody waits for a listener. */
export class TaskEvents implements AsyncDisposable {
  readonly #log: EventLog
  readonly #logger: Logger
  readonly #everywhere = new Set<EventListener>()
  /** By key and by task: an event costs only those that it is for. */
  readonly #scoped = new Map<string, Set<ScopeListener>>()
  readonly #pending = new Map<string, ProgressEvent>()
  readonly #trimming: NodeJS.Timeout
  #flushing: NodeJS.Timeout | null = null
  #last = 0
  #reading: Promise<void> | null = null
  #trimmed: Promise<void> = Promise.resolve()
  #again = false
  #closed = false

  private constructor(log: EventLog, logger: Logger, last: number) {
    this.#log = log
    this.#logger = logger
    this.#last = last
    this.#trimming = setInterval(() => this.#trim(), TRIM_MS).unref()
  }

  /** Begins behind what has happened so far. */
  static async open(log: EventLog, logger: Logger): Promise<TaskEvents> {
    const { last } = await log.range()
    return new TaskEvents(log, logger, last)
  }

  /** Listens to everything until disposed. */
  listen(listener: EventListener): Disposable {
    this.#everywhere.add(listener)
    return { [Symbol.dispose]: () => void this.#everywhere.delete(listener) }
  }

  /** Listens to one task or one key until disposed. */
  listenTo(scope: EventScope, listener: ScopeListener): Disposable {
    const name = 'taskId' in scope ? taskScope(scope.taskId) : keyScope(scope.keyId)
    const listeners = this.#scoped.get(name) ?? new Set()
    this.#scoped.set(name, listeners.add(listener))
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener)
        if (listeners.size === 0 && this.#scoped.get(name) === listeners) this.#scoped.delete(name)
      },
    }
  }

  /** How many listen. */
  get listenerCount(): number {
    return [...this.#scoped.values()].reduce((sum, { size }) => sum + size, this.#everywhere.size)
  }

  /** Up to `limit` events of a key behind `seq`, oldest first. */
  after(seq: number, limit: number, keyId: string): Promise<TaskEvent[]> {
    return this.#log.after(seq, limit, keyId)
  }

  /** The first and the last event that are kept; zeros when there is none. */
  range(): Promise<Readonly<{ first: number; last: number }>> {
    return this.#log.range()
  }

  /** Call when there may be new events. Never throws and never waits. */
  poke(): void {
    this.#again = true
    if (this.#closed) return
    this.#reading ??= this.#read()
      .catch((err: unknown) => this.#logger.error({ err }, 'events could not be read'))
      .finally(() => {
        this.#reading = null
        if (this.#again) this.poke() // came in after the last look, before this line
      })
  }

  /** Tells how far a running task is, soon and only to those who listen now; of several calls the last counts. */
  report({ id, keyId, batchId }: Pick<Task, 'id' | 'keyId' | 'batchId'>, progress: TaskProgress): void {
    if (this.#closed || !(this.#scoped.has(keyScope(keyId)) || this.#scoped.has(taskScope(id)))) return
    this.#pending.set(id, { taskId: id, keyId, batchId, progress })
    this.#flushing ??= setTimeout(() => this.#flush(), PROGRESS_MS)
  }

  /** Lets who waits for a task look at it again, where something of it changed that is no event. */
  wake(taskId: string): void {
    for (const { onProgress } of this.#scoped.get(taskScope(taskId)) ?? []) onProgress?.([])
  }

  /** Nothing is told from now on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearInterval(this.#trimming)
    if (this.#flushing) clearTimeout(this.#flushing)
    await this.#reading
    await this.#trimmed
  }

  async #read(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false
      const events = await this.#log.after(this.#last, BATCH)
      for (const event of events) {
        this.#last = event.seq
        this.#tell(event)
      }
      if (events.length < BATCH) continue
      this.#again = true
      await nextTurn()
    }
  }

  #tell(event: TaskEvent): void {
    if (event.state !== 'processing') this.#pending.delete(event.taskId) // of what is over now
    for (const listener of this.#everywhere) listener(event)
    for (const { onEvent } of this.#scoped.get(keyScope(event.keyId)) ?? []) onEvent(event)
    for (const { onEvent } of this.#scoped.get(taskScope(event.taskId)) ?? []) onEvent(event)
  }

  #flush(): void {
    this.#flushing = null
    const events = [...this.#pending.values()]
    this.#pending.clear()
    for (const [keyId, ofKey] of Map.groupBy(events, (event) => event.keyId)) {
      for (const { onProgress } of this.#scoped.get(keyScope(keyId)) ?? []) onProgress?.(ofKey)
    }
    for (const event of events) {
      for (const { onProgress } of this.#scoped.get(taskScope(event.taskId)) ?? []) onProgress?.([event])
    }
  }

  #trim(): void {
    this.#trimmed = this.#log
      .trim(KEPT_EVENTS)
      .catch((err: unknown) => this.#logger.error({ err }, 'old events could not be removed'))
  }
}

const keyScope = (keyId: string) => `key ${keyId}`
const taskScope = (taskId: string) => `task ${taskId}`

/** The same attempt, of whose progress `events` is told, too. */
export const reporting =
  (events: TaskEvents, attempt: Attempt): Attempt =>
  (task, run) =>
    attempt(task, {
      ...run,
      onProgress: (progress) => {
        run.onProgress(progress)
        events.report(task, progress)
      },
    })
