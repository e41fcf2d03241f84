import type { TaskStore } from '../db/task-store.ts'

/** How old a position may be: it is read off one list for all who ask. */
const TTL_MS = 1_000

/** Where waiting tasks stand. */
export class QueuePositions {
  readonly #store: Pick<TaskStore, 'waitingSequence'>
  #read: { at: number; byId: ReadonlyMap<string, number> } = { at: -Infinity, byId: new Map() }
  #pending: Promise<ReadonlyMap<string, number>> | null = null

  constructor(store: Pick<TaskStore, 'waitingSequence'>) {
    this.#store = store
  }

  /** From 1. A task younger than the list stands behind all that are on it. */
  async of(taskId: string): Promise<number> {
    const positions = await this.#positions()
    return positions.get(taskId) ?? positions.size + 1
  }

  async #positions(): Promise<ReadonlyMap<string, number>> {
    if (performance.now() - this.#read.at < TTL_MS) return this.#read.byId
    this.#pending ??= this.#readAll().finally(() => {
      this.#pending = null
    })
    return this.#pending
  }

  async #readAll(): Promise<ReadonlyMap<string, number>> {
    const waiting = await this.#store.waitingSequence()
    const byId = new Map(waiting.map(({ id }, index) => [id, index + 1]))
    this.#read = { at: performance.now(), byId }
    return byId
  }
}
