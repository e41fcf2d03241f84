import { domainToASCII } from 'node:url'
import ipaddr from 'ipaddr.js'
import { canonicalAddress } from './address.ts'

/** What the operator opened by hand: addresses and names, ready to be asked. */
export type AllowList = Readonly<{
  /** `address` in canonical spelling. */
  hasAddress: (address: string) => boolean
  /** `host` in lower case, without a trailing dot. */
  hasName: (host: string) => boolean
}>

type Entry =
  | Readonly<{ kind: 'range'; text: string; network: ipaddr.IPv4 | ipaddr.IPv6; bits: number }>
  | Readonly<{ kind: 'name' | 'suffix'; text: string }>

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/**
 * Reads EGRESS_ALLOW: CIDRs, addresses, host names and `*.suffix`, parted by commas or white space.
 * Returns them in canonical form; throws one error that names every entry it cannot read.
 */
export function parseEgressAllow(text: string): readonly string[] {
  return parseEntries(text.split(/[\s,]+/).filter((entry) => entry !== '')).map((entry) => entry.text)
}

/** Throws like `parseEgressAllow`. `*.suffix` opens the names below the suffix, not the suffix itself. */
export function createAllowList(allow: readonly string[]): AllowList {
  const entries = parseEntries(allow)
  const names = new Set(entries.filter((entry) => entry.kind === 'name').map((entry) => entry.text))
  const suffixes = entries.filter((entry) => entry.kind === 'suffix').map((entry) => entry.text.slice(1))
  const ranges = entries.filter((entry) => entry.kind === 'range')
  return {
    hasAddress: (address) => {
      const parsed = ipaddr.parse(address)
      return ranges.some((range) => range.network.kind() === parsed.kind() && parsed.match(range.network, range.bits))
    },
    hasName: (host) => names.has(host) || suffixes.some((suffix) => host.endsWith(suffix) && host !== suffix),
  }
}

function parseEntries(texts: readonly string[]): readonly Entry[] {
  const entries = texts.map((text) => parseEntry(text.toLowerCase()))
  const bad = texts.filter((_, index) => entries[index] === null)
  if (bad.length > 0) {
    throw new Error(`not a CIDR, address, host name or *.suffix: ${bad.map((text) => JSON.stringify(text)).join(', ')}`)
  }
  return entries.filter((entry) => entry !== null)
}

function parseEntry(text: string): Entry | null {
  const [host = '', bits, ...more] = text.split('/')
  if (more.length > 0) return null
  const address = canonicalAddress(host.replace(/^\[(.*)\]$/, '$1'))
  if (address !== null) return parseRange(address, bits)
  if (bits !== undefined) return null
  const wildcard = host.startsWith('*.')
  const name = domainToASCII((wildcard ? host.slice(2) : host).replace(/\.$/, ''))
  const labels = name.split('.')
  if (name.length > 253 || !labels.every((label) => LABEL.test(label))) return null
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) return null
  return wildcard ? { kind: 'suffix', text: `*.${name}` } : { kind: 'name', text: name }
}

function parseRange(address: string, bits: string | undefined): Entry | null {
  const network = ipaddr.parse(address)
  const width = network.kind() === 'ipv4' ? 32 : 128
  if (bits === undefined) return { kind: 'range', text: address, network, bits: width }
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > width) return null
  return { kind: 'range', text: `${address}/${Number(bits)}`, network, bits: Number(bits) }
}
