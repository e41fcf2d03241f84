import { Refusal } from '../domain/errors.ts'
import type { TaskEvents } from './events.ts'

/** Calls of one key that may wait at the same time. */
const MAX_PER_KEY = 100

const BUSY_RETRY_AFTER_S = 1

/** Whose task is waited for, and how long. */
export type Wait = Readonly<{
  keyId: string
  taskId: string
  ms: number
  /** Aborted when the one who asked is gone. */
  signal: AbortSignal
}>

/** Waits for something to happen to a task. */
export class TaskWaits {
  readonly #events: TaskEvents
  readonly #byKey = new Map<string, number>()

  constructor(events: TaskEvents) {
    this.#events = events
  }

  /**
   * Looks until `look` finds something: at once, and whenever the task's state or progress changed. Resolves to what it
   * found; to null when the time is over or the signal aborts. Refuses `limit_exceeded` when too many wait for the key.
   */
  async until<T>({ keyId, taskId, ms, signal }: Wait, look: () => Promise<T | null>): Promise<T | null> {
    const waiting = this.#byKey.get(keyId) ?? 0
    if (waiting >= MAX_PER_KEY)
      throw new Refusal('limit_exceeded', `At most ${MAX_PER_KEY} calls of a key can wait at the same time`, {
        retryAfter: BUSY_RETRY_AFTER_S,
      })
    this.#byKey.set(keyId, waiting + 1)
    try {
      return await this.#watch({ taskId, ms, signal }, look)
    } finally {
      const left = (this.#byKey.get(keyId) ?? 1) - 1
      if (left === 0) this.#byKey.delete(keyId)
      else this.#byKey.set(keyId, left)
    }
  }

  async #watch<T>({ taskId, ms, signal }: Omit<Wait, 'keyId'>, look: () => Promise<T | null>): Promise<T | null> {
    let change = Promise.withResolvers<boolean>()
    const onEvent = () => change.resolve(true)
    const giveUp = () => change.resolve(false)
    // Listening comes before the first look: nothing falls in between.
    using _listening = this.#events.listenTo({ taskId }, { onEvent, onProgress: onEvent })
    const timer = setTimeout(() => {
      isOver = true
      giveUp()
    }, ms)
    let isOver = false
    signal.addEventListener('abort', giveUp)
    try {
      for (;;) {
        const found = await look()
        if (found !== null || isOver || signal.aborted) return found
        if (!(await change.promise)) return null
        change = Promise.withResolvers()
      }
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
    }
  }
}
