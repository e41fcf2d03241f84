import { Refusal } from '../domain/errors.ts'
import type { Details } from '../domain/details.ts'
import type { GalleryRows } from '../domain/gallery-rows.ts'
import type { ApiKey } from '../domain/key.ts'
import type { EngineRun } from '../engine/engine-run.ts'
import { readDetails } from '../engine/details.ts'
import { requireSite } from './admission.ts'
import { refusalOf, type LookupOptions } from './lookup.ts'
import { SharedReads } from './shared-reads.ts'

/** What pages are read with. `rows`: what gallery-dl tells of a page of an account. */
export type DetailOptions = LookupOptions & Readonly<{ rows: (url: string, run: EngineRun) => Promise<GalleryRows> }>

/** Says at once all that yt-dlp tells of a page: what `Lookups` is for faces that show more of it. */
export class DetailReads implements AsyncDisposable {
  readonly #options: DetailOptions
  readonly #reads: SharedReads<Details>
  readonly #rows: SharedReads<GalleryRows>

  constructor(options: DetailOptions) {
    this.#options = options
    const read = async (url: string, run: EngineRun) => readDetails(await options.extract(url, run))
    const charsOf = (found: Details | GalleryRows) => JSON.stringify(found).length
    this.#reads = new SharedReads({ ...options, read, charsOf })
    this.#rows = new SharedReads({ ...options, read: options.rows, charsOf })
  }

  /** Refuses like `Lookups.look`; the TaskError is the cause. */
  look(key: ApiKey, url: string, signal: AbortSignal): Promise<Details> {
    return this.#share(this.#reads, key, { url, signal })
  }

  /** What is told of a page of an account, such as its stories, to the key's own cookies. Refuses like `look`. */
  lookAtAccount(key: ApiKey, url: string, signal: AbortSignal): Promise<GalleryRows> {
    return this.#share(this.#rows, key, { url, signal })
  }

  async #share<T>(
    reads: SharedReads<T>,
    key: ApiKey,
    { url, signal }: Readonly<{ url: string; signal: AbortSignal }>,
  ): Promise<T> {
    const { checkUrl, sites } = this.#options
    requireSite(key, url)
    const why = checkUrl(url)
    if (why !== null) throw new Refusal('invalid_request', why, { details: [{ field: 'url', message: why }] })
    try {
      const visit = await sites.visit({ keyId: key.id, url, sitePreset: null, cookies: true })
      return (await reads.share({ keyId: key.id, url, visit }, signal)).result
    } catch (error) {
      throw refusalOf(error)
    }
  }

  /** Ends every read. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#reads, this.#rows].map((reads) => reads[Symbol.asyncDispose]()))
  }
}
