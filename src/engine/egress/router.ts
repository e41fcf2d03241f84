import { dial } from './dial.ts'
import type { BufferPool, Origin } from './origin.ts'
import type { Denial, EgressPolicy } from './policy.ts'
import type { Target } from './target.ts'
import {
  connectUpstreamPlain,
  connectUpstreamTunnel,
  upstreamAuthorization,
  type Upstream,
  type UpstreamContext,
} from './upstream.ts'

/** A way to the target. `proxyForm` is set when a plain request must be written for another HTTP proxy. */
export type Connection = Readonly<{
  origin: Origin
  proxyForm: Readonly<{ authorization: string | null }> | null
}>

/** Decides about a target and connects to it. Rejects with `ConnectError` when it cannot be reached. */
export type Router = (
  target: Target,
  use: 'tunnel' | 'plain',
  signal: AbortSignal,
) => Promise<Connection | Readonly<{ denial: Denial }>>

const CONNECT_TIMEOUT_MS = 20_000

/** Everything the operator did not open goes by `upstream`, where there is one. `ca`: see `UpstreamContext`. */
export function createRouter(policy: EgressPolicy, upstream: Upstream | null, ca: string | null): Router {
  const buffers: BufferPool = []
  const timeoutMs = CONNECT_TIMEOUT_MS
  const context: UpstreamContext | null = upstream === null ? null : { upstream, ca, timeoutMs, buffers }
  return async (target, use, signal) => {
    const route =
      context === null
        ? await policy.resolve(target.host, target.port)
        : await policy.resolveBehindUpstream(target.host, target.port)
    if (route !== 'upstream') {
      if ('denial' in route) return route
      const { addresses } = route
      const origin = await dial({ addresses, port: target.port, timeoutMs, signal, buffers })
      return { origin, proxyForm: null }
    }
    if (context === null) throw new Error('there is no upstream')
    if (use === 'tunnel') return { origin: await connectUpstreamTunnel(context, target, signal), proxyForm: null }
    const origin = await connectUpstreamPlain(context, target, signal)
    const isHttp = context.upstream.kind !== 'socks'
    return { origin, proxyForm: isHttp ? { authorization: upstreamAuthorization(context.upstream) } : null }
  }
}
