import PQueue from 'p-queue'
import { Refusal, TaskError, type TaskErrorCode } from '../domain/errors.ts'
import { ERROR_TEXTS } from '../domain/retry.ts'
import { siteOf } from '../domain/site.ts'
import type { EngineRun } from '../engine/engine-run.ts'
import { orAborted } from '../engine/info-cache.ts'
import { SizedCache } from '../engine/sized-cache.ts'
import type { LocalFiles } from '../files/local.ts'
import { openLane, toolLimits, type RunBounds } from './run-bounds.ts'
import type { Visit } from './sites.ts'
import { newTaskId } from './task-id.ts'

/** Reads that run at the same time, beside the tasks; how many may wait for their turn, and how long. */
const AT_ONCE = 4
const MAX_WAITING = 64
const PATIENCE_MS = 15_000

/** The same for the reads of one key: sites that never answer it leave room for everybody else. */
const KEY_AT_ONCE = 2
const KEY_MAX_WAITING = 16

/** Longest read: a list of thousands of entries takes a site most of a minute. */
const TIMEOUT_MS = 120_000

/** Most characters of results that are held at a time. */
const MAX_CHARS = 32 * 2 ** 20

export const BUSY_RETRY_AFTER_S = 5

/** What sites are read with outside of tasks. */
export type ReadBounds = RunBounds &
  Readonly<{
    files: Pick<LocalFiles, 'openWork' | 'removeWork'>
    /** Sites that are being left in peace. */
    coolingSites: () => readonly string[]
    /** Told why reading from a site came to nothing. */
    onFailure?: (site: string, code: TaskErrorCode) => void
    /** How long a result is used again. */
    infoCacheMs: number
    timeoutMs?: number
    patienceMs?: number
  }>

/** What is read, and what it takes of the memory. */
export type ReadOptions<T> = ReadBounds &
  Readonly<{
    /** Throws TaskError. */
    read: (url: string, run: EngineRun) => Promise<T>
    charsOf: (result: T) => number
    /** How long a result stays true, where it says so itself. */
    lifetimeMsOf?: (result: T) => number
  }>

/** What a call wants read, for whom, and how. */
export type Wanted = Readonly<{ keyId: string; url: string; visit: Visit }>

type Flight<T> = { readonly result: Promise<T>; readonly stop: AbortController; waiting: number }

/**
 * Reads addresses at once, without a task. Calls for the same one at the same time share one run, which ends when nobody
 * waits for it any more; its result is used again for a while.
 */
export class SharedReads<T> implements AsyncDisposable {
  /** Runs since the start. */
  runs = 0
  readonly #options: ReadOptions<T>
  readonly #queue = new PQueue({ concurrency: AT_ONCE })
  /** Before the common one; only of keys that have something in them. */
  readonly #byKey = new Map<string, PQueue>()
  readonly #results: SizedCache<T>
  readonly #flights = new Map<string, Flight<T>>()

  constructor(options: ReadOptions<T>) {
    this.#options = options
    this.#results = new SizedCache(options.infoCacheMs, MAX_CHARS)
  }

  /**
   * What is at `url` for this visit, and whether an earlier call had asked for it. Throws TaskError, `rate_limited` for a
   * site that is being left in peace; refuses `queue_full` when too many wait, of this key or of all.
   */
  async share(wanted: Wanted, signal: AbortSignal): Promise<Readonly<{ result: T; isCached: boolean }>> {
    const { url, visit } = wanted
    // What a site shows to the cookies of one key is nobody else's.
    const name = JSON.stringify([visit.scope, url])
    const known = this.#results.get(name)
    if (known !== null) return { result: known, isCached: true }
    const under = this.#flights.get(name)
    const flight = under ?? this.#start(name, wanted)
    flight.waiting++
    try {
      return { result: await orAborted(flight.result, signal), isCached: under !== undefined }
    } finally {
      if (--flight.waiting === 0) flight.stop.abort(new TaskError('cancelled', 'nobody waits for it any more'))
    }
  }

