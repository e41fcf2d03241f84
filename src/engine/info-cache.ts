import { TaskError } from '../domain/errors.ts'

/** Most characters of info documents that are held at a time. */
const MAX_CHARS = 32 * 2 ** 20

/** Ends of a leader that say nothing about the page: a follower tries for itself. */
const LEADER_GONE: readonly string[] = ['cancelled', 'shutdown', 'timeout', 'stalled']

type Entry = Readonly<{ text: string; until: number }>

/**
 * Extractions of one page at one time share one run, and its result is used again for a while.
 * The scope of a key keeps results apart that depend on who asks, such as those made with cookies.
 */
export class InfoCache {
  readonly #ttlMs: number
  readonly #entries = new Map<string, Entry>()
  readonly #running = new Map<string, Promise<string>>()
  #chars = 0

  /** With a lifetime of 0 nothing is kept, but simultaneous extractions are still shared. */
  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs
  }

  /** A result that is still fresh, null otherwise. */
  get(key: string): string | null {
    const entry = this.#entries.get(key)
    if (!entry) return null
    if (entry.until > performance.now()) return entry.text
    this.#drop(key)
    return null
  }

  /** The fresh result, that of a run under way, or that of `make`. Rejects when `signal` aborts before. */
  async share(key: string, signal: AbortSignal, make: () => Promise<string>): Promise<string> {
    for (;;) {
      const known = this.get(key)
      if (known !== null) return known
      const running = this.#running.get(key)
      if (!running) return this.#lead(key, make)
      try {
        return await orAborted(running, signal)
      } catch (error) {
        const leaderGone = error instanceof TaskError && LEADER_GONE.includes(error.code)
        if (signal.aborted || !leaderGone) throw error
      }
    }
  }

  async #lead(key: string, make: () => Promise<string>): Promise<string> {
    const run = make()
    this.#running.set(key, run)
    try {
      const text = await run
      this.#keep(key, text)
      return text
    } finally {
      this.#running.delete(key)
    }
  }

  #keep(key: string, text: string): void {
    if (this.#ttlMs <= 0 || text.length > MAX_CHARS) return
    this.#drop(key)
    this.#entries.set(key, { text, until: performance.now() + this.#ttlMs })
    this.#chars += text.length
    for (const oldest of this.#entries.keys()) {
      if (this.#chars <= MAX_CHARS) break
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    this.#chars -= this.#entries.get(key)?.text.length ?? 0
    this.#entries.delete(key)
  }
}

function orAborted(work: Promise<string>, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const abort = () =>
    reject(signal.reason instanceof Error ? signal.reason : new TaskError('cancelled', 'the task was stopped'))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  return promise
}
