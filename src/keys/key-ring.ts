import type { StoredKey } from '../db/key-store.ts'

/** The keys in memory, by everything they are looked up by. */
export class KeyRing {
  readonly #byHash = new Map<string, StoredKey>()
  readonly #byName = new Map<string, StoredKey>()
  readonly #byId = new Map<string, StoredKey>()

  /** In the order in which they were made. */
  all(): StoredKey[] {
    return [...this.#byId.values()]
  }

  byName(name: string): StoredKey | undefined {
    return this.#byName.get(name)
  }

  byId(id: string): StoredKey | undefined {
    return this.#byId.get(id)
  }

  /** The key whose value has this hash, or had it until a moment that has not come yet. */
  byHash(hash: string, now: number): StoredKey | undefined {
    const key = this.#byHash.get(hash)
    const isCurrent = key?.hash === hash || (key?.old?.until ?? 0) > now
    return isCurrent ? key : undefined
  }

  /** Puts a key in, in the place of the one with its id. */
  put(key: StoredKey): void {
    this.#forget(key.id)
    this.#byHash.set(key.hash, key)
    if (key.old) this.#byHash.set(key.old.hash, key)
    this.#byName.set(key.name, key)
    this.#byId.set(key.id, key)
  }

  remove(id: string): void {
    this.#forget(id)
    this.#byId.delete(id)
  }

  #forget(id: string): void {
    const known = this.#byId.get(id)
    if (!known) return
    this.#byHash.delete(known.hash)
    if (known.old) this.#byHash.delete(known.old.hash)
    this.#byName.delete(known.name)
  }
}
