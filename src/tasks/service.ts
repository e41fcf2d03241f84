import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BatchStore } from '../db/batch-store.ts'
import { CHILDREN_AT_ONCE, type PlaylistStore } from '../db/playlist-store.ts'
import { Refusal } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import { siteOf } from '../domain/site.ts'
import { isFinal, type Task, type TaskProgress, type TaskRequest } from '../domain/task.ts'
import type { TaskEvents } from './events.ts'
import { QueuePositions } from './queue-positions.ts'
import type { Runner } from './runner.ts'
import { Submissions, type Accepted, type Order, type Repeatable, type SubmitDeps } from './submit.ts'

/** A task as faces show it. */
export type TaskView = Readonly<{
  task: Task
  progress: TaskProgress | null
  /** From 1; null unless the task waits. */
  queuePosition: number | null
  /** Why a waiting task waits although there may be room, null when it is only its turn that has not come. */
  waitReason: string | null
}>

/** What tasks are handled with. */
export type TaskServiceDeps = SubmitDeps &
  Readonly<{ batches: BatchStore; children: PlaylistStore; runner: Runner; events: Pick<TaskEvents, 'wake'> }>

/** What faces do with tasks. A key sees its own tasks only: for others' a call is refused as for one that is not there. */
export class TaskService {
  readonly #deps: TaskServiceDeps
  readonly #submissions: Submissions
  readonly #positions: QueuePositions

  constructor(deps: TaskServiceDeps) {
    this.#deps = deps
    this.#submissions = new Submissions(deps)
    this.#positions = new QueuePositions(deps.store)
  }

  /** From now on nothing is accepted. */
  close(): void {
    this.#submissions.close()
  }

  /** Accepts a task; when this resolves it is on the disk. */
  async submit(key: ApiKey, request: TaskRequest, sent: Readonly<Record<string, unknown>>): Promise<string> {
    const order = { requests: [request], isBatch: false, priority: 0, notBefore: null, webhook: null, sent }
    const { tasks } = await this.accept(key, order)
    return tasks[0]?.id ?? ''
  }

  /** Accepts all of an order or nothing; see `Submissions.accept`. */
  async accept(
    key: ApiKey,
    order: Order,
    repeatable: Repeatable | null = null,
  ): Promise<Accepted & Readonly<{ isReplayed: boolean }>> {
    const accepted = await this.#submissions.accept(key, order, repeatable)
    this.#deps.runner.nudge()
    return accepted
  }

