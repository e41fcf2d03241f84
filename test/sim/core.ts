import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import tls from 'node:tls'
import type { Certificate } from './certs.ts'
import { Exchange, type SimState, type Site } from './exchange.ts'

/** A failure to inject into every request whose whole URL matches. */
export type Fault = {
  /** A regular expression, or its source. */
  match: string | RegExp
  /** How many requests it hits; absent or negative = all. */
  times?: number
  /** Milliseconds to wait before the answer. */
  delay?: number
  /** Cuts the connection instead of answering. */
  reset?: boolean
  /** Answers this instead of the site. */
  status?: number
  body?: string
  type?: string
  headers?: Record<string, string>
}

export type SimLogEntry = {
  /** Milliseconds since 1970. */
  at: number
  host: string
  method?: string | undefined
  url?: string
  userAgent?: string | undefined
  range?: string | undefined
  cookie?: string | undefined
  status?: number
  ms?: number
  /** The client left before the answer was complete. */
  aborted?: true
  /** No route of the site answers this: an extractor asks something new. */
  unmatched?: true
  /** The host is not simulated: a request that would have left for the real internet. */
  denied?: true
  /** The simulator itself failed. */
  error?: string
  tlsError?: string
}

export type SimServerOptions = Readonly<{
  certificate: Certificate
  sites: readonly Site[]
  port: number
  /** `user:password` that clients must send as proxy credentials. */
  credentials?: string | undefined
  /** Released with the simulator. */
  resources: AsyncDisposable
}>

const LOCAL = '127.0.0.1'

const matchesHost = (pattern: string, host: string): boolean =>
  pattern === host || (pattern.startsWith('*.') && host.slice(host.indexOf('.')) === pattern.slice(1))

/** Ends of a connection that say nothing about certificates. */
const isHangUp = (error: NodeJS.ErrnoException): boolean => error.code === 'ECONNRESET' || error.code === 'EPIPE'

/**
 * An HTTP proxy on loopback that is the whole internet for its clients: it answers CONNECT for the hosts of its sites
 * with TLS of its own, answers plain `http://` requests for them, and refuses and records every other host.
 */
export class Sim implements AsyncDisposable {
  /** Each request in order of arrival. */
  readonly log: SimLogEntry[] = []
  /** Checked in order for each request. */
  readonly faults: Fault[] = []
  state: SimState = {}
  readonly caFile: string
  readonly #options: SimServerOptions
  readonly #proxy: http.Server
  readonly #inner: http.Server
  readonly #secureContext: tls.SecureContext
  readonly #sockets = new Set<Duplex>()
  /** What a tunnelled connection was opened for: `https://host`. */
  readonly #origins = new WeakMap<Duplex, string>()

  constructor(options: SimServerOptions) {
    this.#options = options
    this.caFile = options.certificate.caFile
    const { key, cert } = options.certificate
    this.#secureContext = tls.createSecureContext({ key, cert })
    const listener = (request: IncomingMessage, response: ServerResponse) => void this.#handle(request, response)
    this.#inner = http.createServer(listener)
    this.#proxy = http.createServer(listener)
    this.#proxy.on('connection', (socket) => this.#track(socket))
    this.#proxy.on('connect', (request, socket, head) => this.#connect(request, socket, head))
  }

  /** The proxy's address. */
  get url(): string {
    return `http://${LOCAL}:${(this.#proxy.address() as AddressInfo).port}`
  }

