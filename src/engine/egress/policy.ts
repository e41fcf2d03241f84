import { isIP } from 'node:net'
import { addressKind, canonicalAddress, embeddedAddresses } from '../../domain/address.ts'
import { createAllowList, type AllowList } from '../../domain/egress-allow.ts'
import { lookupAddresses, ownAddresses, resolveName, type Lookup } from './resolve.ts'
import { canonicalHost, hostOfUrl } from './target.ts'

/**
 * Why a destination is refused. `dns` is no decision of ours: the name has no address, or the resolver is silent.
 */
export type DenialReason = 'private_address' | 'own_address' | 'own_port' | 'port' | 'local_name' | 'bad_host' | 'dns'

/** A refused destination; `address` is the one that was refused, null when it was the name or none was found. */
export type Denial = Readonly<{ host: string; port: number; address: string | null; reason: DenialReason }>

/** Addresses to connect to, and to no other; or why not. */
export type Resolution = Readonly<{ addresses: readonly string[] }> | Readonly<{ denial: Denial }>

/** The same decision where an upstream proxy resolves names. */
export type UpstreamRoute = Resolution | 'upstream'

/** Whether a URL is worth trying; `reason` is for its sender. */
export type UrlVerdict = Readonly<{ ok: true; url: URL }> | Readonly<{ ok: false; reason: string }>

/** Decides where anything of ours may connect to. */
export type EgressPolicy = {
  /** Whether a submitted URL is worth trying. A convenience for the sender: what counts is `resolve`. No I/O. */
  checkUrl: (text: string) => UrlVerdict
  /** Looks the host up once and judges every address it has: one bad address refuses them all. Never rejects. */
  resolve: (host: string, port: number) => Promise<Resolution>
  /** What the operator opened is reached directly; everything else that is not local by its spelling goes upstream. */
  resolveBehindUpstream: (host: string, port: number) => Promise<UpstreamRoute>
  /** As `resolve` for a host that was opened for this connection by name: all that stays closed are our own ports. */
  resolveOpened: (host: string, port: number) => Promise<Resolution>
  /** Adds a port of ours that nobody may reach on any of our own addresses. */
  reservePort: (port: number) => void
}

/** What the operator opened, and what stays closed whatever was opened. */
export type PolicyOptions = Readonly<{
  /** Opens every address that is not public, except our own ports. */
  allowPrivate: boolean
  /** EGRESS_ALLOW, or its entries. */
  allow: readonly string[]
  /** The ports the daemon listens on, asked at every decision. */
  ownPorts: () => ReadonlySet<number>
  /** All addresses of a name; rejects when there are none. */
  lookup?: Lookup
}>

/** RFC 6761, 6762, 8375, and the two that private networks use by habit. */
const LOCAL_NAME = /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home\.arpa)$/
const LOOPBACK = ['127.0.0.1', '::1']
const MAX_URL_LENGTH = 4_096

