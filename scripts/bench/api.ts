import { Agent, request } from 'node:http'
import { json } from 'node:stream/consumers'
import { ADMIN_KEY, type TestDaemon } from '../../test/support/daemon.ts'
import { until } from './figure.ts'

const TASK_TIMEOUT_MS = 300_000
const REQUEST_TIMEOUT_MS = 60_000

export type Body = Readonly<Record<string, unknown>>

/**
 * A script that uses the daemon: cheap, so that it takes little of the machine that is being measured. Its connections
 * are its own: one that was idle for long may be closed just when it is used again. Use with `using`.
 */
export class Api implements Disposable {
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true })

  constructor(daemon: TestDaemon) {
    this.#url = daemon.url
  }

  /** Submits a task, which has to be accepted, and returns its id. */
  async submit(kind: string, body: Body): Promise<string> {
    return String((await this.#ask('POST', `/${kind}`, JSON.stringify(body)))['task_id'])
  }

  /** Polls until the task is completed; rejects when it fails. */
  async finish(taskId: string, pollMs: number): Promise<Body> {
    let status: Body = {}
    const look = async () => {
      status = await this.#ask('GET', `/status/${taskId}`)
      if (status['status'] === 'error') throw new Error(`a task failed: ${JSON.stringify(status)}`)
      return status['status'] === 'completed'
    }
    await until(`task ${taskId}`, look, { everyMs: pollMs, timeoutMs: TASK_TIMEOUT_MS })
    return status
  }

  /** Resolves to the answer to /health; rejects while it is not well. */
  health(): Promise<Body> {
    return this.#ask('GET', '/health')
  }

  /** Makes a call that has to succeed, and resolves to its answer. */
  call(method: 'GET' | 'POST', path: string, body?: Body): Promise<Body> {
    return this.#ask(method, path, body === undefined ? '' : JSON.stringify(body))
  }

  async #ask(method: string, path: string, body = ''): Promise<Body> {
    const { promise, resolve, reject } = Promise.withResolvers<Body>()
    const headers = {
      ...{ 'X-API-Key': ADMIN_KEY },
      ...(body === '' ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
    }
    const options = { method, agent: this.#agent, headers, timeout: REQUEST_TIMEOUT_MS }
    const call = request(this.#url + path, options, (response) => {
      json(response).then((answer) => {
        if (Math.floor((response.statusCode ?? 0) / 100) === 2) resolve(answer as Body)
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${JSON.stringify(answer)}`))
      }, reject)
    })
    call.once('timeout', () => call.destroy(new Error(`${method} ${path}: no answer`)))
    call.once('error', (cause) => reject(new Error(`${method} ${path}: ${cause.message}`, { cause })))
    call.end(body)
    return promise
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}

/** Submits a task and waits until it is completed; rejects when it fails. */
export async function complete(daemon: TestDaemon, kind: string, body: Body, pollMs: number): Promise<Body> {
  using api = new Api(daemon)
  return await api.finish(await api.submit(kind, body), pollMs)
}
