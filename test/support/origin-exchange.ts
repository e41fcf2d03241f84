import { once } from 'node:events'
import { createReadStream, statSync } from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import { readRange } from '../sim/byte-range.ts'

export type OriginLogEntry = {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly method: string
  /** Path and query as asked. */
  readonly url: string
  readonly path: string
  readonly range: string | null
  readonly headers: IncomingHttpHeaders
  /** Body of a request to `/sink`. */
  body: string | null
  status: number
  /** Bytes of the answer's body that were handed to the network. */
  bytesSent: number
  /** The client left before the answer was complete, or a switch cut it. */
  aborted: boolean
  /** Set once the exchange is over. */
  ms: number | null
}

export type OriginHandler = (exchange: OriginExchange, groups: readonly string[]) => Promise<void> | void
export type OriginRoute = readonly [path: RegExp, handler: OriginHandler]

/** What a switchable answer is made of: a file or bytes, and another one for `change`. */
export type Content = Readonly<{ source: string | Buffer; type: string; name: string; changed?: string }>

const DATES = ['Mon, 02 Nov 2026 10:00:00 GMT', 'Tue, 03 Nov 2026 10:00:00 GMT'] as const
const CHUNK_BYTES = 65_536

/** An absolute position in the file: `0.54` of it, or a number of bytes. */
const positionOf = (text: string, size: number): number =>
  text.includes('.') ? Math.floor(Number(text) * size) : Number(text)

type Span = Readonly<{ start: number; end: number; partial: boolean }>
type Cut = Readonly<{ kind: 'truncate' | 'reset' | 'stall'; at: number }>

