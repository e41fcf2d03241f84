import { connect, isIPv6 } from 'node:net'
import { openOrigin, type BufferPool, type Origin } from './origin.ts'

/** Whom to connect to, and how long to try. */
export type DialOptions = Readonly<{
  /** Literals, best first. Each is connected to as it stands: no name is looked up here. */
  addresses: readonly string[]
  port: number
  timeoutMs: number
  signal: AbortSignal
  buffers: BufferPool
}>

/** A destination that did not answer as it should. `timeout`: it said nothing; `connect`: it said no. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError'
  readonly kind: 'connect' | 'timeout'

  constructor(kind: 'connect' | 'timeout', message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

/** RFC 8305, "connection attempt delay". */
const STAGGER_MS = 250

/**
 * Connects to the first address that answers, IPv6 and IPv4 in turn, a new attempt every 250 ms or as soon as one fails.
 * Rejects with `ConnectError`.
 */
export async function dial(options: DialOptions): Promise<Origin> {
  const { promise, resolve, reject } = Promise.withResolvers<Origin>()
  const waiting = alternateFamilies(options.addresses)
  const attempts = new Set<Origin>()
  let lastError: Error = new ConnectError('connect', 'no address to connect to')

  const attempt = (): void => {
    const host = waiting.shift()
    if (host === undefined) {
      if (attempts.size === 0) reject(new ConnectError('connect', lastError.message, { cause: lastError }))
      return
    }
    const origin = openOrigin(options.buffers, (onread) =>
      connect({ host, port: options.port, noDelay: true, allowHalfOpen: true, onread, autoSelectFamily: false }),
    )
    attempts.add(origin)
    origin.socket.once('connect', () => resolve(origin))
    origin.socket.on('error', (error) => {
      lastError = error
    })
    origin.socket.once('close', () => {
      if (attempts.delete(origin)) attempt()
    })
  }

  const stagger = setInterval(attempt, STAGGER_MS)
  const fail = (kind: 'connect' | 'timeout', text: string) => (): void => reject(new ConnectError(kind, text))
  const timer = setTimeout(fail('timeout', 'no answer in time'), options.timeoutMs)
  const onAbort = fail('connect', 'given up')
  options.signal.addEventListener('abort', onAbort, { once: true })
  if (options.signal.aborted) onAbort()
  else attempt()
  try {
    const winner = await promise
    attempts.delete(winner)
    return winner
  } finally {
    clearInterval(stagger)
    clearTimeout(timer)
    options.signal.removeEventListener('abort', onAbort)
    const losers = [...attempts]
    attempts.clear()
    for (const { socket } of losers) socket.destroy()
  }
}

function alternateFamilies(addresses: readonly string[]): string[] {
  const [first] = addresses
  if (first === undefined) return []
  const preferred = addresses.filter((address) => isIPv6(address) === isIPv6(first))
  const other = addresses.filter((address) => isIPv6(address) !== isIPv6(first))
  return preferred
    .flatMap((address, index) => [address, ...other.slice(index, index + 1)])
    .concat(other.slice(preferred.length))
}
