import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'pino'

/** The start has enough to do without it. */
const FIRST_MS = 10_000

/** A backup that failed is tried again well before the next is due: a full disk does not last for ever. */
const RETRY_MS = 10 * 60_000

/** A timer of Node's holds no more than 2^31 ms. */
const LONGEST_TIMER_MS = 86_400_000

/** How backups are made, and how often. */
export type BackupScheduleOptions = Readonly<{
  /** Makes one backup and resolves to its file. */
  make: (signal: AbortSignal) => Promise<string>
  /** When the newest was made, epoch milliseconds; null when there is none. */
  newestAt: () => Promise<number | null>
  /** 0 = never. */
  everyMs: number
  log: Logger
  /** How long after the start a backup that is due is made. */
  firstMs?: number
}>

/** Makes a backup every so often, one at a time; the first soon after the start unless the newest is young enough. */
export class BackupSchedule implements AsyncDisposable {
  readonly #options: BackupScheduleOptions
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(options: BackupScheduleOptions) {
    this.#options = options
  }

  /** Call it once. */
  start(): void {
    if (this.#options.everyMs > 0) this.#running = this.#run()
  }

  /** A backup under way is given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { everyMs } = this.#options
    let pause = await this.#untilFirst()
    while (await this.#pause(pause)) {
      pause = (await this.#makeOne()) ? everyMs : Math.min(everyMs, RETRY_MS)
    }
  }

  /** Only here the wall clock counts; one that was set back does not put a backup off for more than one interval. */
  async #untilFirst(): Promise<number> {
    const { newestAt, everyMs, firstMs = FIRST_MS, log } = this.#options
    const newest = await newestAt().catch((err: unknown) => {
      log.error({ err }, 'the folder of backups cannot be read')
      return null
    })
    const age = newest === null ? Infinity : Date.now() - newest
    return Math.max(firstMs, Math.min(everyMs, everyMs - age))
  }

  /** False when there is nothing more to wait for. */
  async #pause(ms: number): Promise<boolean> {
    const { signal } = this.#stop
    const until = performance.now() + ms
    for (let left = ms; left > 0 && !signal.aborted; left = until - performance.now()) {
      await wait(Math.min(left, LONGEST_TIMER_MS), undefined, { signal, ref: false }).catch(() => null) // stopped
    }
    return !signal.aborted
  }

  async #makeOne(): Promise<boolean> {
    const { make, log } = this.#options
    const startedAt = performance.now()
    try {
      const file = await make(this.#stop.signal)
      log.info({ file, durationMs: Math.round(performance.now() - startedAt) }, 'database backed up')
      return true
    } catch (err) {
      if (!this.#stop.signal.aborted) log.error({ err }, 'the database could not be backed up')
      return false
    }
  }
}