/** A host ends there for us and for browsers, but not for Python: the two would go to different places. */
const HOST_WITH_BACKSLASH = /^[^/?#]*(?:\/\/[^/?#]*)?\\/

/** Throws when an entry of `allow` cannot be read. */
export function createPolicy(options: PolicyOptions): EgressPolicy {
  const allowed = createAllowList(options.allow)
  const reserved = new Set<number>()
  const lookup = options.lookup ?? lookupAddresses
  const judge = createJudge(options, allowed, reserved)

  const resolve = async (text: string, port: number, isOpened = false): Promise<Resolution> => {
    const host = canonicalHost(text)
    const deny = (reason: DenialReason, address: string | null = null): Resolution => ({
      denial: { host: host ?? text.slice(0, 253), port, address, reason },
    })
    if (host === null) return deny('bad_host')
    const named = isOpened || allowed.hasName(host)
    if (isLocalhost(host)) {
      const open = LOOPBACK.filter((address) => judge(address, port, named) === null)
      if (open.length > 0) return { addresses: open }
    }
    const known = knownAddresses(host)
    const addresses = known.length > 0 ? known : await resolveName(lookup, host)
    if (addresses.length === 0) return deny('dns')
    for (const address of addresses) {
      const reason = judge(address, port, named)
      if (reason !== null) return deny(reason, address)
    }
    return { addresses }
  }

  return {
    checkUrl: (text) => checkUrl(text, allowed, judge),
    resolve: (text, port) => resolve(text, port),
    resolveOpened: (text, port) => resolve(text, port, true),
    resolveBehindUpstream: async (text, port) => {
      const host = canonicalHost(text)
      if (host === null) return resolve(text, port)
      const literal = isIP(host) === 0 ? null : canonicalAddress(host)
      const open = literal === null ? allowed.hasName(host) : allowed.hasAddress(literal)
      if (open || isLocalhost(host)) return resolve(host, port)
      if (literal !== null) {
        const resolution = await resolve(host, port)
        return 'denial' in resolution ? resolution : 'upstream'
      }
      const isLocal = LOCAL_NAME.test(host) || !host.includes('.')
      if (isLocal && !options.allowPrivate) {
        return { denial: { host, port, address: null, reason: 'local_name' } }
      }
      if (isReservedPort(port) && !options.allowPrivate)
        return { denial: { host, port, address: null, reason: 'port' } }
      return 'upstream'
    },
    reservePort: (port) => void reserved.add(port),
  }
}

type Judge = (address: string, port: number, isNamed: boolean) => DenialReason | null

function createJudge(options: PolicyOptions, allowed: AllowList, reserved: ReadonlySet<number>): Judge {
  return (text, port, isNamed) => {
    const address = canonicalAddress(text)
    if (address === null) return 'bad_host'
    const own = ownAddresses()
    const isOwn = (each: string): boolean =>
      own.has(each) || addressKind(each) === 'loopback' || addressKind(each) === 'unspecified'
    const all = [address, ...embeddedAddresses(address)]
    if (all.some(isOwn) && (reserved.has(port) || options.ownPorts().has(port))) return 'own_port'
    if (isNamed) return null
    const closed = all.filter((each) => !allowed.hasAddress(each))
    if (closed.length === 0) return null
    const isPublic = closed.every((each) => addressKind(each) === 'global')
    if (!options.allowPrivate && !isPublic) return 'private_address'
    if (!options.allowPrivate && closed.some(isOwn)) return 'own_address'
    return isPublic && isReservedPort(port) ? 'port' : null
  }
}

function checkUrl(text: string, allowed: AllowList, judge: Judge): UrlVerdict {
  const refuse = (reason: string): UrlVerdict => ({ ok: false, reason })
  const url = URL.parse(text)
  const fault = faultOfText(text, url)
  if (url === null || fault !== null) return refuse(fault ?? 'the URL cannot be read')
  const host = hostOfUrl(url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return refuse('only http and https URLs are supported')
  if (host === null) return refuse('the URL has no valid host')
  if (url.username !== '' || url.password !== '') return refuse('the URL contains a user name or password')
  if (/__youtubedl_smuggle/i.test(text)) return refuse('the URL carries internal data of yt-dlp')
  const reason = judgeKnown({ url, host }, allowed, judge)
  return reason === null ? { ok: true, url } : refuse(`the URL points to ${describeDenial(reason)}`)
}

/** What is wrong with the letters themselves, whatever they lead to; null when nothing is. */
function faultOfText(text: string, url: URL | null): string | null {
  if (Math.max(text.length, url?.href.length ?? 0) > MAX_URL_LENGTH) {
    return `the URL is longer than ${MAX_URL_LENGTH} characters`
  }
  if (/\p{Cc}/u.test(text)) return 'the URL contains control characters'
  return HOST_WITH_BACKSLASH.test(text) ? 'the URL cannot be read' : null
}

/** Below 1024 live mail, shells and databases; the web has two ports there. */
function isReservedPort(port: number): boolean {
  return port < 1_024 && port !== 80 && port !== 443
}

type Place = Readonly<{ url: URL; host: string }>

/** Judges a host whose addresses are known without a look-up; one that is open is enough. */
function judgeKnown({ url, host }: Place, allowed: AllowList, judge: Judge): DenialReason | null {
  const defaultPort = url.protocol === 'http:' ? 80 : 443
  const port = url.port === '' ? defaultPort : Number(url.port)
  const reasons = knownAddresses(host).map((address) => judge(address, port, allowed.hasName(host)))
  return reasons.includes(null) ? null : (reasons[0] ?? null)
}

/** The addresses that need no look-up: a literal, or what `localhost` means by RFC 6761. Empty for other names. */
function knownAddresses(host: string): readonly string[] {
  if (isLocalhost(host)) return LOOPBACK
  return isIP(host) === 0 ? [] : [host]
}

/** Completes the sentence "points to …". */
export function describeDenial(reason: DenialReason): string {
  const words: Readonly<Record<DenialReason, string>> = {
    private_address: 'an address that is not on the public internet',
    own_address: 'an address of this server',
    own_port: 'a port of this service',
    port: 'a port that is reserved for other services',
    local_name: 'a name of the local network',
    bad_host: 'a host that cannot be read',
    dns: 'a host that has no address',
  }
  return words[reason]
}

function isLocalhost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}
