type Entry<T> = Readonly<{ value: T; size: number; until: number }>

/** Values that are used again for a while; the oldest go first when all of them together become too large. */
export class SizedCache<T> {
  readonly #ttlMs: number
  readonly #maxSize: number
  readonly #entries = new Map<string, Entry<T>>()
  #size = 0

  /** With a lifetime of 0 nothing is kept. `maxSize` is in the unit of what `keep` is told. */
  constructor(ttlMs: number, maxSize: number) {
    this.#ttlMs = ttlMs
    this.#maxSize = maxSize
  }

  /** A value that is still fresh, null otherwise. */
  get(key: string): T | null {
    const entry = this.#entries.get(key)
    if (!entry) return null
    if (entry.until > performance.now()) return entry.value
    this.#drop(key)
    return null
  }

  /** Keeps a value in place of an older one, unless it is too large by itself; for less than usual where `ttlMs` says so. */
  keep(key: string, value: T, size: number, ttlMs = this.#ttlMs): void {
    if (ttlMs <= 0 || size > this.#maxSize) return
    this.#drop(key)
    this.#entries.set(key, { value, size, until: performance.now() + ttlMs })
    this.#size += size
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= this.#maxSize) break
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    this.#size -= this.#entries.get(key)?.size ?? 0
    this.#entries.delete(key)
  }
}