/** One request to the origin and the ways to answer it. */
export class OriginExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  readonly entry: OriginLogEntry
  /** How many times this very path and query have been asked for, this one included. */
  readonly count: number

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    from: Readonly<{ url: URL; entry: OriginLogEntry; count: number }>,
  ) {
    this.request = request
    this.response = response
    this.url = from.url
    this.entry = from.entry
    this.count = from.count
  }

  get query(): URLSearchParams {
    return this.url.searchParams
  }

  /** Whether the failure switches still apply: for the first `times` requests, or always. */
  get failing(): boolean {
    return this.count <= Number(this.query.get('times') ?? Infinity)
  }

  send(
    status: number,
    body: string | Buffer,
    type = 'text/plain; charset=utf-8',
    headers: OutgoingHttpHeaders = {},
  ): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    this.response.writeHead(status, { 'content-type': type, 'content-length': bytes.length, ...headers })
    if (this.request.method === 'HEAD') {
      this.response.end()
      return
    }
    this.entry.bytesSent += bytes.length
    this.response.end(bytes)
  }

  /** Writes pieces as fast as the client reads them, or at `bps` bytes a second; stops quietly when it leaves. */
  async pump(pieces: Iterable<Buffer> | AsyncIterable<Buffer>, bps = 0): Promise<void> {
    const { response } = this
    const closed = new AbortController()
    response.once('close', () => closed.abort())
    try {
      for await (const piece of pieces) {
        if (response.destroyed) return
        this.entry.bytesSent += piece.length
        if (!response.write(piece)) await once(response, 'drain', { signal: closed.signal })
        if (bps > 0) await sleep((piece.length / bps) * 1000, undefined, { signal: closed.signal })
      }
    } catch (error) {
      if (!closed.signal.aborted) throw error
    }
  }

  /** Answers with a file or bytes under the switches of the query (see origin.ts). */
  async serve(content: Content): Promise<void> {
    const status = Number(this.query.get('status') ?? 0)
    if (status > 0 && this.failing) {
      this.send(status, `status ${status} as asked`)
      return
    }
    const hasChanged = this.query.has('change') && this.count > Number(this.query.get('change') || 1)
    const source = hasChanged && content.changed !== undefined ? content.changed : content.source
    const size = typeof source === 'string' ? statSync(source).size : source.length
    const headers = this.#headers(content, size, hasChanged)
    const span = this.#chooseSpan(size, headers)
    if (!span) {
      this.send(416, '', 'text/plain', { 'content-range': `bytes */${size}` })
      return
    }
    this.#writeHead(span, size, headers)
    if (this.request.method === 'HEAD') this.response.end()
    else await this.#body(source, span, size)
  }

  #headers(content: Content, size: number, hasChanged: boolean): OutgoingHttpHeaders {
    const { query } = this
    const tag = query.get('etag') ?? `${content.name}-${size}`
    const disposition = query.get('disposition')
    return {
      'content-type': query.get('type') ?? content.type,
      'last-modified': DATES[hasChanged ? 1 : 0],
      ...(tag === '' ? {} : { etag: `"${tag}"` }),
      ...(disposition === null ? {} : { 'content-disposition': disposition }),
    }
  }

  get #announcesLength(): boolean {
    return !this.query.has('nolength') && !this.query.has('close')
  }

  #chooseSpan(size: number, headers: OutgoingHttpHeaders): Span | null {
    const { query } = this
    const condition = this.request.headers['if-range']
    const isStale = condition && condition !== headers['etag'] && condition !== headers['last-modified']
    const ignores = query.has('norange') || !this.#announcesLength
    const range = readRange(isStale || ignores ? undefined : this.request.headers.range, size)
    if (range === 'outside') return null
    return range === 'all' ? { start: 0, end: size - 1, partial: false } : { ...range, partial: true }
  }

  #writeHead({ start, end, partial }: Span, size: number, headers: OutgoingHttpHeaders): void {
    const { response, query } = this
    const hasLength = this.#announcesLength
    if (query.has('close')) {
      // Neither a length nor chunks: the end of the connection is the end of the body.
      response.useChunkedEncodingByDefault = false
      response.shouldKeepAlive = false
      response.removeHeader('transfer-encoding')
    }
    response.writeHead(partial ? 206 : 200, {
      ...headers,
      ...(hasLength ? { 'content-length': end - start + 1 } : {}),
      ...(hasLength && !query.has('norange') ? { 'accept-ranges': 'bytes' } : {}),
      ...(partial ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
    })
  }

  #chooseCut(size: number): Cut | null {
    if (!this.failing) return null
    for (const kind of ['truncate', 'reset', 'stall'] as const) {
      const text = this.query.get(kind)
      if (text !== null) return { kind, at: positionOf(text, size) }
    }
    return null
  }

  async #body(source: string | Buffer, { start, end }: Span, size: number): Promise<void> {
    const cut = this.#chooseCut(size)
    const stop = cut ? Math.min(end, cut.at - 1) : end
    if (stop >= start) {
      const bps = Number(this.query.get('bps') ?? 0)
      const step = bps > 0 ? Math.min(CHUNK_BYTES, Math.max(256, Math.floor(bps / 10))) : CHUNK_BYTES
      const pieces =
        typeof source === 'string'
          ? (createReadStream(source, { start, end: stop, highWaterMark: step }) as AsyncIterable<Buffer>)
          : slices(source.subarray(start, stop + 1), step)
      await this.pump(pieces, bps)
    }
    if (!cut || stop === end) this.response.end()
    else await this.#cutOff(cut.kind)
  }

  /** Ends the answer as the switch says, after everything before it has left. */
  async #cutOff(kind: Cut['kind']): Promise<void> {
    const { response } = this
    const { socket } = response
    if (!socket || response.destroyed) return
    if (kind === 'truncate' && !this.#announcesLength) {
      response.end()
      return
    }
    this.entry.aborted = true
    response.flushHeaders()
    await new Promise<void>((resolve) => socket.write('', () => resolve()))
    if (kind === 'truncate') socket.end()
    else if (kind === 'reset' && !(socket instanceof TLSSocket)) socket.resetAndDestroy()
    else if (kind === 'reset') socket.destroy()
  }
}

function* slices(bytes: Buffer, step: number): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += step) yield bytes.subarray(start, start + step)
}

/** `count` pieces of `piece`, one after another. */
export function repeat(piece: Buffer, count: number): AsyncIterable<Buffer> {
  return Readable.from(
    (function* () {
      for (let index = 0; index < count; index += 1) yield piece
    })(),
  )
}