  /** The task, seen by `key`; by whoever knows its id when `key` is null. Refuses `task_not_found`. */
  async view(key: ApiKey | null, id: string): Promise<TaskView> {
    return this.viewOf(await this.#require(key, id))
  }

  /** A task that was read, with what is known of it beside its record. */
  async viewOf(task: Task): Promise<TaskView> {
    return {
      task,
      progress: task.state === 'processing' ? this.#deps.runner.progressOf(task.id) : null,
      queuePosition: task.state === 'waiting' ? await this.#positions.of(task.id) : null,
      waitReason: task.state === 'waiting' ? this.#waitReason(task) : null,
    }
  }

  /**
   * Ends a task that waits or runs, a playlist's with all that it made; resolves when nothing of it is left. Refuses
   * `conflict` when it has ended.
   */
  async cancel(key: ApiKey, id: string): Promise<void> {
    const task = await this.#require(key, id)
    const hasEnded = await this.#end(task)
    // What ends the list comes first: it could still be adding to what it made.
    const hasEndedChildren = task.request.kind === 'playlist' && (await this.#endChildren(task))
    if (!hasEnded && !hasEndedChildren) {
      const { state } = await this.#require(key, id)
      throw new Refusal('conflict', `A task that is ${state} cannot be cancelled`)
    }
  }

  /**
   * Tries a task again that ended without a file, a playlist's with all that it made and was cancelled. Refuses `conflict`
   * for any other, `forbidden` what the key may no longer ask for.
   */
  async retry(key: ApiKey, id: string): Promise<void> {
    const task = await this.#require(key, id)
    const { store, runner } = this.#deps
    const hasChildren = task.request.kind === 'playlist' && (await this.#retryChildren(key, task))
    const isQueued = await this.#submissions.queueAgain(key, [task.request], () => store.retryEnded(id))
    if (!isQueued && !hasChildren) throw new Refusal('conflict', `A task that is ${task.state} cannot be tried again`)
    runner.nudge()
  }

  /** Moves a waiting task before or behind others of its key. Refuses `conflict` when it does not wait. */
  async prioritise(key: ApiKey, id: string, priority: number): Promise<void> {
    const { state } = await this.#require(key, id)
    if (!(await this.#deps.store.setPriority(id, priority)))
      throw new Refusal('conflict', `A task that is ${state} has no turn to wait for`)
    this.#deps.events.wake(id)
  }

  /**
   * Removes the record and the files of a task; one that has not ended is cancelled first. Refuses `conflict` when it was
   * put back into the queue meanwhile.
   */
  async remove(key: ApiKey, id: string): Promise<void> {
    const { files, store } = this.#deps
    if (!isFinal((await this.#require(key, id)).state)) await this.cancel(key, id).catch(unlessConflict)
    const { state } = await this.#require(key, id)
    if (!isFinal(state)) throw new Refusal('conflict', `A task that is ${state} cannot be removed`)
    await files.remove(id)
    await store.remove(id)
  }

  async #require(key: ApiKey | null, id: string): Promise<Task> {
    const task = await this.#deps.store.get(id)
    if (!task || (key !== null && task.keyId !== key.id)) throw new Refusal('task_not_found', 'Task not found')
    return task
  }

  /** False when it had ended. */
  async #end({ id }: Pick<Task, 'id'>): Promise<boolean> {
    const { store, runner, files } = this.#deps
    if (!(await store.cancelWaiting(id, Date.now()))) {
      const hasStopped = await runner.cancel(id)
      // An attempt that was ending anyway has put the task back into the queue, or ended it in its own way.
      const wasWaiting = await store.cancelWaiting(id, Date.now())
      const task = await store.get(id)
      if (!wasWaiting && !(hasStopped && task?.state === 'cancelled')) return false
    }
    await files.remove(id)
    return true
  }

  /** False when all that a playlist made had ended. */
  async #endChildren({ batchId }: Task): Promise<boolean> {
    const { batches, children } = this.#deps
    if (batchId === null) return false
    let hasEnded = false
    let behind = 0
    for (;;) {
      const open = await batches.openTasks(batchId, behind, CHILDREN_AT_ONCE)
      const last = open.at(-1)
      if (!last) return hasEnded
      const ids = open.map(({ id }) => id)
      const running = await children.cancelWaiting(ids, Date.now())
      const ended = await Promise.all(running.map((id) => this.#end({ id })))
      hasEnded ||= running.length < ids.length || ended.includes(true)
      behind = last.seq
      await nextTurn() // a playlist may have made tens of thousands
    }
  }

  /** False when nothing that a playlist made was cancelled. */
  async #retryChildren(key: ApiKey, { id: parentId, batchId }: Task): Promise<boolean> {
    const { batches, children, store } = this.#deps
    if (batchId === null) return false
    let hasQueued = false
    let behind = 0
    for (;;) {
      const some = await batches.cancelledTasks(batchId, behind, CHILDREN_AT_ONCE)
      const last = some.at(-1)
      if (!last) return hasQueued
      const tasks = await Promise.all(some.filter(({ id }) => id !== parentId).map(({ id }) => store.get(id)))
      const requests = tasks.flatMap((task) => task?.request ?? [])
      const ids = tasks.flatMap((task) => task?.id ?? [])
      const queued = await this.#submissions.queueAgain(key, requests, () => children.retryCancelled(ids))
      hasQueued ||= queued > 0
      behind = last.seq
      await nextTurn()
    }
  }

  /** A failure before this attempt, a paused queue, a full disk, or a site that is being left in peace. */
  #waitReason(task: Task): string | null {
    const { runner } = this.#deps
    if (task.waitReason !== null) return task.waitReason
    if (runner.isPaused) return 'paused'
    if (runner.diskIsFull) return 'no_space'
    return runner.coolingSites().includes(siteOf(task.request.url)) ? 'site_cooling_down' : null
  }
}

/** A task that ended by itself needs no end. */
function unlessConflict(cause: unknown): void {
  if (!(cause instanceof Refusal && cause.code === 'conflict')) throw cause
}
