import { TaskError } from '../domain/errors.ts'
import { SizedCache } from './sized-cache.ts'

/** Most characters of info documents that are held at a time. */
const MAX_CHARS = 32 * 2 ** 20

/** Ends of a leader that say nothing about the page: a follower tries for itself. */
const LEADER_GONE: readonly string[] = ['cancelled', 'shutdown', 'timeout', 'stalled']

/**
 * Extractions of one page at one time share one run, and its result is used again for a while.
 * The scope of a key keeps results apart that depend on who asks, such as those made with cookies.
 */
export class InfoCache {
  readonly #texts: SizedCache<string>
  readonly #running = new Map<string, Promise<string>>()

  /** With a lifetime of 0 nothing is kept, but simultaneous extractions are still shared. */
  constructor(ttlMs: number) {
    this.#texts = new SizedCache(ttlMs, MAX_CHARS)
  }

  /** A result that is still fresh, null otherwise. */
  get(key: string): string | null {
    return this.#texts.get(key)
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
      this.#texts.keep(key, text, text.length)
      return text
    } finally {
      this.#running.delete(key)
    }
  }
}

/** What `work` comes to, unless `signal` aborts before: the reason of that, then. `work` itself goes on. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const abort = () =>
    reject(signal.reason instanceof Error ? signal.reason : new TaskError('cancelled', 'the task was stopped'))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  return promise
}
