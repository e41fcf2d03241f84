import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { waitFor } from './wait-for.ts'

export type Received = Readonly<{ id: string; body: string; headers: Readonly<Record<string, string>>; path: string }>

/** How a receiver answers its nth message (from 0): with a status, with headers too, or never. */
export type Answering = (n: number) => number | Readonly<{ status: number; headers: Record<string, string> }> | 'never'

/** Takes webhooks on loopback. */
export class Receiver implements AsyncDisposable {
  readonly received: Received[] = []
  answer: Answering
  readonly #server: http.Server

  private constructor(answer: Answering) {
    this.answer = answer
    this.#server = http.createServer((request, response) => {
      void text(request).then((body) => {
        const headers = Object.fromEntries(
          Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        )
        const answering = this.answer(this.received.length)
        this.received.push({ id: headers['webhook-id'] ?? '', body, headers, path: request.url ?? '' })
        if (answering === 'never') return
        if (typeof answering === 'number') response.writeHead(answering).end()
        else response.writeHead(answering.status, answering.headers).end()
      })
    })
  }

  static async start(answer: Answering = () => 204): Promise<Receiver> {
    const receiver = new Receiver(answer)
    await receiver.listen(0)
    return receiver
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Nothing answers from now on. */
  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async until(count: number, timeoutMs?: number): Promise<Received> {
    await waitFor(`${count} messages`, () => this.received.length >= count, timeoutMs)
    const last = this.received[count - 1]
    if (!last) throw new Error('there is none')
    return last
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** What a message says; throws when it is not signed with the secret. */
export function verified(secret: string, { body, headers }: Received): Record<string, unknown> {
  return new Webhook(secret).verify(body, { ...headers }) as Record<string, unknown>
}
