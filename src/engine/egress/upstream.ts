import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { isNativeError } from 'node:util/types'
import { SocksClient } from 'socks'
import { ConnectError, dial } from './dial.ts'
import { EgressError } from './error.ts'
import { wrapOrigin, type BufferPool, type Origin } from './origin.ts'
import { lookupAddresses, resolveName } from './resolve.ts'
import { HeadReader, parseResponseHead } from './response-head.ts'
import { authorityOf, hostOfUrl, type Target } from './target.ts'

/** The operator's proxy, as PROXY_URL names it. */
export type Upstream = Readonly<{
  kind: 'http' | 'https' | 'socks'
  host: string
  port: number
  username: string
  password: string
}>

/** The operator's proxy, and how it is connected to. */
export type UpstreamContext = Readonly<{
  upstream: Upstream
  /** PEM certificates to trust for an https upstream; null = the defaults of Node. */
  ca: string | null
  timeoutMs: number
  buffers: BufferPool
}>

const KINDS = new Map<string, readonly [kind: Upstream['kind'], port: number]>([
  ['http:', ['http', 80]],
  ['https:', ['https', 443]],
  ['socks5:', ['socks', 1_080]],
  ['socks5h:', ['socks', 1_080]],
])

/** Reads PROXY_URL. Throws EgressError without repeating the URL, for it may hold a password. */
export function parseUpstream(text: string): Upstream {
  const url = URL.parse(text)
  const kind = KINDS.get(url?.protocol ?? '')
  const host = url === null ? null : hostOfUrl(url)
  if (url === null || kind === undefined || host === null) {
    throw new EgressError('PROXY_URL must be an http://, https://, socks5:// or socks5h:// URL')
  }
  return {
    kind: kind[0],
    host,
    port: url.port === '' ? kind[1] : Number(url.port),
    username: decoded(url.username),
    password: decoded(url.password),
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // The fault's own text would tell nothing more, and names no setting.
    throw new EgressError('PROXY_URL has a % in its user or password that begins no code: write %25 for it')
  }
}

/** The value of Proxy-Authorization that the upstream asks for; null when it has no credentials. */
export function upstreamAuthorization({ username, password }: Upstream): string | null {
  if (username === '' && password === '') return null
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/**
 * A connection for plain requests: to an http(s) upstream itself, which reads absolute-form requests (many refuse CONNECT
 * to port 80); through a SOCKS upstream to the target. Rejects with `ConnectError`.
 */
export async function connectUpstreamPlain(
  context: UpstreamContext,
  target: Target,
  signal: AbortSignal,
): Promise<Origin> {
  if (context.upstream.kind === 'socks') return connectSocks(context, target)
  return connectHttpUpstream(context, signal)
}

/** A connection whose bytes reach the target untouched. Rejects with `ConnectError`. */
export async function connectUpstreamTunnel(
  context: UpstreamContext,
  target: Target,
  signal: AbortSignal,
): Promise<Origin> {
  if (context.upstream.kind === 'socks') return connectSocks(context, target)
  const origin = await connectHttpUpstream(context, signal)
  try {
    await openHttpTunnel(origin, target, context)
    return origin
  } catch (error) {
    origin.socket.destroy()
    throw error
  }
}

async function connectHttpUpstream(context: UpstreamContext, signal: AbortSignal): Promise<Origin> {
  const { upstream, timeoutMs, buffers } = context
  if (upstream.kind === 'http') {
    const addresses = await resolveName(lookupAddresses, upstream.host)
    return dial({ addresses, port: upstream.port, timeoutMs, signal, buffers })
  }
  const socket = connectTls({
    host: upstream.host,
    port: upstream.port,
    // A server name must not be an address.
    ...(/^[\d.]+$|:/.test(upstream.host) ? {} : { servername: upstream.host }),
    ...(context.ca === null ? {} : { ca: context.ca }),
  })
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) })
  } catch (error) {
    socket.destroy()
    throw unreachable(error, signal)
  }
  keepQuiet(socket)
  socket.setNoDelay(true)
  return wrapOrigin(socket)
}

async function connectSocks({ upstream, timeoutMs }: UpstreamContext, target: Target): Promise<Origin> {
  const { host, port, username, password } = upstream
  const hasCredentials = username !== '' || password !== ''
  try {
    const { socket } = await SocksClient.createConnection({
      proxy: { host, port, type: 5, ...(hasCredentials ? { userId: username, password } : {}) },
      command: 'connect',
      destination: { host: target.host, port: target.port },
      timeout: timeoutMs,
      set_tcp_nodelay: true,
    })
    keepQuiet(socket)
    const origin = wrapOrigin(socket)
    // The library sets the socket flowing once more at the end of this turn.
    await setImmediate()
    socket.pause()
    if (socket.destroyed) throw new Error('the connection closed at once')
    return origin
  } catch (error) {
    // The library's error carries the credentials: only its text goes on.
    throw unreachable(isNativeError(error) ? new Error(error.message) : error, null)
  }
}

async function openHttpTunnel(origin: Origin, target: Target, context: UpstreamContext): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const reader = new HeadReader()
  const onClose = (): void => reject(new ConnectError('connect', 'the upstream proxy closed the connection'))
  const timer = setTimeout(() => reject(new ConnectError('timeout', 'no answer in time')), context.timeoutMs)
  origin.socket.once('close', onClose)
  origin.start((chunk) => {
    try {
      const head = reader.push(chunk)
      if (head === null) return true
      const { status } = parseResponseHead(head.text)
      origin.unread(head.rest)
      if (status >= 200 && status < 300) resolve()
      else reject(new ConnectError('connect', `the upstream proxy answered ${status}`))
    } catch (error) {
      reject(unreachable(error, null))
    }
    return false
  })
  const authority = authorityOf(target)
  const authorization = upstreamAuthorization(context.upstream)
  const credentials = authorization === null ? '' : `Proxy-Authorization: ${authorization}\r\n`
  origin.socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`)
  try {
    await promise
  } finally {
    clearTimeout(timer)
    origin.socket.off('close', onClose)
  }
}

function unreachable(error: unknown, signal: AbortSignal | null): ConnectError {
  const isTimeout = isNativeError(error) && (error.name === 'TimeoutError' || error.name === 'AbortError')
  if (isTimeout && signal?.aborted !== true) return new ConnectError('timeout', 'no answer in time')
  const detail = isNativeError(error) ? error.message : 'unknown error'
  return new ConnectError('connect', `the upstream proxy failed: ${detail}`, { cause: error })
}

/** What a socket dies of is told by its `close`; without a listener an error would end the process. */
function keepQuiet(socket: Socket): void {
  socket.on('error', () => undefined)
}
