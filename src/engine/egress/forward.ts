import type { IncomingMessage, ServerResponse } from 'node:http'
import { isNativeError } from 'node:util/types'
import { ChunkedDecoder } from './chunked.ts'
import type { Lane } from './lane.ts'
import { framingOf, HeadReader, parseResponseHead, type Framing, type ResponseHead } from './response-head.ts'
import type { Connection } from './router.ts'
import { authorityOf, type HttpTarget } from './target.ts'

/** A plain request of a client that waits for its answer. */
export type Exchange = Readonly<{
  request: IncomingMessage
  response: ServerResponse
  target: HttpTarget
  lane: Lane
  /** Aborted when the client's connection is gone: a response that waits behind another does not see it. */
  gone: AbortSignal
}>

/** RFC 9110 §7.6.1, and what is between a client and its proxy only. */
const HOP_BY_HOP = new Set([
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Sends a plain http request on and its answer back. Resolves when the answer is complete. Rejects when the origin's
 * answer is broken or cut short; the caller tells the client, by a status if none was sent, else by a cut connection.
 */
export async function forward(exchange: Exchange, { origin, proxyForm }: Connection): Promise<void> {
  const { request, response } = exchange
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const relay = new ResponseRelay(exchange, origin.resume)
  const { socket } = origin
  const onGone = (): void => reject(new Error('the client is gone'))
  exchange.gone.addEventListener('abort', onGone)
  socket.once('close', () => {
    if (socket.readableEnded && relay.endOfInput()) resolve()
    else reject(new Error('the origin cut the connection'))
  })
  socket.once('end', () => socket.destroy())
  socket.write(requestHead(exchange, proxyForm), 'latin1')
  request.pipe(socket, { end: false })
  origin.start((chunk) => {
    try {
      const goOn = relay.take(chunk)
      if (relay.isDone) resolve()
      return goOn
    } catch (error) {
      reject(isNativeError(error) ? error : new Error('the answer is broken'))
      return false
    }
  })
  try {
    await promise
    const flushed = Promise.withResolvers<void>()
    response.once('close', flushed.resolve)
    exchange.gone.addEventListener('abort', () => flushed.resolve())
    response.end()
    if (!exchange.gone.aborted) await flushed.promise
  } finally {
    socket.destroy()
    // What is left of an upload is read and dropped: nobody sees a client leave whose bytes are not read.
    request.unpipe(socket).resume()
  }
}

function requestHead({ request, target }: Exchange, proxyForm: Connection['proxyForm']): string {
  const authority = authorityOf(target, 80)
  const path = proxyForm === null ? target.path : `http://${authority}${target.path}`
  const lines = [`${request.method ?? 'GET'} ${path} HTTP/1.${request.httpVersionMinor}`, `Host: ${authority}`]
  lines.push(...endToEnd(pairs(request.rawHeaders)).map(([name, value]) => `${name}: ${value}`), 'Connection: close')
  if (proxyForm?.authorization) lines.push(`Proxy-Authorization: ${proxyForm.authorization}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

type Header = readonly [name: string, value: string]

function pairs(raw: readonly string[]): readonly Header[] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as const] : []))
}

function endToEnd(headers: readonly Header[]): readonly Header[] {
  const named = headers
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((each) => each.trim().toLowerCase()))
  // A sender that names its length hop-by-hop wants two readings of one body.
  const dropped = new Set(named.filter((name) => name !== 'content-length'))
  return headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return !HOP_BY_HOP.has(lower) && !dropped.has(lower) && !lower.startsWith('x-egress-')
  })
}

/** Turns the bytes of one answer into a call of writeHead and calls of write. */
class ResponseRelay {
  readonly #exchange: Exchange
  readonly #resume: () => void
  readonly #reader = new HeadReader()
  readonly #decoder = new ChunkedDecoder()
  #framing: Framing | null = null
  #left = 0
  isDone = false

  constructor(exchange: Exchange, resume: () => void) {
    this.#exchange = exchange
    this.#resume = resume
  }

  /** True when more may come now; false when `resume` will be called. Throws when the answer is broken. */
  take(chunk: Buffer): boolean {
    if (!this.#exchange.lane.receive(chunk.length)) return false
    let bytes = chunk
    while (this.#framing === null) {
      const head = this.#reader.push(bytes)
      if (head === null) return true
      bytes = head.rest
      this.#readHead(parseResponseHead(head.text))
    }
    return this.#writeAll(this.#contentOf(bytes, this.#framing))
  }

  /** The origin has closed: true when that ends the answer properly. */
  endOfInput(): boolean {
    return this.isDone || this.#framing?.kind === 'until-close'
  }

  #readHead(head: ResponseHead): void {
    if (head.status === 101) throw new Error('the origin switched protocols')
    // Interim answers are for the hop that asked, and nobody asked.
    if (head.status < 200) return
    const { request, response } = this.#exchange
    const framing = framingOf(head, request.method ?? 'GET')
    response.sendDate = false
    response.writeHead(head.status, head.reason, endToEnd(head.headers).flat())
    response.flushHeaders()
    this.#framing = framing
    this.#left = framing.kind === 'length' ? framing.bytes : 0
    this.isDone = framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0)
  }

  #contentOf(bytes: Buffer, framing: Framing): readonly Buffer[] {
    if (this.isDone) return []
    if (framing.kind === 'until-close') return [bytes]
    if (framing.kind === 'chunked') {
      const pieces = this.#decoder.decode(bytes)
      this.isDone = this.#decoder.isDone
      return pieces
    }
    const piece = bytes.subarray(0, this.#left)
    this.#left -= piece.length
    this.isDone = this.#left === 0
    return [piece]
  }

  #writeAll(pieces: readonly Buffer[]): boolean {
    const full = pieces.filter((piece) => piece.length > 0)
    if (full.length === 0) return !this.isDone
    for (const [index, piece] of full.entries()) {
      if (index < full.length - 1) this.#exchange.response.write(piece)
      else this.#exchange.response.write(piece, this.#resume)
    }
    return false
  }
}
