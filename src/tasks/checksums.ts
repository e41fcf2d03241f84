import type { Logger } from 'pino'
import type { FinishedFiles } from '../db/finished-files.ts'
import type { Task } from '../domain/task.ts'
import { checksumOf } from '../files/checksum.ts'
import type { LocalFiles } from '../files/local.ts'

/** Files that wait for their turn; more are told to come again. */
const MAX_WAITING = 1_000

/** Larger files wait for each other, and hold up no smaller one. */
const LARGE_BYTES = 256 * 2 ** 20

/**
 * Finds out what files' SHA-256 is, each once, since the answer is kept with the task. One large and one smaller file are
 * read at a time.
 */
export class Checksums implements AsyncDisposable {
  readonly #files: LocalFiles
  readonly #finished: FinishedFiles
  readonly #log: Logger
  readonly #stopped = new AbortController()
  readonly #pending = new Map<string, Promise<string | null>>()
  readonly #last = { large: Promise.resolve<unknown>(null), small: Promise.resolve<unknown>(null) }

  constructor(deps: { files: LocalFiles; finished: FinishedFiles; log: Logger }) {
    this.#files = deps.files
    this.#finished = deps.finished
    this.#log = deps.log
  }

  /**
   * By name, the checksums of a task's files as far as they are known when `signal` fires; the work goes on behind it, so
   * that asking again finds them.
   */
  async of(task: Task, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>()
    const { promise: isOver, resolve } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
    const all = task.files.map(async ({ name, size, sha256 }) => {
      const known = sha256 ?? (await this.#make(task, name, size > LARGE_BYTES ? 'large' : 'small'))
      if (known !== null) found.set(name, known)
    })
    await Promise.race([Promise.all(all), isOver])
    return new Map(found)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort()
    await Promise.all(Object.values(this.#last))
  }

  #make(task: Task, name: string, lane: 'large' | 'small'): Promise<string | null> {
    const id = `${task.id}.${task.attempt}/${name}`
    const known = this.#pending.get(id)
    if (known) return known
    if (this.#pending.size >= MAX_WAITING) return Promise.resolve(null)
    const made = this.#last[lane]
      .then(() => this.#read(task, name))
      .catch((err: unknown) => {
        if (!this.#stopped.signal.aborted) this.#log.warn({ err, taskId: task.id }, 'no checksum of a file')
        return null
      })
      .finally(() => this.#pending.delete(id))
    this.#last[lane] = made
    this.#pending.set(id, made)
    return made
  }

  async #read(task: Task, name: string): Promise<string> {
    const sha256 = await checksumOf(this.#files.pathOf(task.id, name), this.#stopped.signal)
    await this.#finished.keepChecksum(task, name, sha256)
    return sha256
  }
}
