import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { canonicalAddress } from './address.ts'

/** One spelling for a network or a single address, such as `192.0.2.0/24`; null for what is neither. */
export function canonicalCidr(text: string): string | null {
  const [address = '', bits, ...more] = text.trim().split('/')
  const canonical = canonicalAddress(address)
  if (canonical === null || more.length > 0) return null
  // A mapped address counts as IPv4, so the bits of its prefix would be those of another.
  if (isIP(canonical) !== isIP(address)) return bits === undefined ? `${canonical}/32` : null
  const most = isIP(canonical) === 4 ? 32 : 128
  if (bits === undefined) return `${canonical}/${most}`
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > most) return null
  const range = `${canonical}/${Number(bits)}`
  const network = most === 32 ? ipaddr.IPv4.networkAddressFromCIDR(range) : ipaddr.IPv6.networkAddressFromCIDR(range)
  return `${network.toString()}/${Number(bits)}`
}

/** Whether an address lies in one of the networks; an IPv4 address that IPv6 carries counts as itself. */
export function isInCidrs(address: string, cidrs: readonly string[]): boolean {
  const canonical = canonicalAddress(address)
  if (canonical === null) return false
  const parsed = ipaddr.parse(canonical)
  return cidrs.some((cidr) => {
    const [network, bits] = ipaddr.parseCIDR(cidr)
    return network.kind() === parsed.kind() && parsed.match(network, bits)
  })
}
