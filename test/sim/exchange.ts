import { createReadStream, statSync } from 'node:fs'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { readRange } from './byte-range.ts'

/** What a test may change while the simulator runs. */
export type SimState = {
  /** Bytes a second of each YouTube media download; 0 or absent = unlimited. */
  bps?: number
  /** Ends all YouTube live streams. */
  liveEnded?: boolean
  /** Gives YouTube's `web` client plain URLs too. */
  webFormats?: boolean
}

export type Handler = (exchange: Exchange, groups: readonly string[]) => Promise<boolean> | boolean

/** Host pattern, path pattern and what answers; `groups` are the captures of the path pattern. */
export type Route = readonly [host: RegExp | null, path: RegExp, handler: Handler]

export interface Site {
  /** Exact host names, or `*.example.com` for one level of subdomains. */
  readonly hosts: readonly string[]
  readonly routes: readonly Route[]
  reset?(): void
}

const MODIFIED = 'Mon, 02 Nov 2026 10:00:00 GMT'

async function* throttled(source: AsyncIterable<Buffer>, bps: number): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    yield chunk
    await sleep((chunk.length / bps) * 1000)
  }
}

/** One request and the ways to answer it; every way returns true, so a handler can `return` it. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  readonly body: Buffer
  readonly state: SimState

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    from: Readonly<{ url: URL; body: Buffer; state: SimState }>,
  ) {
    this.request = request
    this.response = response
    this.url = from.url
    this.body = from.body
    this.state = from.state
  }

  get host(): string {
    return this.url.hostname
  }

  get path(): string {
    return this.url.pathname
  }

  get query(): URLSearchParams {
    return this.url.searchParams
  }

  /** The body as a JSON object; an empty one when it is none. */
  get jsonBody(): Record<string, unknown> {
    try {
      const value: unknown = JSON.parse(this.body.toString())
      return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
    } catch {
      return {} // a site answers nonsense with its usual "not found", which the callers do for an empty object
    }
  }

  send(status: number, body: string | Buffer, type = 'text/plain', headers: OutgoingHttpHeaders = {}): boolean {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    this.response.writeHead(status, { 'content-type': type, 'content-length': bytes.length, ...headers })
    this.response.end(this.request.method === 'HEAD' ? undefined : bytes)
    return true
  }

  json(value: unknown, status = 200, headers: OutgoingHttpHeaders = {}): boolean {
    return this.send(status, JSON.stringify(value), 'application/json; charset=utf-8', headers)
  }

  html(text: string, status = 200, headers: OutgoingHttpHeaders = {}): boolean {
    return this.send(status, text, 'text/html; charset=utf-8', headers)
  }

  hls(text: string): boolean {
    return this.send(200, text, 'application/vnd.apple.mpegurl')
  }

  redirect(to: string): boolean {
    return this.send(302, '', 'text/html', { location: to })
  }

  /** A file with byte ranges; `bps` bytes a second at most when above 0. */
  async file(path: string, type: string, bps = 0): Promise<boolean> {
    const size = statSync(path).size
    // YouTube's media hosts also take the range as a query parameter, and answer that with a plain 200.
    const header = this.request.headers.range
    const asked = this.query.get('range')
    const range = readRange(header ?? (asked === null ? undefined : `bytes=${asked}`), size)
    if (range === 'outside') return this.send(416, '', 'text/plain', { 'content-range': `bytes */${size}` })
    const { start, end } = range === 'all' ? { start: 0, end: size - 1 } : range
    const isPartial = range !== 'all' && header !== undefined
    this.response.writeHead(isPartial ? 206 : 200, {
      'content-type': type,
      'content-length': end - start + 1,
      'accept-ranges': 'bytes',
      'last-modified': MODIFIED,
      ...(isPartial ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
    })
    if (this.request.method === 'HEAD') {
      this.response.end()
      return true
    }
    const step = bps > 0 ? Math.max(1024, Math.floor(bps / 10)) : 65_536
    const bytes = createReadStream(path, { start, end, highWaterMark: step })
    try {
      await pipeline(bps > 0 ? throttled(bytes, bps) : bytes, this.response)
    } catch (error) {
      // A client may leave whenever it likes: that is an aborted request in the log, not a fault of the simulator.
      if (!this.response.destroyed) throw error
    }
    return true
  }
}
