import { once } from 'node:events'
import http, { type IncomingHttpHeaders, type RequestListener } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createEgress, createPolicy, type Egress, type EgressLane } from '../../../src/engine/egress/index.ts'
import type { PolicyOptions } from '../../../src/engine/egress/policy.ts'

export type TestEgressOptions = Partial<PolicyOptions> &
  Readonly<{
    /** Stands in for DNS: name → addresses, or one list per look-up. */
    names?: Readonly<Record<string, readonly string[] | (() => readonly string[])>>
    upstream?: string | null
    caFile?: string | null
  }>

/** What a resolver knows that has these names only. */
export function lookupIn(names: NonNullable<TestEgressOptions['names']>): (host: string) => Promise<readonly string[]> {
  return async (host) => {
    const known = names[host]
    if (known === undefined) throw new Error(`no such name: ${host}`)
    return typeof known === 'function' ? known() : known
  }
}

/** An egress whose only open private target is the name `media.test`, at 127.0.0.1. */
export async function startEgress(options: TestEgressOptions = {}): Promise<Egress> {
  const { names, upstream = null, caFile = null, ...policy } = options
  const known = { 'media.test': ['127.0.0.1'], ...names }
  return createEgress({
    policy: createPolicy({
      allowPrivate: false,
      allow: ['media.test'],
      ownPorts: () => new Set(),
      lookup: lookupIn(known),
      ...policy,
    }),
    upstream,
    caFile,
    log: { debug: () => undefined, warn: () => undefined },
  })
}

export function openLane(egress: Egress, options: Partial<Parameters<Egress['open']>[0]> = {}): EgressLane {
  return egress.open({ label: 'test', maxBytes: null, idleMs: 10_000, ...options })
}

export type TestServer = AsyncDisposable &
  Readonly<{
    port: number
    /** `METHOD path` of each request, in order. */
    log: string[]
    /** Connections made, whatever was said on them. */
    connections: () => number
  }>

/** An HTTP server on a loopback address. */
export async function startServer(listener: RequestListener, host = '127.0.0.1', port = 0): Promise<TestServer> {
  const log: string[] = []
  let connections = 0
  const server = http.createServer((request, response) => {
    log.push(`${request.method} ${request.url}`)
    listener(request, response)
  })
  server.on('connection', () => {
    connections += 1
  })
  server.listen(port, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    log,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A TCP server on 127.0.0.1 for what no HTTP library would say. */
export async function startTcp(
  onConnection: (socket: net.Socket) => void,
): Promise<AsyncDisposable & Readonly<{ port: number; server: net.Server }>> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    server,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

export type Answer = Readonly<{ status: number; headers: IncomingHttpHeaders; body: string }>

export type AskOptions = Readonly<{
  method?: string
  headers?: Readonly<Record<string, string>>
  body?: string
  agent?: http.Agent
  proxyUrl?: string
}>

/** A plain request by way of the lane, with credentials from the first try. */
export async function ask(lane: EgressLane, url: string, options: AskOptions = {}): Promise<Answer> {
  const proxy = new URL(options.proxyUrl ?? lane.proxyUrl)
  const request = http.request({
    host: proxy.hostname,
    port: proxy.port,
    path: url,
    method: options.method ?? 'GET',
    agent: options.agent ?? false,
    headers: { host: 'ignored.example', 'proxy-authorization': basic(proxy), ...options.headers },
  })
  // A connection cut in the middle of the answer fails the request as well as the answer.
  request.on('error', () => undefined).end(options.body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) }
}

export function basic(proxy: URL): string {
  return `Basic ${Buffer.from(`${proxy.username}:${proxy.password}`).toString('base64')}`
}

/** Says `words` to the proxy and returns all it answers until it closes the connection. */
export async function say(port: number, words: string): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  let answer = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk))
  socket.write(words, 'latin1')
  await once(socket, 'close')
  return answer
}

export type Tunnel = Readonly<{ status: number; socket: net.Socket; head: string }>

/** Asks for a tunnel; the caller destroys its socket, which closes by itself when the other end does. */
export async function connectThrough(lane: EgressLane, authority: string, ahead = ''): Promise<Tunnel> {
  const proxy = new URL(lane.proxyUrl)
  const socket = net.connect({ port: Number(proxy.port), host: proxy.hostname })
  socket.on('error', () => undefined)
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: ${basic(proxy)}\r\n\r\n${ahead}`)
  let head = ''
  while (!head.includes('\r\n\r\n')) {
    const chunk = socket.read() as Buffer | null
    if (chunk !== null) head += chunk.toString('latin1')
    else if (socket.readableEnded || socket.destroyed) break
    else await Promise.race([once(socket, 'readable'), once(socket, 'close')])
  }
  const end = head.indexOf('\r\n\r\n') + 4
  if (head.length > end) socket.unshift(Buffer.from(head.slice(end), 'latin1'))
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), socket, head: head.slice(0, end) }
}

/** Resolves when the connection is gone, in whatever way. */
export async function closed(socket: net.Socket): Promise<void> {
  socket.resume()
  if (!socket.closed) await new Promise((resolve) => void socket.once('close', resolve))
}
