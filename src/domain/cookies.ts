/** One cookie of a browser. */
export type Cookie = Readonly<{
  /** Lower case; with a leading dot it holds for subdomains too. */
  domain: string
  path: string
  secure: boolean
  /** Seconds since the epoch; null = until the session ends, which here is as long as the jar is kept. */
  expires: number | null
  name: string
  value: string
}>

/** What was found in somebody's cookies for one site. */
export type CutCookies = Readonly<{
  cookies: readonly Cookie[]
  /** Those of other sites, those that have expired, and earlier ones of the same name. */
  dropped: number
}>

/** Most cookies of one site, and most characters of their file. */
export const MAX_COOKIES = 500
export const MAX_COOKIE_CHARS = 256 * 1024

/** Text that is no list of cookies; `field` is the place, such as `line 3` or `cookies.2.value`. */
export class CookieError extends Error {
  override readonly name = 'CookieError'
  readonly field: string

  constructor(field: string, message: string) {
    super(message)
    this.field = field
  }
}

const FIELDS = 7
const HTTP_ONLY = '#HttpOnly_'
/** The last second of the year 9999. */
const MAX_EXPIRES = 253_402_300_799

/** Printable ASCII without what ends a cookie in a header. */
const VALUE = /^[\x20-\x3a\x3c-\x7e]*$/
const NAME = /^[\x21-\x3a\x3c\x3e-\x7e]*$/
const PATH = /^\/[\x21-\x3a\x3c-\x7e]*$/
const DOMAIN = /^\.?[a-z0-9_-]+(\.[a-z0-9_-]+)+$/

/** Names that sites give to what proves a login. */
const LOGIN_NAME = /sess|auth|login|token|sid$/i

/** Whether a cookie of this domain is one of `domains` or of a subdomain of them. */
export function isOfDomains(domain: string, domains: readonly string[]): boolean {
  const bare = domain.toLowerCase().replace(/^\./, '')
  return domains.some((own) => bare === own || bare.endsWith(`.${own}`))
}

/**
 * Reads a Netscape cookie file, cut to `domains`. Lines of other domains are not looked at further; one of ours that is
 * malformed throws CookieError. `now`: seconds since the epoch.
 */
export function parseNetscape(text: string, domains: readonly string[], now: number): CutCookies {
  const found: Cookie[] = []
  let dropped = 0
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.startsWith(HTTP_ONLY) ? raw.slice(HTTP_ONLY.length) : raw
    if (line.startsWith('#') || line.trim() === '') continue
    const fields = line.split('\t')
    if (fields.length > 1 && !isOfDomains(fields[0] ?? '', domains)) dropped++
    else found.push(cookieOfLine(fields, `line ${index + 1}`))
  }
  return tidied(found, dropped, now)
}

function cookieOfLine(fields: readonly string[], place: string): Cookie {
  const [domain = '', , path = '', secure = '', expires = '', name = '', value = ''] = fields
  if (fields.length !== FIELDS) throw new CookieError(place, `must have ${FIELDS} fields parted by tabs`)
  if (!/^(TRUE|FALSE)$/i.test(secure)) throw new CookieError(place, 'the fourth field must be TRUE or FALSE')
  if (!/^(\d{1,15}(\.\d{1,9})?)?$/.test(expires))
    throw new CookieError(place, 'the fifth field must be a time in seconds')
  return checked(
    {
      // What a browser keeps for one host only has no dot; the second field says the same once more.
      domain: domain.toLowerCase(),
      path,
      secure: secure.toUpperCase() === 'TRUE',
      expires: expires === '' ? null : Number(expires),
      name,
      value,
    },
    place,
  )
}

/** The same for cookies that came one by one; throws CookieError. */
export function cutCookies(cookies: readonly Cookie[], domains: readonly string[], now: number): CutCookies {
  const own: Cookie[] = []
  let dropped = 0
  for (const [index, cookie] of cookies.entries()) {
    if (isOfDomains(cookie.domain, domains)) own.push(checked(cookie, `cookies.${index}`))
    else dropped++
  }
  return tidied(own, dropped, now)
}

function checked(cookie: Cookie, place: string): Cookie {
  const { expires } = cookie
  const domain = cookie.domain.toLowerCase()
  const refuse = (what: string) => new CookieError(place, `${what} of the cookie has characters that cannot be sent`)
  if (!DOMAIN.test(domain)) throw refuse('the domain')
  if (!PATH.test(cookie.path)) throw refuse('the path')
  if (!NAME.test(cookie.name)) throw refuse('the name')
  if (!VALUE.test(cookie.value)) throw refuse('the value')
  if (cookie.name === '' && cookie.value === '') throw new CookieError(place, 'the cookie has neither name nor value')
  if (expires !== null && (!Number.isFinite(expires) || expires < 0 || expires > MAX_EXPIRES)) {
    throw new CookieError(place, 'the cookie expires at a time that does not exist: it must be in seconds')
  }
  // 0 is how cookie files write a cookie of the session.
  return { ...cookie, domain, expires: expires === null || expires === 0 ? null : Math.floor(expires) }
}

const identityOf = ({ domain, path, name }: Cookie) => JSON.stringify([domain, path, name])
const isLive = ({ expires }: Cookie, now: number) => expires === null || expires > now

/** The last one of each name, without those that have expired. */
function tidied(cookies: readonly Cookie[], dropped: number, now: number): CutCookies {
  const byIdentity = new Map(cookies.map((cookie) => [identityOf(cookie), cookie]))
  const kept = [...byIdentity.values()].filter((cookie) => isLive(cookie, now))
  return { cookies: kept, dropped: dropped + cookies.length - kept.length }
}

/** A Netscape cookie file, as yt-dlp reads it. */
export function formatNetscape(cookies: readonly Cookie[]): string {
  const flag = (is: boolean) => (is ? 'TRUE' : 'FALSE')
  const lines = cookies.map(({ domain, path, secure, expires, name, value }) =>
    [domain, flag(domain.startsWith('.')), path, flag(secure), String(expires ?? 0), name, value].join('\t'),
  )
  return ['# Netscape HTTP Cookie File', '', ...lines, ''].join('\n')
}

/**
 * `kept` with what the site renewed or added since. Nothing that is still valid goes: yt-dlp itself drops the cookie of a
 * login that one request was refused with, and a page that is blocked may empty them.
 */
export function renewCookies(kept: readonly Cookie[], seen: readonly Cookie[], now: number): readonly Cookie[] {
  const merged = new Map(kept.filter((cookie) => isLive(cookie, now)).map((cookie) => [identityOf(cookie), cookie]))
  for (const cookie of seen) {
    if (isLive(cookie, now) && cookie.value !== '') merged.set(identityOf(cookie), cookie)
  }
  return [...merged.values()]
}

/** Seconds since the epoch at which the first cookie that looks like a login expires, of any where none does; null = none. */
export function firstExpiry(cookies: readonly Cookie[]): number | null {
  const lasting = cookies.filter(({ expires }) => expires !== null)
  const logins = lasting.filter(({ name }) => LOGIN_NAME.test(name))
  const times = (logins.length > 0 ? logins : lasting).map(({ expires }) => expires ?? Infinity)
  return times.length === 0 ? null : Math.min(...times)
}
