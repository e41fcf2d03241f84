import { once } from 'node:events'
import http from 'node:http'
import { waitFor } from './wait-for.ts'

export type SseEvent = Readonly<{ type: string; id: string | null; data: Record<string, unknown> }>

/** A client of server-sent events. Use with `using`. */
export class SseClient implements Disposable {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly events: SseEvent[] = []
  /** Everything that came, as it came. */
  raw = ''
  isOver = false
  readonly #response: http.IncomingMessage

  private constructor(response: http.IncomingMessage) {
    this.#response = response
    this.status = response.statusCode ?? 0
    this.headers = response.headers
    let rest = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      this.raw += chunk
      const blocks = (rest + chunk).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) this.#take(block)
    })
    response.on('close', () => {
      this.isOver = true
    })
    response.on('error', () => undefined) // it was cut off; `close` follows
  }

  /** Resolves when the head of the answer is there. */
  static async open(
    url: string,
    key: string | null,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<SseClient> {
    const request = http.get(url, {
      agent: false,
      headers: { ...(key === null ? {} : { 'X-API-Key': key }), ...headers },
    })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    request.on('error', () => undefined)
    return new SseClient(response)
  }

  /** Whether the server ended the stream in good order. */
  get isWhole(): boolean {
    return this.#response.complete
  }

  get lastId(): string {
    return this.events.findLast(({ id }) => id !== null)?.id ?? ''
  }

  /** The events `task` so far, as `<task id> <state>`. */
  get changes(): string[] {
    return this.events
      .filter(({ type }) => type === 'task')
      .map(({ data }) => `${String(data['task_id'])} ${String(data['state'])}`)
  }

  until(what: string, look: (client: this) => boolean, timeoutMs?: number): Promise<unknown> {
    return waitFor(what, () => look(this), timeoutMs)
  }

  /** Takes nothing more until `resume`. */
  pause(): void {
    this.#response.pause()
  }

  resume(): void {
    this.#response.resume()
  }

  [Symbol.dispose](): void {
    this.#response.destroy()
  }

  #take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line): [string, string] => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon), line.slice(colon + 1).trimStart()]
      }),
    )
    const data = fields.get('data')
    if (data === undefined) return
    this.events.push({
      type: fields.get('event') ?? 'message',
      id: fields.get('id') ?? null,
      data: JSON.parse(data) as Record<string, unknown>,
    })
  }
}
