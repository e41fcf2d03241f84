import type { SettingStore } from '../db/setting-store.ts'
import type { TaskStore } from '../db/task-store.ts'
import type { Runner } from './runner.ts'

const PAUSED = 'queue_paused'

/** The queue as a whole. */
export type QueueView = Readonly<{
  isPaused: boolean
  waiting: number
  processing: number
  /** Sites that are being left in peace. */
  coolingSites: readonly string[]
  diskIsFull: boolean
}>

type QueueDeps = Readonly<{ settings: SettingStore; store: TaskStore; runner: Runner }>

/** Pauses the queue and says how it is. A pause outlasts the daemon. */
export class Queue {
  readonly #deps: QueueDeps

  private constructor(deps: QueueDeps) {
    this.#deps = deps
  }

  /** Pauses the runner if the queue was paused when it was last used. */
  static async open(deps: QueueDeps): Promise<Queue> {
    deps.runner.setPaused((await deps.settings.get(PAUSED)) === 'true')
    return new Queue(deps)
  }

  /** While it is paused, tasks are accepted and wait; running ones go on. */
  async setPaused(isPaused: boolean): Promise<void> {
    const { settings, runner } = this.#deps
    await settings.set(PAUSED, String(isPaused))
    runner.setPaused(isPaused)
  }

  async view(): Promise<QueueView> {
    const { store, runner } = this.#deps
    return {
      isPaused: runner.isPaused,
      waiting: await store.countWaiting(),
      processing: runner.runningCount,
      coolingSites: runner.coolingSites(),
      diskIsFull: runner.diskIsFull,
    }
  }
}