  /** Ends every read. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { stop } of this.#flights.values()) stop.abort(new TaskError('shutdown', 'the server is shutting down'))
    await Promise.all([...this.#byKey.values(), this.#queue].map((queue) => queue.onIdle()))
  }

  #start(name: string, wanted: Wanted): Flight<T> {
    this.#requireRoom(wanted)
    const stop = new AbortController()
    const result = this.#inTurn(wanted, stop.signal).then((found) => {
      const { charsOf, lifetimeMsOf, infoCacheMs } = this.#options
      const lifetimeMs = Math.min(infoCacheMs, lifetimeMsOf?.(found) ?? infoCacheMs)
      this.#results.keep(name, found, charsOf(found), lifetimeMs)
      return found
    })
    const flight: Flight<T> = { result, stop, waiting: 0 }
    this.#flights.set(name, flight)
    const forget = () => {
      if (this.#flights.get(name) === flight) this.#flights.delete(name)
    }
    // One that is being ended takes nobody along who comes now.
    stop.signal.addEventListener('abort', forget, { once: true })
    result.then(forget, forget)
    return flight
  }

  #requireRoom({ keyId, url }: Wanted): void {
    if (this.#options.coolingSites().includes(siteOf(url))) {
      throw new TaskError('rate_limited', 'The site is being left in peace for a while', { retryAfter: 60 })
    }
    const waiting = this.#byKey.get(keyId)?.size ?? 0
    if (waiting >= KEY_MAX_WAITING || this.#queue.size >= MAX_WAITING) throw busy()
  }

  async #inTurn({ keyId, url, visit }: Wanted, stop: AbortSignal): Promise<T> {
    // Ends the wait alone: the place of a run is free when its program is gone, not when it was told to go.
    const wait = new AbortController()
    const timer = setTimeout(() => wait.abort(busy()), this.#options.patienceMs ?? PATIENCE_MS)
    const onStop = () => wait.abort(stop.reason)
    stop.addEventListener('abort', onStop)
    const endWait = () => {
      clearTimeout(timer)
      stop.removeEventListener('abort', onStop)
    }
    const run = (): Promise<T> => {
      endWait()
      return this.#read(url, visit, stop)
    }
    const inCommon = () => this.#queue.add(run, { signal: wait.signal })
    try {
      return await this.#queueOf(keyId).add(inCommon, { signal: wait.signal })
    } finally {
      endWait()
    }
  }

  #queueOf(keyId: string): PQueue {
    const known = this.#byKey.get(keyId)
    if (known !== undefined) return known
    const queue = new PQueue({ concurrency: KEY_AT_ONCE })
    queue.addEventListener('idle', () => this.#byKey.delete(keyId))
    this.#byKey.set(keyId, queue)
    return queue
  }

  /** A run like an attempt's, in a folder and on a lane of its own. */
  async #read(url: string, visit: Visit, stop: AbortSignal): Promise<T> {
    this.runs++
    const { files, read, timeoutMs = TIMEOUT_MS } = this.#options
    const id = newTaskId()
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new TaskError('timeout', ERROR_TEXTS.timeout.message)), timeoutMs)
    const workDir = await files.openWork(id, 1)
    try {
      using lane = openLane(this.#options, `${id}.1`, visit.route)
      const run: Omit<EngineRun, 'site'> = {
        label: `${id}.1`,
        workDir,
        signal: AbortSignal.any([stop, late.signal]),
        interrupt: stop,
        lane,
        limits: toolLimits(this.#options),
        timeoutMs,
        onProgress: () => {},
        fresh: false,
        quietly: (work) => work(),
      }
      return await visit.during(workDir, (site) => read(url, { ...run, site }))
    } catch (error) {
      if (error instanceof TaskError) this.#options.onFailure?.(siteOf(url), error.code)
      throw error
    } finally {
      clearTimeout(timer)
      await files.removeWork(id)
    }
  }
}

const busy = () => new Refusal('queue_full', 'Too many pages are being looked up', { retryAfter: BUSY_RETRY_AFTER_S })
