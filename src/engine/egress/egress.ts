import { readFile } from 'node:fs/promises'
import type { Server } from 'node:net'
import { Lane, type EgressLane, type LaneOptions } from './lane.ts'
import type { EgressPolicy } from './policy.ts'
import { startProxy, type EgressLog } from './proxy.ts'
import { createRouter } from './router.ts'
import { parseUpstream } from './upstream.ts'

/** What decides about the way out. */
export type EgressOptions = Readonly<{
  policy: EgressPolicy
  /** PROXY_URL: where everything goes that the operator did not open; null = straight to the internet. */
  upstream: string | null
  /** PEM certificates to trust instead of the defaults, for our own requests and an https upstream. */
  caFile: string | null
  log: EgressLog
}>

/** Sums since the start, of closed lanes too. */
export type EgressStats = Readonly<{
  /** Refusals of the policy. */
  denied: number
  /** Connections made to origins. */
  connections: number
  /** Received from origins. */
  bytes: number
}>

/** The one way out: every byte that a child or the daemon itself fetches comes through here. */
export type Egress = AsyncDisposable & {
  /** Of the proxy on 127.0.0.1. */
  readonly port: number
  readonly policy: EgressPolicy
  /** What `caFile` holds. */
  readonly ca: string | null
  readonly stats: EgressStats
  /** Opens a lane; dispose it when its user is gone. */
  open: (options: LaneOptions) => EgressLane
  /** Lets the proxy answer on one more listening server, such as one inside a network namespace. */
  serve: (server: Server) => void
}

/** Starts the proxy. Throws EgressError for an `upstream` and the system's error for a `caFile` that cannot be read. */
export async function createEgress(options: EgressOptions): Promise<Egress> {
  const { policy, log } = options
  const ca = options.caFile === null ? null : await readFile(options.caFile, 'utf8')
  const upstream = options.upstream === null ? null : parseUpstream(options.upstream)
  const lanes = new Map<string, Lane>()
  const past = { denied: 0, connections: 0, bytes: 0 }
  const proxy = await startProxy({
    router: createRouter(policy, upstream, ca),
    findLane: (user) => lanes.get(user),
    onConnection: () => (past.connections += 1),
    onDenied: () => (past.denied += 1),
    log,
  })
  policy.reservePort(proxy.port)
  return {
    port: proxy.port,
    policy,
    ca,
    get stats() {
      return { ...past, bytes: [...lanes.values()].reduce((sum, lane) => sum + lane.bytes, past.bytes) }
    },
    open: (laneOptions) => {
      const lane = new Lane(laneOptions, proxy.port, () => {
        if (lanes.delete(lane.user)) past.bytes += lane.bytes
      })
      lanes.set(lane.user, lane)
      return lane
    },
    serve: proxy.serve,
    [Symbol.asyncDispose]: async () => {
      for (const lane of lanes.values()) lane.revoke()
      await proxy[Symbol.asyncDispose]()
    },
  }
}
