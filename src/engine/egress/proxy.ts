import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import { once } from 'node:events'
import { ConnectError } from './dial.ts'
import { forward, type Exchange } from './forward.ts'
import type { Lane } from './lane.ts'
import { endWith, refusals, respond, type Refusal } from './refusal.ts'
import type { Connection, Router } from './router.ts'
import { parseAuthority, parseHttpTarget, type Target } from './target.ts'
import { joinTunnel } from './tunnel.ts'

/** The part of a logger that the proxy uses. */
export type EgressLog = Readonly<{
  debug: (fields: Readonly<Record<string, unknown>>, message: string) => void
  warn: (fields: Readonly<Record<string, unknown>>, message: string) => void
}>

/** How the proxy finds its way and its users. */
export type ProxyOptions = Readonly<{
  router: Router
  /** The lane of a user name; whether the password is right is for the lane to say. */
  findLane: (user: string) => Lane | undefined
  onConnection: () => void
  onDenied: () => void
  log: EgressLog
}>

/** The listening proxy; disposing cuts every connection. */
export type Proxy = AsyncDisposable & {
  readonly port: number
  /** Also takes connections from a server that listens already. It stays its owner's, who closes it. */
  serve: (server: Server) => void
}

const MAX_CLIENTS = 1_024
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** Listens on 127.0.0.1. Only CONNECT and `http://` in absolute form, only with the credentials of a lane. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const clients = new Set<Socket>()
  const server = createServer({
    keepAliveTimeout: 60_000,
    headersTimeout: 20_000,
    // A request may take as long as its upload takes; silence is bounded by the lane.
    requestTimeout: 0,
    maxHeaderSize: 64 * 1_024,
    noDelay: true,
  })
  server.on('connection', (socket: Socket) => {
    // A broken connection is seen by its `close`; without a listener it would end the process.
    socket.on('error', () => undefined)
    // Holds for those of `serve` too: a client may say all it has to say and still listen.
    socket.allowHalfOpen = true
    // One for each request under way; the lane bounds them.
    socket.setMaxListeners(0)
    if (clients.size >= MAX_CLIENTS) {
      socket.destroy()
      return
    }
    clients.add(socket)
    socket.once('close', () => clients.delete(socket))
  })
  server.on('request', (request, response) => void handleRequest(options, request, response))
  server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    void handleConnect(options, request, { socket, head })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the egress proxy has no port')
  return {
    port: address.port,
    serve: (other) => void other.on('connection', (socket) => server.emit('connection', socket)),
    [Symbol.asyncDispose]: () => stop(server, clients),
  }
}

async function stop(server: HttpServer, clients: ReadonlySet<Socket>): Promise<void> {
  server.close()
  for (const socket of clients) socket.destroy()
  if (server.listening) await once(server, 'close')
}

async function handleRequest(options: ProxyOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // The connection's `close` tells what happened; a late write must not end the process.
  response.on('error', () => undefined)
  const lane = authenticate(options, request)
  const problem = lane === null ? refusals.credentials : checkRequest(lane, request)
  const target = parseHttpTarget(request.url ?? '')
  if (problem !== null || lane === null || target === null) return respond(response, problem ?? refusals.form)
  lane.addHost(target.host)
  const virtual = lane.options.virtualHosts?.[target.host]
  if (virtual !== undefined) return virtual(request, response)
  if (!lane.enter(request.socket)) return respond(response, refusals.busy)
  request.socket.setTimeout(lane.options.idleMs)
  const gone = new AbortController()
  const onClose = (): void => gone.abort()
  request.socket.once('close', onClose)
  // Of several requests sent at once, the first may have cost the client its connection.
  if (request.socket.destroyed) gone.abort()
  await pass(options, { request, response, target, lane, gone: gone.signal })
  request.socket.off('close', onClose)
  lane.leave()
}

/** Never rejects. */
async function pass(options: ProxyOptions, exchange: Exchange): Promise<void> {
  const { request, response, target, lane, gone } = exchange
  const connection = await open(options, lane, { target, use: 'plain', signal: gone })
  if ('status' in connection) return respond(response, connection)
  if (gone.aborted) return void connection.origin.socket.destroy()
  try {
    await forward(exchange, connection)
  } catch (error) {
    options.log.debug({ lane: lane.label, host: target.host, err: error }, 'request not completed')
    if (response.headersSent) request.socket.destroy()
    else respond(response, refusals.broken)
  }
}

type Client = Readonly<{ socket: Socket; head: Buffer }>

async function handleConnect(options: ProxyOptions, request: IncomingMessage, client: Client): Promise<void> {
  const { socket, head } = client
  const lane = authenticate(options, request)
  if (lane === null) return endWith(socket, refusals.credentials)
  const target = parseAuthority(request.url ?? '')
  if (target === null) return endWith(socket, refusals.form)
  lane.addHost(target.host)
  if (lane.failure !== null) return endWith(socket, refusals.closed(lane.failure))
  if (!lane.enter(socket)) return endWith(socket, refusals.busy)
  socket.once('close', () => lane.leave())
  socket.setTimeout(lane.options.idleMs)
  socket.once('timeout', () => socket.destroy())
  const gone = new AbortController()
  socket.once('close', () => gone.abort())
  const connection = await open(options, lane, { target, use: 'tunnel', signal: gone.signal })
  if ('status' in connection) return endWith(socket, connection)
  if (socket.destroyed) return void connection.origin.socket.destroy()
  joinTunnel(socket, connection.origin, head, lane)
}

type Wanted = Readonly<{ target: Target; use: 'plain' | 'tunnel'; signal: AbortSignal }>

/** Never rejects. */
async function open(options: ProxyOptions, lane: Lane, wanted: Wanted): Promise<Connection | Refusal> {
  const { target, use, signal } = wanted
  try {
    const outcome = await options.router(target, use, { signal, route: lane.options.route })
    if (!('denial' in outcome)) {
      options.onConnection()
      return outcome
    }
    const { denial } = outcome
    lane.addDenial(denial)
    if (denial.reason === 'dns') return refusals.unresolved
    options.onDenied()
    options.log.warn({ lane: lane.label, ...denial }, 'egress denied')
    return refusals.denied(denial)
  } catch (error) {
    options.log.debug({ lane: lane.label, host: target.host, err: error }, 'origin not reached')
    return error instanceof ConnectError && error.kind === 'timeout' ? refusals.timeout : refusals.unreachable
  }
}

function authenticate(options: ProxyOptions, request: IncomingMessage): Lane | null {
  const value = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(request.headers['proxy-authorization'] ?? '')?.[1]
  if (value === undefined) return null
  const credentials = Buffer.from(value, 'base64')
  const user = credentials.toString('latin1').split(':', 1)[0] ?? ''
  const lane = options.findLane(user)
  return lane?.accepts(credentials) === true ? lane : null
}

function checkRequest(lane: Lane, request: IncomingMessage): Refusal | null {
  if (lane.failure !== null) return refusals.closed(lane.failure)
  if (!METHODS.has(request.method ?? '')) return refusals.method
  if (request.headers['transfer-encoding'] !== undefined) return refusals.length
  const hosts = request.headersDistinct['host'] ?? []
  return hosts.length > 1 ? refusals.form : null
}