  async listen(): Promise<this> {
    this.#proxy.listen(this.#options.port, LOCAL)
    await once(this.#proxy, 'listening')
    return this
  }

  /** Environment for a plain child process; yt-dlp needs `--compat-options no-certifi` besides. */
  env(): Record<string, string> {
    const direct = `${LOCAL},localhost,::1`
    return {
      ...{ HTTP_PROXY: this.url, HTTPS_PROXY: this.url, http_proxy: this.url, https_proxy: this.url },
      ...{ NO_PROXY: direct, no_proxy: direct },
      ...{ SSL_CERT_FILE: this.caFile, REQUESTS_CA_BUNDLE: this.caFile, CURL_CA_BUNDLE: this.caFile },
      NODE_EXTRA_CA_CERTS: this.caFile,
    }
  }

  /** Log entries that a test must not have caused: unknown hosts or routes, failures of the simulator or of TLS. */
  problems(): SimLogEntry[] {
    return this.log.filter((entry) => entry.unmatched ?? entry.denied ?? entry.error ?? entry.tlsError)
  }

  /** Empties log, faults and state, and starts live streams anew. */
  reset(): void {
    this.log.length = 0
    this.faults.length = 0
    this.state = {}
    for (const site of this.#options.sites) site.reset?.()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#proxy, 'close')
    this.#proxy.close()
    this.#inner.close()
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all([closed, this.#options.resources[Symbol.asyncDispose]()])
  }

  #track(socket: Duplex): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
  }

  #knows(host: string): boolean {
    return this.#options.sites.some((site) => site.hosts.some((pattern) => matchesHost(pattern, host)))
  }

  #mayPass(request: IncomingMessage): boolean {
    const { credentials } = this.#options
    if (credentials === undefined) return true
    return request.headers['proxy-authorization'] === `Basic ${Buffer.from(credentials).toString('base64')}`
  }

  #connect(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const [host = '', port = ''] = (request.url ?? '').split(':')
    socket.on('error', () => socket.destroy())
    const refuse = (status: string) =>
      socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    if (!this.#mayPass(request)) {
      refuse('407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="sim"')
      return
    }
    if (!this.#knows(host)) {
      this.log.push({ at: Date.now(), host, url: `https://${request.url}`, denied: true })
      refuse('502 Not simulated')
      return
    }
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    if (head.length > 0) socket.unshift(head)
    if (port === '80') {
      this.#origins.set(socket, `http://${host}`)
      this.#inner.emit('connection', socket)
      return
    }
    const secureContext = this.#secureContext
    const secured = new tls.TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] })
    this.#track(secured)
    this.#origins.set(secured, `https://${host}`)
    secured.on('error', (error) => {
      if (!isHangUp(error)) this.log.push({ at: Date.now(), host, tlsError: error.message })
    })
    this.#inner.emit('connection', secured)
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const origin = this.#origins.get(request.socket)
    const target = request.url ?? '/'
    const url = URL.parse(target, origin ?? this.url)
    const entry: SimLogEntry = { at: Date.now(), host: url?.hostname ?? '' }
    this.log.push(entry)
    response.on('close', () => {
      entry.status = response.statusCode
      entry.ms = Date.now() - entry.at
      if (!response.writableFinished) entry.aborted = true
    })
    try {
      if (url) await this.#answer(request, response, { url, entry })
      else response.writeHead(400).end()
    } catch (error) {
      if (response.destroyed || request.destroyed) return
      entry.error = error instanceof Error ? (error.stack ?? error.message) : String(error)
      if (response.headersSent) response.destroy()
      else response.writeHead(500).end()
    }
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    { url, entry }: Readonly<{ url: URL; entry: SimLogEntry }>,
  ): Promise<void> {
    const { range, cookie } = request.headers
    const userAgent = request.headers['user-agent']
    Object.assign(entry, { method: request.method, url: url.href, range, cookie, userAgent })
    const body = await readBody(request)
    const exchange = new Exchange(request, response, { url, body, state: this.state })
    if (url.hostname === LOCAL && url.pathname.startsWith('/__sim/')) {
      this.#control(exchange)
      return
    }
    if (!this.#origins.has(request.socket) && !this.#mayPass(request)) {
      exchange.send(407, '', 'text/plain', { 'proxy-authenticate': 'Basic realm="sim"' })
      return
    }
    if (await this.#inject(exchange)) return
    for (const site of this.#options.sites) {
      if (site.hosts.some((pattern) => matchesHost(pattern, url.hostname)) && (await dispatch(site, exchange))) return
    }
    entry[this.#knows(url.hostname) ? 'unmatched' : 'denied'] = true
    exchange.send(404, 'no route of the simulator')
  }

  /** Applies the faults; true when one of them has answered. */
  async #inject(exchange: Exchange): Promise<boolean> {
    for (const fault of this.faults) {
      if (fault.times === 0 || !new RegExp(fault.match).test(exchange.url.href)) continue
      if (fault.times !== undefined && fault.times > 0) fault.times -= 1
      if (fault.delay) await sleep(fault.delay)
      if (fault.reset) {
        exchange.request.socket.destroy()
        return true
      }
      if (fault.status) return exchange.send(fault.status, fault.body ?? '', fault.type ?? 'text/html', fault.headers)
    }
    return false
  }

  /** `/__sim/…`: the same controls for other processes. */
  #control(exchange: Exchange): boolean {
    switch (exchange.path.slice('/__sim/'.length)) {
      case 'log':
        return exchange.json(this.log)
      case 'problems':
        return exchange.json(this.problems())
      case 'reset':
        this.reset()
        return exchange.json({})
      case 'fault':
        this.faults.push(exchange.jsonBody as Fault)
        return exchange.json(this.faults)
      case 'state':
        Object.assign(this.state, exchange.jsonBody)
        return exchange.json(this.state)
      case 'env':
        return exchange.json(this.env())
      default:
        return exchange.json({ error: 'no such control' }, 404)
    }
  }
}

/** Gives the request to the first fitting route that answers. */
async function dispatch(site: Site, exchange: Exchange): Promise<boolean> {
  for (const [host, path, handler] of site.routes) {
    const match = path.exec(exchange.path)
    if (!match || (host && !host.test(exchange.host))) continue
    const groups = match.slice(1).map((group) => group ?? '')
    if (await handler(exchange, groups)) return true
  }
  return false
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
