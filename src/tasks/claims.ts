import type { ClaimedTask, TaskStore } from '../db/task-store.ts'
import type { Cooldowns } from './cooldown.ts'

/** How many tasks of a key run at a time. */
export type ClaimBounds = Readonly<{
  /** 0 = as many as there is room for. */
  maxRunningPerKey: number
  /** A key's own bound beside that one; null = none. */
  maxRunningOf?: (keyId: string) => number | null
}>

/** Whose task is next: keys in turn, within their bounds, hosts that cool down left out. */
export class Claims {
  readonly #deps: ClaimBounds & Readonly<{ store: TaskStore; cooldowns: Cooldowns }>
  readonly #turns = new Map<string, number>()
  #turn = 0

  constructor(deps: ClaimBounds & Readonly<{ store: TaskStore; cooldowns: Cooldowns }>) {
    this.#deps = deps
  }

  /** Claims the first task of the key whose last turn is longest ago. `running`: the key of each task that runs. */
  async next(running: readonly string[]): Promise<ClaimedTask | null> {
    const { store, cooldowns } = this.#deps
    const now = Date.now()
    const blockedHosts = cooldowns.blocked(now)
    const keys = (await store.keysWaiting())
      .filter((keyId) => running.filter((other) => other === keyId).length < this.#boundOf(keyId))
      .toSorted((a, b) => (this.#turns.get(a) ?? 0) - (this.#turns.get(b) ?? 0))
    for (const keyId of keys) {
      const task = await store.claim({ keyId, now, blockedHosts })
      if (!task) continue
      this.#turns.set(keyId, ++this.#turn)
      return task
    }
    return null
  }

  #boundOf(keyId: string): number {
    const { maxRunningPerKey, maxRunningOf } = this.#deps
    return Math.min(maxRunningPerKey || Infinity, maxRunningOf?.(keyId) ?? Infinity)
  }
}
