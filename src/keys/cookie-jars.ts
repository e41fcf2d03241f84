import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CookieStore, JarContent, StoredJar } from '../db/cookie-store.ts'
import {
  CookieError,
  cutCookies,
  firstExpiry,
  formatNetscape,
  MAX_COOKIE_CHARS,
  MAX_COOKIES,
  parseNetscape,
  renewCookies,
  type Cookie,
  type CutCookies,
} from '../domain/cookies.ts'
import { Refusal, type TaskErrorCode } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import { domainsOf, siteNamed, sitesAbove } from '../domain/site.ts'
import type { Seal } from './seal.ts'

/** Most sites that one key may have cookies of. */
export const MAX_JARS = 50

/** A jar as its key sees it: what it holds by name, never a value. */
export type JarView = Omit<StoredJar, 'keyId' | 'sealed' | 'revision'> & Readonly<{ names: readonly string[] }>

/** A jar that a task works with. */
export type OpenJar = StoredJar & Readonly<{ content: readonly Cookie[] }>

/** What a client hands in: a Netscape cookie file, or cookies one by one. */
export type GivenCookies = Readonly<{ netscape: string }> | Readonly<{ cookies: readonly Cookie[] }>

/** Cookies of keys, one jar for each site, sealed. A key has its own only. */
export class CookieJars {
  readonly #store: CookieStore
  readonly #seal: Seal

  constructor(store: CookieStore, seal: Seal) {
    this.#store = store
    this.#seal = seal
  }

  /** In the order of their sites. */
  async list(key: ApiKey): Promise<JarView[]> {
    const views: JarView[] = []
    for (const jar of await this.#store.ofKey(key.id, MAX_JARS)) {
      views.push(viewOf(jar, this.#open(jar)))
      await nextTurn() // fifty full jars at a stretch would hold up everybody else
    }
    return views
  }

  /** Puts the cookies of `site` among those given in the place of what the jar held. Refuses `invalid_request`. */
  async put(key: ApiKey, site: string, given: GivenCookies): Promise<JarView & { kept: number; dropped: number }> {
    const name = requireSite(site)
    const { cookies, dropped } = cut(given, domainsOf(name))
    const existing = await this.#store.find(key.id, [name])
    if (existing === null && (await this.#store.ofKey(key.id, MAX_JARS)).length >= MAX_JARS) {
      throw new Refusal('limit_exceeded', `A key may have cookies of ${MAX_JARS} sites`)
    }
    const jar = await this.#store.put(key.id, name, this.#sealed(key.id, name, cookies), Date.now())
    return { ...viewOf(jar, cookies), kept: cookies.length, dropped }
  }

  /** The site whose jar is gone. Refuses `not_found`. */
  async remove(key: ApiKey, site: string): Promise<string> {
    const name = siteNamed(site)
    if (name === null || !(await this.#store.remove(key.id, name)))
      throw new Refusal('not_found', 'No cookies of this site')
    return name
  }

  /** The key's jar for a URL, null when it has none; also when it was sealed with another key file. */
  async openFor(keyId: string, url: string): Promise<OpenJar | null> {
    const jar = await this.#store.find(keyId, sitesAbove(url))
    const content = jar && this.#open(jar)
    return jar !== null && content !== null ? { ...jar, content } : null
  }

  /** Takes in what a task that went well has left of its cookies, unless the jar was changed meanwhile. */
  async renew(jar: OpenJar, netscape: string): Promise<boolean> {
    const now = Date.now()
    if (netscape.length > 2 * MAX_COOKIE_CHARS) return false
    const seen = this.#readable(netscape, jar.site, now)
    if (seen === null) return false
    const cookies = renewCookies(jar.content, seen, now / 1000)
    const text = formatNetscape(cookies)
    const isChanged = text !== formatNetscape(jar.content)
    if (!isChanged || cookies.length > MAX_COOKIES || text.length > MAX_COOKIE_CHARS) return false
    return this.#store.renew(jar, this.#sealed(jar.keyId, jar.site, cookies), now)
  }

  /** Notes how a task with these cookies ended; null = well. */
  note(jar: OpenJar, failure: TaskErrorCode | null): Promise<void> {
    return this.#store.note(jar, failure, Date.now())
  }

  #readable(netscape: string, site: string, now: number): readonly Cookie[] | null {
    try {
      return parseNetscape(netscape, domainsOf(site), now / 1000).cookies
    } catch (error) {
      if (error instanceof CookieError) return null // the site set one that no jar takes: all stays as it was
      throw error
    }
  }

  #sealed(keyId: string, site: string, cookies: readonly Cookie[]): JarContent {
    const expires = firstExpiry(cookies)
    return {
      sealed: this.#seal.seal(formatNetscape(cookies), contextOf(keyId, site)),
      cookies: cookies.length,
      expiresAt: expires === null ? null : expires * 1000,
    }
  }

  #open({ keyId, site, sealed }: StoredJar): readonly Cookie[] | null {
    const text = this.#seal.unseal(sealed, contextOf(keyId, site))
    // As it was put in: what has expired since is left to its reader.
    return text === null ? null : parseNetscape(text, domainsOf(site), 0).cookies
  }
}

const contextOf = (keyId: string, site: string) => `cookies of ${site} of ${keyId}`

function viewOf(jar: StoredJar, content: readonly Cookie[] | null): JarView {
  const { site, cookies, createdAt, updatedAt, expiresAt, lastSuccessAt, lastFailureAt, lastFailure } = jar
  const names = [...new Set((content ?? []).map(({ name }) => name))].toSorted()
  return { site, cookies, names, createdAt, updatedAt, expiresAt, lastSuccessAt, lastFailureAt, lastFailure }
}

function requireSite(site: string): string {
  const name = siteNamed(site)
  if (name !== null) return name
  const message = 'must be a site by its host name, such as youtube.com'
  throw new Refusal('invalid_request', `site ${message}`, { details: [{ field: 'site', message }] })
}

function cut(given: GivenCookies, domains: readonly string[]): CutCookies {
  const now = Date.now() / 1000
  const field = 'netscape' in given ? 'netscape' : 'cookies'
  const refuse = (message: string, place = field) =>
    new Refusal('invalid_request', message, { details: [{ field: place, message }] })
  try {
    const found =
      'netscape' in given ? parseNetscape(given.netscape, domains, now) : cutCookies(given.cookies, domains, now)
    if (found.cookies.length === 0) throw refuse(`no cookie of ${domains.join(' or ')} that is still valid`)
    if (found.cookies.length > MAX_COOKIES) throw refuse(`at most ${MAX_COOKIES} cookies of one site`)
    return found
  } catch (cause) {
    if (!(cause instanceof CookieError)) throw cause
    // Never with the text of the line: it may hold a value.
    const place = cause.field.startsWith('line') ? `netscape, ${cause.field}` : cause.field
    throw refuse(`${cause.field}: ${cause.message}`, place)
  }
}
