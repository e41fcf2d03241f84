/** How often the times are written at most. */
const WRITE_EVERY_MS = 60_000

/** When keys were last used: kept in memory, written now and then. What a daemon that dies has not written is lost. */
export class LastUse {
  readonly #write: (times: ReadonlyMap<string, number>) => Promise<void>
  #unwritten = new Map<string, number>()
  readonly #known = new Map<string, number>()
  #writtenAt = 0

  constructor(write: (times: ReadonlyMap<string, number>) => Promise<void>) {
    this.#write = write
  }

  /** Never throws and never waits. */
  touch(id: string): void {
    const now = Date.now()
    this.#known.set(id, now)
    this.#unwritten.set(id, now)
    if (now - this.#writtenAt >= WRITE_EVERY_MS) void this.flush()
  }

  /** Writes what was not written yet. Never throws. */
  async flush(): Promise<void> {
    this.#writtenAt = Date.now()
    const times = this.#unwritten
    this.#unwritten = new Map()
    await this.#write(times).catch(() => undefined) // for people's eyes only, and written again at the next use
  }

  /** Since the start; null when not used since. */
  of(id: string): number | null {
    return this.#known.get(id) ?? null
  }

  forget(id: string): void {
    this.#known.delete(id)
    this.#unwritten.delete(id)
  }
}
