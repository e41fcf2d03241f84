type State = 'size' | 'data' | 'data-end' | 'trailer' | 'done'

const MAX_LINE_BYTES = 4_096
const MAX_TRAILER_BYTES = 16_384

/** Takes the chunked transfer coding off a body (RFC 9112 §7.1). Extensions and trailers are read and dropped. */
export class ChunkedDecoder {
  #state: State = 'size'
  #left = 0
  #line = ''
  #trailerBytes = 0

  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** The pieces of content in `bytes`, not copied. Bytes after the end are ignored. Throws on a broken coding. */
  decode(bytes: Buffer): readonly Buffer[] {
    const pieces: Buffer[] = []
    let at = 0
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const piece = bytes.subarray(at, at + this.#left)
        pieces.push(piece)
        at += piece.length
        this.#left -= piece.length
        if (this.#left === 0) this.#state = 'data-end'
      } else {
        const end = bytes.indexOf(10, at)
        this.#addToLine(bytes.toString('latin1', at, end === -1 ? bytes.length : end))
        at = end === -1 ? bytes.length : end + 1
        if (end !== -1) this.#endLine()
      }
    }
    return pieces
  }

  #addToLine(text: string): void {
    this.#line += text
    if (this.#line.length > MAX_LINE_BYTES) throw new Error('a line of the chunked coding is too long')
  }

  #endLine(): void {
    if (!this.#line.endsWith('\r')) throw new Error('a line of the chunked coding has a bare line feed')
    const line = this.#line.slice(0, -1)
    this.#line = ''
    if (this.#state === 'size') {
      const size = /^([0-9A-Fa-f]{1,12})[\t ]*(?:;[^\r]*)?$/.exec(line)?.[1]
      if (size === undefined) throw new Error('the chunked coding has a malformed size')
      this.#left = Number.parseInt(size, 16)
      this.#state = this.#left === 0 ? 'trailer' : 'data'
    } else if (this.#state === 'data-end') {
      if (line !== '') throw new Error('a chunk is longer than its size')
      this.#state = 'size'
    } else if (line === '') {
      this.#state = 'done'
    } else {
      this.#trailerBytes += line.length
      if (this.#trailerBytes > MAX_TRAILER_BYTES) throw new Error('the trailer is too long')
    }
  }
}
