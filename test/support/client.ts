import fs from 'node:fs/promises'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { checkAnswer } from './openapi.ts'
import { waitFor } from './wait-for.ts'

export type Answer = Readonly<{ status: number; headers: Headers; body: Body }>

/** A JSON answer, as loosely as a script reads it. */
export type Body = Readonly<Record<string, unknown>>

/** What a script does with the core API. */
export class Client {
  readonly url: string
  readonly #key: string | null

  constructor(url: string, key: string | null) {
    this.url = url
    this.#key = key
  }

  get headers(): Record<string, string> {
    return this.#key === null ? {} : { 'X-API-Key': this.#key }
  }

  async get(pathname: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#read('GET', await fetch(this.url + pathname, { headers: { ...this.headers, ...headers } }))
  }

  async post(pathname: string, body: unknown): Promise<Answer> {
    const headers = { ...this.headers, 'Content-Type': 'application/json' }
    return this.#read('POST', await fetch(this.url + pathname, { method: 'POST', headers, body: JSON.stringify(body) }))
  }

  async request(
    method: string,
    pathname: string,
    init: Readonly<{ body?: string; headers?: Readonly<Record<string, string>> }> = {},
  ): Promise<Answer> {
    return this.#read(
      method,
      await fetch(this.url + pathname, { ...init, method, headers: { ...this.headers, ...init.headers } }),
    )
  }

  /** Sends path and headers exactly as they stand: `fetch` resolves dot segments and adds headers of its own. */
  async rawGet(
    pathname: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; text: string }> {
    const { hostname, port } = new URL(this.url)
    return new Promise((resolve, reject) => {
      const request = http.get(
        { hostname, port, path: pathname, headers: { ...this.headers, ...headers } },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        },
      )
      request.on('error', reject)
    })
  }

  /** Submits a task, which has to be accepted, and returns its id. */
  async submit(kind: string, body: Readonly<Record<string, unknown>>): Promise<string> {
    const answer = await this.post(`/${kind}`, body)
    if (answer.status !== 200) throw new Error(`${kind} was refused: ${answer.status} ${JSON.stringify(answer.body)}`)
    return String(answer.body['task_id'])
  }

  async status(taskId: string): Promise<Body> {
    return (await this.get(`/status/${taskId}`)).body
  }

  /** Polls until the task has ended, and returns its last status. */
  async finish(taskId: string, timeoutMs = 60_000): Promise<Body> {
    return waitFor(
      `task ${taskId} to end`,
      async () => {
        const body = await this.status(taskId)
        return body['status'] === 'completed' || body['status'] === 'error' ? body : null
      },
      timeoutMs,
    )
  }

  /** Submits a task that has to be completed, and returns its status. */
  async complete(kind: string, body: Readonly<Record<string, unknown>>, timeoutMs = 60_000): Promise<Body> {
    const status = await this.finish(await this.submit(kind, body), timeoutMs)
    if (status['status'] !== 'completed') throw new Error(`the task failed: ${JSON.stringify(status)}`)
    return status
  }

  /** Fetches a file of a task into a temporary folder; the caller removes it. */
  async download(file: unknown): Promise<string> {
    const response = await fetch(this.url + String(file), { headers: this.headers })
    if (!response.ok) throw new Error(`${String(file)} was refused: ${response.status} ${await response.text()}`)
    const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'ytdlpd-file-'))
    const target = path.join(dir, path.basename(String(file)))
    await fs.writeFile(target, Buffer.from(await response.arrayBuffer()))
    return target
  }

  /** What was answered must be as the API's description says. */
  async #read(method: string, response: Response): Promise<Answer> {
    const text = await response.text()
    const contentType = response.headers.get('content-type')
    checkAnswer({ method, path: response.url.slice(this.url.length), status: response.status, contentType, text })
    const isJson = contentType?.includes('json') ?? false
    return { status: response.status, headers: response.headers, body: isJson ? (JSON.parse(text) as Body) : { text } }
  }
}
