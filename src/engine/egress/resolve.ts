import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { canonicalAddress } from '../../domain/address.ts'

/** All addresses of a name, best first; rejects when there are none. */
export type Lookup = (host: string) => Promise<readonly string[]>

const LOOKUP_TIMEOUT_MS = 10_000

/** Asks the system's resolver, so that its hosts file and search order hold. */
export async function lookupAddresses(host: string): Promise<readonly string[]> {
  const addresses = await lookup(host, { all: true, order: 'verbatim' })
  return addresses.map((each) => each.address)
}

/** One question to a resolver; empty when it knows no address or says nothing for 10 s. Never rejects. */
export async function resolveName(lookup: Lookup, host: string): Promise<readonly string[]> {
  const timer = new AbortController()
  const silence = delay(LOOKUP_TIMEOUT_MS, [], { signal: timer.signal })
  try {
    return await Promise.race([lookup(host), silence])
  } catch {
    // The caller needs to know only that there is no address.
    return []
  } finally {
    timer.abort()
  }
}

/** Every address this machine has now, in canonical spelling. */
export function ownAddresses(): ReadonlySet<string> {
  const own = new Set<string>()
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address } of addresses ?? []) {
      const canonical = canonicalAddress(address.split('%', 1)[0] ?? address)
      if (canonical !== null) own.add(canonical)
    }
  }
  return own
}
