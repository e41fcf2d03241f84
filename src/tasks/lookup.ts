import { Refusal, TaskError, type TaskErrorCode } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import type { Page } from '../domain/page.ts'
import { ERROR_TEXTS } from '../domain/retry.ts'
import type { EngineRun } from '../engine/engine-run.ts'
import { readPage } from '../engine/page.ts'
import { requirePreset, requireSite } from './admission.ts'
import { BUSY_RETRY_AFTER_S, SharedReads, type ReadBounds } from './shared-reads.ts'
import type { Sites, Visitor } from './sites.ts'

/** What a lookup is done with. */
export type LookupOptions = ReadBounds &
  Readonly<{
    /** The info JSON of a URL. Throws TaskError. */
    extract: (url: string, run: EngineRun) => Promise<string>
    sites: Pick<Sites, 'visit' | 'checkPresets'>
    /** Why a URL may not be fetched, null when it may be tried. */
    checkUrl: (url: string) => string | null
  }>

/** What is looked at, and by what way. */
export type Look = Pick<Visitor, 'url' | 'sitePreset' | 'cookies'>

/**
 * Says at once what is at a URL, without a task. Calls for the same page at the same time share one run, which ends when
 * nobody waits for it any more; its result is used again for a while.
 */
export class Lookups implements AsyncDisposable {
  readonly #options: LookupOptions
  readonly #pages: SharedReads<Page>
  #asked = 0

  constructor(options: LookupOptions) {
    this.#options = options
    const read = async (url: string, run: EngineRun) => readPage(await options.extract(url, run))
    this.#pages = new SharedReads({ ...options, read, charsOf })
  }

  /** Since the start: calls, and those that no other and no earlier one had answered. */
  get counts(): Readonly<{ asked: number; extracted: number }> {
    return { asked: this.#asked, extracted: this.#pages.runs }
  }

  /**
   * Refuses `forbidden` a site or a preset that is not the key's, `invalid_request` a URL that may not be fetched, `queue_full` when
   * too many wait, and `extraction_failed`, with the code of the task error and a hint, when nothing can be learnt there.
   */
  async look(key: ApiKey, look: Look, signal: AbortSignal): Promise<Page> {
    const { url } = look
    this.#asked++
    requireSite(key, url)
    requirePreset(key, look.sitePreset)
    this.#options.sites.checkPresets([look])
    const why = this.#options.checkUrl(url)
    if (why !== null) throw new Refusal('invalid_request', why, { details: [{ field: 'url', message: why }] })
    try {
      const visit = await this.#options.sites.visit({ keyId: key.id, ...look })
      return (await this.#pages.share({ keyId: key.id, url, visit }, signal)).result
    } catch (error) {
      throw refusalOf(error)
    }
  }

  /** Ends every lookup. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#pages[Symbol.asyncDispose]()
  }
}

/** About what a page takes of the memory. */
const charsOf = (page: Page): number =>
  page.kind === 'video' ? JSON.stringify(page).length : page.chunks.reduce((sum, { length }) => sum + length, 1_000)

const LATER = 'Ask again later.'

/** What is tried again by itself in a task is not here. */
const HINTS: Partial<Readonly<Record<TaskErrorCode, string>>> = {
  rate_limited: LATER,
  network: LATER,
  upstream_5xx: LATER,
  no_space: LATER,
  shutdown: LATER,
  timeout: LATER,
  live_not_started: 'Ask again when the event has begun or the upload is ready.',
}

const hintOn = (code: TaskErrorCode): string => HINTS[code] ?? ERROR_TEXTS[code].hint

/** A failure of the page as a refusal; the code of the task error stands before its text. */
export function refusalOf(error: unknown): unknown {
  if (!(error instanceof TaskError)) return error
  const { code, message } = error
  const details = [{ field: 'url', message: hintOn(code) }]
  if (code === 'egress_denied') return new Refusal('invalid_request', message, { cause: error, details })
  if (code === 'shutdown' || code === 'no_space') {
    const refused = code === 'shutdown' ? 'shutting_down' : code
    return new Refusal(refused, message, { cause: error, retryAfter: BUSY_RETRY_AFTER_S })
  }
  const after = error.retryAfter === null ? {} : { retryAfter: error.retryAfter }
  return new Refusal('extraction_failed', `${code}: ${message}`, { cause: error, details, ...after })
}
