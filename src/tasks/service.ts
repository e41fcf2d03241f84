import { customAlphabet } from 'nanoid'
import type { TaskStore } from '../db/task-store.ts'
import { Refusal } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import { permissionOf } from '../domain/permissions.ts'
import { siteOf } from '../domain/site.ts'
import type { Task, TaskProgress, TaskRequest } from '../domain/task.ts'
import type { LocalFiles } from '../files/local.ts'
import type { Runner } from './runner.ts'

const ID_ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const newId = customAlphabet(ID_ALPHABET, 16)

/** How old a queue position may be: it is read off one list for all who ask. */
const POSITIONS_TTL_MS = 1_000

/** Seconds after which a refused submission is worth another try. */
const BUSY_RETRY_AFTER_S = 10

/** What a submission has to find room in. */
export type SubmitLimits = Readonly<{
  maxQueue: number
  maxQueuedPerKey: number
  /** 0 = no limit. */
  maxBytesPerKeyPerDay: number
  minFreeBytes: number
}>

/** A task as faces show it. */
export type TaskView = Readonly<{
  task: Task
  progress: TaskProgress | null
  /** From 1; null unless the task waits. */
  queuePosition: number | null
  /** Why a waiting task waits although there may be room, null when it is only its turn that has not come. */
  waitReason: string | null
}>

