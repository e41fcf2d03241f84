import { dial } from './dial.ts'
import type { BufferPool, Origin } from './origin.ts'
import type { Denial, EgressPolicy } from './policy.ts'
import type { LaneRoute } from './lane.ts'
import { authorityOf, type Target } from './target.ts'
import {
  connectUpstreamPlain,
  connectUpstreamTunnel,
  parseUpstream,
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
  by: Readonly<{ signal: AbortSignal; route: LaneRoute | undefined }>,
) => Promise<Connection | Readonly<{ denial: Denial }>>

const CONNECT_TIMEOUT_MS = 20_000

/**
 * Everything the operator did not open goes by `upstream`, or by the one of the lane, where there is one. `ca`: see
 * `UpstreamContext`.
 */
export function createRouter(policy: EgressPolicy, upstream: Upstream | null, ca: string | null): Router {
  const buffers: BufferPool = []
  const contextOf = (proxy: Upstream | null): UpstreamContext | null =>
    proxy === null ? null : { upstream: proxy, ca, timeoutMs: CONNECT_TIMEOUT_MS, buffers }
  const usual = contextOf(upstream)
  return async (target, use, { signal, route: own }) => {
    const isOpened = own?.open.includes(authorityOf(target)) === true
    const context = own === undefined || own.upstream === null ? usual : contextOf(parseUpstream(own.upstream))
    const route = await (isOpened
      ? policy.resolveOpened(target.host, target.port)
      : context === null
        ? policy.resolve(target.host, target.port)
        : policy.resolveBehindUpstream(target.host, target.port))
    if (route !== 'upstream') {
      if ('denial' in route) return route
      const { addresses } = route
      const origin = await dial({ addresses, port: target.port, timeoutMs: CONNECT_TIMEOUT_MS, signal, buffers })
      return { origin, proxyForm: null }
    }
    if (context === null) throw new Error('there is no upstream')
    return connectBehind(context, { target, use, signal })
  }
}

async function connectBehind(
  context: UpstreamContext,
  { target, use, signal }: Readonly<{ target: Target; use: 'tunnel' | 'plain'; signal: AbortSignal }>,
): Promise<Connection> {
  if (use === 'tunnel') return { origin: await connectUpstreamTunnel(context, target, signal), proxyForm: null }
  const origin = await connectUpstreamPlain(context, target, signal)
  const isHttp = context.upstream.kind !== 'socks'
  return { origin, proxyForm: isHttp ? { authorization: upstreamAuthorization(context.upstream) } : null }
}
