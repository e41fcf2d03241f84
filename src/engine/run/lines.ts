import { StringDecoder } from 'node:string_decoder'
import type { Readable } from 'node:stream'

/** Cuts a stream of bytes into lines of at most `maxChars`; the rest of a longer one follows as a line of its own. */
export class LineSplitter {
  readonly #separator: RegExp
  readonly #maxChars: number
  readonly #onLine: (line: string) => void
  readonly #decoder = new StringDecoder('utf8')
  readonly #parts: string[] = []
  #length = 0

  constructor(separator: RegExp, maxChars: number, onLine: (line: string) => void) {
    this.#separator = separator
    this.#maxChars = maxChars
    this.#onLine = onLine
  }

  /** Resolves at the end of the stream; a stream that breaks off ends there. Rejects with what the callback throws. */
  async consume(stream: Readable): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const finish = () => {
      try {
        this.#feed(this.#decoder.end())
        if (this.#length > 0) this.#flush()
        resolve()
      } catch (error) {
        reject(error)
      }
    }
    stream.on('data', (chunk: Buffer) => {
      try {
        this.#feed(this.#decoder.write(chunk))
      } catch (error) {
        stream.removeAllListeners('data').resume()
        reject(error)
      }
    })
    stream.once('end', finish)
    stream.once('close', finish)
    stream.on('error', finish)
    if (stream.destroyed) finish()
    return promise
  }

  #feed(text: string): void {
    const lines = text.split(this.#separator)
    const last = lines.pop() ?? ''
    for (const line of lines) {
      this.#add(line)
      this.#flush()
    }
    this.#add(last)
  }

  #add(text: string): void {
    let rest = text
    while (this.#length + rest.length > this.#maxChars) {
      const room = this.#maxChars - this.#length
      this.#push(rest.slice(0, room))
      this.#flush()
      rest = rest.slice(room)
    }
    this.#push(rest)
  }

  #push(text: string): void {
    if (text === '') return
    this.#parts.push(text)
    this.#length += text.length
  }

  #flush(): void {
    const line = this.#parts.join('')
    this.#parts.length = 0
    this.#length = 0
    this.#onLine(line)
  }
}

/** Keeps the end of a text. */
export class Tail {
  readonly #maxChars: number
  #text = ''

  constructor(maxChars: number) {
    this.#maxChars = maxChars
  }

  add(text: string): void {
    this.#text += text
    if (this.#text.length > 2 * this.#maxChars) this.#text = this.text
  }

  get text(): string {
    return this.#text.slice(-this.#maxChars)
  }
}
