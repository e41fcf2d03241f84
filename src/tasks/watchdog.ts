import fs from 'node:fs/promises'
import path from 'node:path'
import { TaskError } from '../domain/errors.ts'

const SAMPLE_MS = 1_000

/** What is watched, and its bounds. */
export type WatchdogOptions = Readonly<{
  workDir: string
  /** Bytes fetched so far. */
  fetchedBytes: () => number
  stallMs: number
  maxRunMs: number
  /** Most bytes the work folder may hold. */
  maxBytes: number
  /** Called once, with the reason. */
  onTrip: (reason: TaskError) => void
}>

/**
 * Ends an attempt that does nothing: neither fetches a byte nor changes a file of its work folder for `stallMs`.
 * Also bounds its run time and the size of its folder. Dispose it when the attempt ends.
 */
export class Watchdog implements Disposable {
  readonly #options: WatchdogOptions
  readonly #timer: NodeJS.Timeout
  readonly #startedAt = performance.now()
  #movedAt = performance.now()
  #mark = ''
  #paused = 0
  #over = false

  constructor(options: WatchdogOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_MS)
    this.#timer.unref()
  }

  /** Runs work that moves no byte, such as reading a large file to check it, without calling it a stall. */
  async pauseFor<T>(work: () => Promise<T>): Promise<T> {
    this.#paused++
    try {
      return await work()
    } finally {
      this.#paused--
      this.#movedAt = performance.now()
    }
  }

  [Symbol.dispose](): void {
    this.#over = true
    clearInterval(this.#timer)
  }

  async #sample(): Promise<void> {
    const { workDir, fetchedBytes, stallMs, maxRunMs, maxBytes } = this.#options
    const folder = await measure(workDir)
    if (this.#over) return
    const now = performance.now()
    const mark = `${fetchedBytes()} ${folder.mark}`
    if (mark !== this.#mark || this.#paused > 0) this.#movedAt = now
    this.#mark = mark
    if (now - this.#startedAt > maxRunMs) {
      this.#trip(new TaskError('timeout', `the attempt ran longer than ${Math.round(maxRunMs / 1000)} seconds`))
    } else if (now - this.#movedAt > stallMs) {
      this.#trip(new TaskError('stalled', `nothing moved for ${Math.round(stallMs / 1000)} seconds`))
    } else if (folder.bytes > maxBytes) {
      this.#trip(new TaskError('too_large', `the download is larger than the ${maxBytes} bytes that are allowed`))
    }
  }

  #trip(reason: TaskError): void {
    this[Symbol.dispose]()
    this.#options.onTrip(reason)
  }
}

async function measure(dir: string): Promise<{ bytes: number; mark: string }> {
  const names = await fs.readdir(dir).catch(() => []) // the folder goes when the attempt ends
  const stats = await Promise.all(names.map((name) => fs.stat(path.join(dir, name)).catch(() => null)))
  let bytes = 0
  let newest = 0
  for (const stat of stats) {
    bytes += stat?.size ?? 0
    newest = Math.max(newest, stat?.mtimeMs ?? 0)
  }
  return { bytes, mark: `${names.length} ${bytes} ${newest}` }
}
