import { Refusal, TaskError } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import { classify, firstAddress, type Address, type Platform } from '../domain/platform.ts'
import { expiryOfPost, type Post } from '../domain/post.ts'
import type { EgressFetch } from '../engine/egress/index.ts'
import type { EngineRun } from '../engine/engine-run.ts'
import { SizedCache } from '../engine/sized-cache.ts'
import { requireSite } from './admission.ts'
import { BUSY_RETRY_AFTER_S, SharedReads, type ReadBounds } from './shared-reads.ts'
import type { Sites } from './sites.ts'

/** A post, where it was found, and how. */
export type FoundPost = Readonly<{
  platform: Platform
  /** The address of the post in the form that the tools know. */
  url: string
  post: Post
  /** Whether an earlier call had asked for it. */
  isCached: boolean
}>

/** Why an address is not read as a post; said before anything is fetched, or where a short link has led to. */
export type NoPost = Readonly<{
  /** `no_address`: none in the text; `unknown`: of none of the services; `not_a_post`: of a service, but no single post. */
  reason: 'no_address' | 'unknown' | 'not_a_post'
  platform: Platform | null
}>

/** Where a post is: what `locate` finds and `read` takes. */
export type PostPlace = Readonly<{ platform: Platform; url: string }>

export type PostsOptions = ReadBounds &
  Readonly<{
    /** The post at a canonical address. Throws TaskError. */
    read: (url: string, run: EngineRun) => Promise<Post>
    fetch: EgressFetch
    sites: Pick<Sites, 'visit'>
    /** Why a URL may not be fetched, null when it may be tried. */
    checkUrl: (url: string) => string | null
  }>

/** How far a short link is followed. */
const MAX_HOPS = 5
const FOLLOW_MS = 8_000

/** Links that are followed at the same time, and those whose ends are remembered. */
const MAX_FOLLOWING = 64
const MAX_PLACES = 10_000

/** A short link's page needs no more: where it leads stands in its head. */
const MAX_HOP_BYTES = 64 * 1024

/** TikTok tells its short links to those who draw previews, and shows others a page. */
const USER_AGENTS: Partial<Readonly<Record<Platform, string>>> = { tiktok: 'facebookexternalhit/1.1' }
const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'

/** An address stops working while it is on its way to the one who wants it: they are not given out in their last minute. */
const EXPIRY_MARGIN_MS = 60_000

/** Reads posts for faces that answer with addresses of media instead of files. */
export class Posts implements AsyncDisposable {
  readonly #options: PostsOptions
  readonly #reads: SharedReads<Post>
  /** What short links led to. */
  readonly #places: SizedCache<Address>
  #following = 0

  constructor(options: PostsOptions) {
    this.#options = options
    this.#places = new SizedCache(options.infoCacheMs, MAX_PLACES)
    this.#reads = new SharedReads({
      ...options,
      charsOf: (post) => JSON.stringify(post).length,
      lifetimeMsOf: (post) => (expiryOfPost(post) ?? Infinity) - Date.now() - EXPIRY_MARGIN_MS,
    })
  }

  /**
   * What a text's first address stands for; short links are followed (no more than 5 hops, through the egress policy).
   * Throws TaskError when one leads nowhere.
   */
  async locate(text: string, signal: AbortSignal): Promise<PostPlace | NoPost> {
    const address = firstAddress(text)
    if (address === null) return { reason: 'no_address', platform: null }
    const found = classify(address)
    return placeOf(isShort(found) ? await this.#resolve(found, signal) : found)
  }

  /**
   * The post there. Throws TaskError (its codes are those of tasks; `no_media` when there is nothing in it), and Refusal
   * when too many wait or the key may not fetch from there.
   */
  async read(key: ApiKey, { platform, url }: PostPlace, signal: AbortSignal): Promise<FoundPost> {
    requireSite(key, url)
    const why = this.#options.checkUrl(url)
    if (why !== null) throw new TaskError('egress_denied', why)
    const visit = await this.#options.sites.visit({ keyId: key.id, url, sitePreset: null, cookies: true })
    const { result: post, isCached } = await this.#reads.share({ keyId: key.id, url, visit }, signal)
    return { platform, url, post, isCached }
  }

  /** Ends every read. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#reads[Symbol.asyncDispose]()
  }

  /** Goes where a short link leads until that is something else. */
  async #resolve(from: ShortLink, signal: AbortSignal): Promise<Address> {
    const known = this.#places.get(from.url)
    if (known !== null) return known
    if (this.#following >= MAX_FOLLOWING) {
      throw new Refusal('queue_full', 'Too many links are being followed', { retryAfter: BUSY_RETRY_AFTER_S })
    }
    this.#following++
    try {
      const found = await this.#follow(from, signal)
      if (found.kind === 'post' || found.kind === 'file') this.#places.keep(from.url, found, 1)
      return found
    } finally {
      this.#following--
    }
  }

  async #follow({ platform, url }: ShortLink, signal: AbortSignal): Promise<Address> {
    const until = performance.now() + FOLLOW_MS
    const userAgent = USER_AGENTS[platform] ?? USER_AGENT
    for (let hop = 0, at = url; hop < MAX_HOPS; hop++) {
      const next = await this.#next(at, { userAgent, until, signal })
      if (next === null) break
      const found = classify(next)
      // Elsewhere than to its own service a link leads anywhere.
      if (found.platform !== platform) break
      if (found.kind === 'post' || found.kind === 'file') return found
      at = next
    }
    return { kind: 'unsupported', platform }
  }

  /** Where an address sends on to, null where it does not. Some servers answer HEAD with less than GET. */
  async #next(
    url: string,
    { userAgent, until, signal }: Readonly<{ userAgent: string; until: number; signal: AbortSignal }>,
  ): Promise<string | null> {
    for (const method of ['HEAD', 'GET']) {
      const {
        status,
        headers,
        url: base,
      } = await this.#options.fetch(url, {
        method,
        headers: { 'User-Agent': userAgent, Accept: '*/*' },
        redirect: 'manual',
        signal,
        maxBytes: MAX_HOP_BYTES,
        timeoutMs: Math.max(1, Math.round(until - performance.now())),
      })
      const location = headers.get('location')
      const target = location === null ? null : URL.parse(location, base)
      if (status >= 300 && status < 400 && target !== null) return target.href
    }
    return null
  }
}

type ShortLink = Extract<Address, { url: string }>

const isShort = (found: Address): found is ShortLink => found.kind === 'short'

function placeOf(found: Address): PostPlace | NoPost {
  if (found.kind === 'post' || found.kind === 'file') return { platform: found.platform, url: found.url }
  return { reason: found.platform === null ? 'unknown' : 'not_a_post', platform: found.platform }
}
