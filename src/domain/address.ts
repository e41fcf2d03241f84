import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** Why an address is not a place on the public internet. */
export type AddressKind =
  | 'global'
  | 'invalid'
  | 'loopback'
  | 'unspecified'
  | 'private'
  | 'link-local'
  | 'shared'
  | 'metadata'
  | 'reserved'
  | 'multicast'
  | 'transition'

type Range = readonly [cidr: string, kind: Exclude<AddressKind, 'global' | 'invalid'>]

/** IANA IPv4 special-purpose registry, multicast, class E, and the host-side services of Azure. First match wins. */
const V4_RANGES: readonly Range[] = [
  ['0.0.0.0/32', 'unspecified'],
  ['0.0.0.0/8', 'reserved'],
  ['127.0.0.0/8', 'loopback'],
  ['10.0.0.0/8', 'private'],
  ['172.16.0.0/12', 'private'],
  ['192.168.0.0/16', 'private'],
  ['169.254.169.254/32', 'metadata'],
  ['169.254.170.2/32', 'metadata'],
  ['169.254.0.0/16', 'link-local'],
  ['100.100.100.200/32', 'metadata'],
  ['100.64.0.0/10', 'shared'],
  ['168.63.129.16/32', 'metadata'],
  ['192.0.0.192/32', 'metadata'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.2.0/24', 'reserved'],
  ['192.31.196.0/24', 'reserved'],
  ['192.52.193.0/24', 'reserved'],
  ['192.88.99.0/24', 'transition'],
  ['192.175.48.0/24', 'reserved'],
  ['198.18.0.0/15', 'reserved'],
  ['198.51.100.0/24', 'reserved'],
  ['203.0.113.0/24', 'reserved'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
]

/** What is not public inside 2000::/3, and names for what lies outside it. */
const V6_RANGES: readonly Range[] = [
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['fd00:ec2::254/128', 'metadata'],
  ['fd20:ce::254/128', 'metadata'],
  ['fc00::/7', 'private'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'private'],
  ['ff00::/8', 'multicast'],
  ['64:ff9b:1::/48', 'transition'],
  ['2001::/32', 'transition'],
  ['2001::/23', 'reserved'],
  ['2001:db8::/32', 'reserved'],
  ['2002::/16', 'transition'],
  ['2620:4f:8000::/48', 'reserved'],
  ['3fff::/20', 'reserved'],
]

type ParsedRange = readonly [network: Address, bits: number, kind: AddressKind]

const parseRange = ([cidr, kind]: Range): ParsedRange => [...ipaddr.parseCIDR(cidr), kind]
const RANGES: Readonly<Record<'ipv4' | 'ipv6', readonly ParsedRange[]>> = {
  ipv4: V4_RANGES.map(parseRange),
  ipv6: V6_RANGES.map(parseRange),
}
const [GLOBAL_V6, GLOBAL_V6_BITS] = ipaddr.parseCIDR('2000::/3')
const [NAT64, NAT64_BITS] = ipaddr.parseCIDR('64:ff9b::/96')

/**
 * One spelling for each address: dotted IPv4 (also for `::ffff:…`) or compressed IPv6.
 * Null for what is not a complete literal: short, octal and hexadecimal IPv4 and zone ids.
 */
export function canonicalAddress(text: string): string | null {
  const address = parseAddress(text)
  return address === null ? null : address.toString()
}

/** What kind of place an address is, looking at its own bits only (a mapped IPv4 address is that IPv4 address). */
export function addressKind(text: string): AddressKind {
  const address = parseAddress(text)
  if (address === null) return 'invalid'
  for (const [network, bits, kind] of RANGES[address.kind()]) {
    if (address.match(network, bits)) return kind
  }
  if (address.kind() === 'ipv4') return 'global'
  return address.match(GLOBAL_V6, GLOBAL_V6_BITS) || address.match(NAT64, NAT64_BITS) ? 'global' : 'reserved'
}

/**
 * The IPv4 addresses that an IPv6 address carries for a translator or tunnel on its way: compatible, translated,
 * NAT64, 6to4, Teredo (server and client) and ISATAP. Empty for all others.
 */
export function embeddedAddresses(text: string): readonly string[] {
  const address = parseAddress(text)
  if (!(address instanceof ipaddr.IPv6)) return []
  const parts = address.parts
  const at = (index: number, mask = 0): string => {
    const high = (parts[index] ?? 0) ^ mask
    const low = (parts[index + 1] ?? 0) ^ mask
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  }
  const starts = (...prefix: readonly number[]): boolean => prefix.every((part, index) => parts[index] === part)
  const found: string[] = []
  if (starts(0, 0, 0, 0, 0, 0) && !starts(0, 0, 0, 0, 0, 0, 0)) found.push(at(6))
  if (starts(0, 0, 0, 0, 0xffff, 0)) found.push(at(6))
  if (starts(0x64, 0xff9b)) found.push(at(6))
  if (starts(0x2002)) found.push(at(1))
  if (starts(0x2001, 0)) found.push(at(2), at(6, 0xffff))
  if (parts[5] === 0x5efe && (parts[4] === 0 || parts[4] === 0x200)) found.push(at(6))
  return found
}

function parseAddress(text: string): Address | null {
  const version = isIP(text)
  if (version === 0 || text.includes('%')) return null
  // ipaddr.js takes `::1.2.3.4` for `::ffff:1.2.3.4`; in groups of hexadecimal digits the two stay apart.
  return ipaddr.process(version === 4 ? text : new URL(`http://[${text}]/`).hostname.slice(1, -1))
}
