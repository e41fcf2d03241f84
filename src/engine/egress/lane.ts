import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import type { Denial } from './policy.ts'

/** Where a lane's connections go besides, or in the place of, the usual. */
export type LaneRoute = Readonly<{
  /** A proxy in the place of PROXY_URL, as that is written; null = as usual. */
  upstream: string | null
  /** What it may reach directly whatever the policy says of its address, `host:port`; never a port of ours. */
  open: readonly string[]
}>

/** Whose lane it is, and its bounds. */
export type LaneOptions = Readonly<{
  /** Who the lane belongs to, for logs. */
  label: string
  /** Bytes it may receive in all; null = as many as it likes. */
  maxBytes: number | null
  /** How long a connection may stay silent before it is cut. */
  idleMs: number
  /** Left out = as all others. */
  route?: LaneRoute
  /** Hosts that the proxy answers itself, by plain http only. */
  virtualHosts?: Readonly<Record<string, RequestListener>>
}>

/** Why a lane was closed: it received more than it may, or its owner took it back. */
export type LaneFailure = 'too_large' | 'revoked'

/** One user of the proxy: its credentials, its budget, and what it did. */
export type EgressLane = Disposable & {
  readonly label: string
  /** `http://job-…:secret@127.0.0.1:port`. Whoever knows it may use the lane. */
  readonly proxyUrl: string
  /** Received from origins so far, their headers included. */
  readonly bytes: number
  /** Whom it asked for, allowed or not; the first 1000. */
  readonly hosts: ReadonlySet<string>
  /** What was refused; the first 100. Those with the reason `dns` had no address: the policy had no part in it. */
  readonly denials: readonly Denial[]
  /** Why the lane is closed; null while it is open. */
  readonly failure: LaneFailure | null
  /** Lets it receive that much more than it may now. */
  allow: (bytes: number) => void
  /** Cuts its connections and refuses new ones. */
  revoke: () => void
}

/** Of connections from the client, and of requests under way on them. */
const MAX_CONNECTIONS = 64
const MAX_HOSTS = 1_000
const MAX_DENIALS = 100

/** A lane as the proxy sees it: it also lets requests in and accounts for them. */
export class Lane implements EgressLane {
  readonly user: string
  readonly proxyUrl: string
  readonly options: LaneOptions
  bytes = 0
  readonly hosts = new Set<string>()
  readonly denials: Denial[] = []
  failure: LaneFailure | null = null
  #maxBytes: number
  readonly #sockets = new Set<Socket>()
  #requests = 0
  readonly #authorization: Buffer
  readonly #onRevoke: () => void

  constructor(options: LaneOptions, port: number, onRevoke: () => void) {
    const secret = randomBytes(24).toString('base64url')
    this.options = options
    this.#maxBytes = options.maxBytes ?? Infinity
    this.user = `job-${randomBytes(9).toString('hex')}`
    this.proxyUrl = `http://${this.user}:${secret}@127.0.0.1:${port}`
    this.#authorization = Buffer.from(`${this.user}:${secret}`)
    this.#onRevoke = onRevoke
  }

  get label(): string {
    return this.options.label
  }

  /** Compares `user:password` in constant time. */
  accepts(credentials: Buffer): boolean {
    return credentials.length === this.#authorization.length && timingSafeEqual(credentials, this.#authorization)
  }

  /** Takes in a request on a client's connection; `leave` undoes it. False when there are too many of either. */
  enter(socket: Socket): boolean {
    if (this.#requests >= MAX_CONNECTIONS) return false
    if (!this.#sockets.has(socket)) {
      if (this.#sockets.size >= MAX_CONNECTIONS) return false
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    }
    this.#requests += 1
    return true
  }

  leave(): void {
    this.#requests -= 1
  }

  addHost(host: string): void {
    if (this.hosts.size < MAX_HOSTS) this.hosts.add(host)
  }

  addDenial(denial: Denial): void {
    if (this.denials.length < MAX_DENIALS) this.denials.push(denial)
  }

  /** Accounts for bytes that came in. False when they were too many: the lane is closed then. */
  receive(bytes: number): boolean {
    this.bytes += bytes
    if (this.bytes <= this.#maxBytes) return this.failure === null
    this.#close('too_large')
    return false
  }

  allow(bytes: number): void {
    this.#maxBytes += bytes
  }

  revoke(): void {
    this.#close('revoked')
    this.#onRevoke()
  }

  [Symbol.dispose](): void {
    this.revoke()
  }

  #close(failure: LaneFailure): void {
    this.failure ??= failure
    for (const socket of this.#sockets) socket.destroy()
  }
}
