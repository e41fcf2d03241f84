import type { Logger } from 'pino'
import type { TaskStore } from '../db/task-store.ts'
import type { LocalFiles } from '../files/local.ts'

/** How often what is due is looked for: well within the 5 s in which it has to go. */
const SWEEP_MS = 2_000
/** Tasks removed in one go, so that a long backlog does not hold up everything else. */
const BATCH = 200
/** Ids asked of the database at a time. */
const ORPHAN_BATCH = 500

/** What the sweeper removes from, and how long finished tasks stay. */
export type SweeperOptions = Readonly<{ store: TaskStore; files: LocalFiles; retentionMs: number; log: Logger }>

/**
 * Removes finished tasks with their files when their time is over, and at the start folders that no task owns.
 * Files go first: a crash in between leaves a record that is swept again, never a file nobody knows.
 */
export class Sweeper implements AsyncDisposable {
  readonly #options: SweeperOptions
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<void> = Promise.resolve()
  #busy = false
  #stopped = false

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  /** Call it before anything runs: what no task owns now is nobody's. */
  async start(): Promise<void> {
    await this.#removeOrphans()
    this.#timer = setInterval(() => this.#tick(), SWEEP_MS)
    this.#tick()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#sweeping
  }

  #tick(): void {
    if (this.#busy) return
    this.#busy = true
    this.#sweeping = this.#sweep()
      .catch((err: unknown) => this.#options.log.error({ err }, 'finished tasks could not be removed'))
      .finally(() => {
        this.#busy = false
      })
  }

  async #sweep(): Promise<void> {
    const { store, files, retentionMs, log } = this.#options
    let removed = 0
    while (!this.#stopped) {
      const now = Date.now()
      const due = [...(await store.finishedBefore(now - retentionMs, BATCH)), ...(await store.outlived(now, BATCH))]
      let stuck = 0
      for (const id of due) {
        try {
          await files.remove(id)
          await store.remove(id)
          removed++
        } catch (err) {
          stuck++
          log.error({ err, taskId: id }, 'a finished task could not be removed')
        }
      }
      if (due.length < BATCH || stuck > 0) break
    }
    if (removed > 0) log.info({ removed }, 'finished tasks removed')
  }

  async #removeOrphans(): Promise<void> {
    const { store, files, log } = this.#options
    const ids = await files.taskIds()
    for (let from = 0; from < ids.length; from += ORPHAN_BATCH) {
      const batch = ids.slice(from, from + ORPHAN_BATCH)
      const known = await store.existing(batch)
      for (const id of batch.filter((candidate) => !known.has(candidate))) {
        log.warn({ taskId: id }, 'removing a folder that no task owns')
        await files.remove(id)
      }
    }
  }
}