/** What faces do with tasks. A key sees its own tasks only: for others' a call is refused as for one that is not there. */
export class TaskService {
  readonly #store: TaskStore
  readonly #runner: Runner
  readonly #files: LocalFiles
  readonly #limits: SubmitLimits
  readonly #checkUrl: (url: string) => string | null
  #positions: { at: number; byId: ReadonlyMap<string, number> } = { at: -Infinity, byId: new Map() }
  #positionsPending: Promise<ReadonlyMap<string, number>> | null = null
  #lastQueued: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(deps: {
    store: TaskStore
    runner: Runner
    files: LocalFiles
    limits: SubmitLimits
    /** Why a URL may not be fetched, null when it may be tried. */
    checkUrl: (url: string) => string | null
  }) {
    this.#store = deps.store
    this.#runner = deps.runner
    this.#files = deps.files
    this.#limits = deps.limits
    this.#checkUrl = deps.checkUrl
  }

  /** From now on nothing is accepted. */
  close(): void {
    this.#closed = true
  }

  /** Accepts a task; when this resolves it is on the disk. */
  async submit(key: ApiKey, request: TaskRequest, sent: Readonly<Record<string, unknown>>): Promise<string> {
    if (this.#closed)
      throw new Refusal('shutting_down', 'The server is shutting down', { retryAfter: BUSY_RETRY_AFTER_S })
    const why = this.#checkUrl(request.url)
    if (why !== null) throw new Refusal('invalid_request', why)
    const id = newId()
    await this.#withRoom(key, () =>
      this.#store.add({ id, keyId: key.id, keyName: key.name, request, sent, createdAt: Date.now() }),
    )
    this.#runner.nudge()
    return id
  }

  /** The task, seen by `key`; by whoever knows its id when `key` is null. Refuses `task_not_found`. */
  async view(key: ApiKey | null, id: string): Promise<TaskView> {
    const task = await this.#require(key, id)
    return {
      task,
      progress: task.state === 'processing' ? this.#runner.progressOf(id) : null,
      queuePosition: task.state === 'waiting' ? await this.#queuePosition(id) : null,
      waitReason: task.state === 'waiting' ? this.#waitReason(task) : null,
    }
  }

  /** Ends a task that waits or runs; resolves when nothing of it is left. Refuses `conflict` when it has ended. */
  async cancel(key: ApiKey, id: string): Promise<void> {
    await this.#require(key, id)
    if (!(await this.#store.cancelWaiting(id, Date.now()))) {
      const hasStopped = await this.#runner.cancel(id)
      // An attempt that was ending anyway has put the task back into the queue, or ended it in its own way.
      const wasWaiting = await this.#store.cancelWaiting(id, Date.now())
      const { state } = await this.#require(key, id)
      if (!wasWaiting && !(hasStopped && state === 'cancelled'))
        throw new Refusal('conflict', `A task that is ${state} cannot be cancelled`)
    }
    await this.#files.remove(id)
  }

  /** Tries a task again that ended without a file. Refuses `conflict` for any other, `forbidden` what the key may no longer ask for. */
  async retry(key: ApiKey, id: string): Promise<void> {
    const task = await this.#require(key, id)
    if (!key.permissions.includes(permissionOf(task.request.kind)))
      throw new Refusal('forbidden', 'Insufficient permissions')
    if (!(await this.#withRoom(key, () => this.#store.retryEnded(id))))
      throw new Refusal('conflict', `A task that is ${task.state} cannot be tried again`)
    this.#runner.nudge()
  }

  async #require(key: ApiKey | null, id: string): Promise<Task> {
    const task = await this.#store.get(id)
    if (!task || (key !== null && task.keyId !== key.id)) throw new Refusal('task_not_found', 'Task not found')
    return task
  }

  /** One at a time, so that no two that come at once take the same last place. */
  async #withRoom<T>(key: ApiKey, queue: () => Promise<T>): Promise<T> {
    if ((await this.#files.freeBytes()) < this.#limits.minFreeBytes)
      throw new Refusal('no_space', 'Not enough disk space', { retryAfter: BUSY_RETRY_AFTER_S })
    const queued = this.#lastQueued.then(async () => {
      await this.#requireRoom(key)
      return queue()
    })
    this.#lastQueued = queued.catch(() => undefined) // told to its own caller
    return queued
  }

  async #requireRoom(key: ApiKey): Promise<void> {
    const { maxQueue, maxQueuedPerKey, maxBytesPerKeyPerDay } = this.#limits
    const retryAfter = BUSY_RETRY_AFTER_S
    if ((await this.#store.countWaiting()) >= maxQueue) throw new Refusal('queue_full', 'Queue is full', { retryAfter })
    if (maxQueuedPerKey > 0 && (await this.#store.usageOf(key.id)).waiting >= maxQueuedPerKey) {
      throw new Refusal('limit_exceeded', `This key may have ${maxQueuedPerKey} waiting tasks`, { retryAfter })
    }
    if (maxBytesPerKeyPerDay > 0 && (await this.#store.bytesToday(key.id, Date.now())) >= maxBytesPerKeyPerDay) {
      throw new Refusal('limit_exceeded', `This key may fetch ${maxBytesPerKeyPerDay} bytes a day`, {
        retryAfter: 3600,
      })
    }
  }

  /** A failure before this attempt, a full disk, or a site that is being left in peace. */
  #waitReason(task: Task): string | null {
    if (task.waitReason !== null) return task.waitReason
    if (this.#runner.diskIsFull) return 'no_space'
    return this.#runner.coolingSites().includes(siteOf(task.request.url)) ? 'site_cooling_down' : null
  }

  /** A task younger than the list stands behind all that are on it. */
  async #queuePosition(id: string): Promise<number> {
    const positions = await this.#queuePositions()
    return positions.get(id) ?? positions.size + 1
  }

  async #queuePositions(): Promise<ReadonlyMap<string, number>> {
    if (performance.now() - this.#positions.at < POSITIONS_TTL_MS) return this.#positions.byId
    this.#positionsPending ??= this.#readPositions().finally(() => {
      this.#positionsPending = null
    })
    return this.#positionsPending
  }

  async #readPositions(): Promise<ReadonlyMap<string, number>> {
    const waiting = await this.#store.waitingSequence()
    const byId = new Map(waiting.map(({ id }, index) => [id, index + 1]))
    this.#positions = { at: performance.now(), byId }
    return byId
  }
}
