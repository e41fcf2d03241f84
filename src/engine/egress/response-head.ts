/** The start of an HTTP/1 response: status line and headers, as they were sent. */
export type ResponseHead = Readonly<{
  status: number
  reason: string
  headers: readonly (readonly [name: string, value: string])[]
}>

/** How the end of a body is told. */
export type Framing =
  | Readonly<{ kind: 'none' }>
  | Readonly<{ kind: 'length'; bytes: number }>
  | Readonly<{ kind: 'chunked' }>
  | Readonly<{ kind: 'until-close' }>

/** A longer head is refused. */
export const MAX_HEAD_BYTES = 64 * 1_024

const STATUS_LINE = /^HTTP\/1\.[01] ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)$/

/** Collects bytes until the empty line. */
export class HeadReader {
  #pending: Buffer = Buffer.alloc(0)

  /** The text of the head without its empty line, and the bytes after it; null while it is not complete. */
  push(chunk: Buffer): Readonly<{ text: string; rest: Buffer }> | null {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const end = bytes.indexOf('\r\n\r\n')
    if (end > MAX_HEAD_BYTES || (end === -1 && bytes.length > MAX_HEAD_BYTES)) {
      throw new Error('the response head is too long')
    }
    if (end === -1) {
      this.#pending = Buffer.from(bytes)
      return null
    }
    this.#pending = Buffer.alloc(0)
    return { text: bytes.toString('latin1', 0, end), rest: bytes.subarray(end + 4) }
  }
}

/** Throws on anything RFC 9112 does not allow: folded lines, bare line feeds, control characters, odd names. */
export function parseResponseHead(text: string): ResponseHead {
  const [first = '', ...lines] = text.split('\r\n')
  const status = STATUS_LINE.exec(first)
  if (status === null) throw new Error('the response does not begin with a status line')
  const headers = lines.map((line) => {
    const match = HEADER_LINE.exec(line)
    if (match === null) throw new Error('the response has a malformed header')
    return [match[1] ?? '', withoutBlanks(match[2] ?? '')] as const
  })
  return { status: Number(status[1]), reason: status[2] ?? '', headers }
}

/** Without the blanks and tabs around it. No pattern does that in time that grows with the length alone. */
function withoutBlanks(text: string): string {
  const isBlank = (at: number): boolean => text[at] === ' ' || text[at] === '\t'
  let start = 0
  let end = text.length
  while (start < end && isBlank(start)) start += 1
  while (end > start && isBlank(end - 1)) end -= 1
  return text.slice(start, end)
}

/** Throws where the length of the body can be read in two ways (RFC 9112 §6.3). */
export function framingOf(head: ResponseHead, method: string): Framing {
  const values = (wanted: string): string[] =>
    head.headers
      .filter(([name]) => name.toLowerCase() === wanted)
      .flatMap(([, value]) => value.split(',').map((each) => each.trim()))
  const encodings = values('transfer-encoding')
  const lengths = new Set(values('content-length'))
  if (encodings.length > 0 && lengths.size > 0) throw new Error('the response gives two lengths')
  if (lengths.size > 1) throw new Error('the response gives two lengths')
  const [length] = lengths
  if (length !== undefined && !/^\d{1,15}$/.test(length)) throw new Error('the response gives a malformed length')
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return { kind: 'none' }
  if (encodings.length > 0) {
    if (encodings.join() !== 'chunked' && encodings.join().toLowerCase() !== 'chunked') {
      throw new Error('the response uses an unknown transfer encoding')
    }
    return { kind: 'chunked' }
  }
  return length === undefined ? { kind: 'until-close' } : { kind: 'length', bytes: Number(length) }
}
