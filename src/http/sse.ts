import type { Response } from 'express'

/** Bytes that wait for a slow reader: above the first it is told nothing that is only of the moment, above the second nothing. */
const BUSY_BYTES = 64 * 1024
const FULL_BYTES = 256 * 1024

/** Beats in a row at which something waited for the reader: then it is not there any more. */
const MAX_SILENT_BEATS = 4

/** How long a client waits before it comes back, in milliseconds. */
const RETRY_MS = 3_000

/** A stream of server-sent events (WHATWG HTML §9.2) over one answer. It never waits, and never keeps more than a bound. */
export class SseStream {
  readonly #res: Response
  #silentBeats = 0
  #waiting: (() => void) | null = null

  /** Sends the head. `onClose` is called once, when the stream is over, whoever ended it. */
  constructor(res: Response, onClose: () => void) {
    this.#res = res
    const wake = () => {
      this.#waiting?.()
      this.#waiting = null
    }
    res.on('drain', wake)
    res.once('close', () => {
      wake()
      onClose()
    })
    res.on('error', () => undefined) // the client is gone; `close` follows
    res.status(200)
    res.setHeader('Content-Type', 'text/event-stream')
    res.setHeader('Cache-Control', 'no-store')
    res.setHeader('X-Accel-Buffering', 'no') // or nginx would keep events back
    res.write(`retry: ${RETRY_MS}\n\n`)
  }

  get isOpen(): boolean {
    return !this.#res.writableEnded && !this.#res.destroyed
  }

  /** Sends whole events. False, and nothing was sent, when the reader has too much to catch up with. */
  send(events: string | Buffer): boolean {
    if (!this.isOpen || this.#res.writableLength > FULL_BYTES) return false
    this.#res.write(events)
    return true
  }

  /** Sends what can as well be left out. */
  sendIfIdle(events: string | Buffer): void {
    if (this.isOpen && this.#res.writableLength <= BUSY_BYTES) this.#res.write(events)
  }

  /** Resolves when the reader has taken what was sent, or is gone. */
  async drained(): Promise<void> {
    if (!this.isOpen || !this.#res.writableNeedDrain) return
    await new Promise<void>((resolve) => {
      this.#waiting = resolve
    })
  }

  /** To be called at steady times: keeps the connection up, and gives up a reader that takes nothing. */
  beat(): void {
    this.#silentBeats = this.#res.writableLength > 0 ? this.#silentBeats + 1 : 0
    if (this.#silentBeats >= MAX_SILENT_BEATS) this.#res.destroy()
    else this.sendIfIdle(':\n\n')
  }

  /** Ends it in good order; a reader that does not take the rest is cut off at the next beats. */
  end(): void {
    if (this.isOpen) this.#res.end()
  }
}
