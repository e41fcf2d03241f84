import { setTimeout as wait } from 'node:timers/promises'
import { Client, type Answer, type Body } from '../support/client.ts'
import type { TestDaemon } from '../support/daemon.ts'
import { hashOf, type Catalogue } from './catalogue.ts'
import type { Ending, Entry, Ledger } from './ledger.ts'
import type { Chance } from './random.ts'

/** A client that finds nobody at home comes back soon. */
const AWAY_MS = 60
/** Between two calls of one client. */
const PAUSE_MS = 15

/** Refusals that a daemon may give at such times: it stops, it is full, the disk is full. */
const EXPECTED_REFUSALS = new Set([503, 507])

/** What the client of a task has in mind besides waiting for it. */
const WHIMS: readonly (readonly [number, Entry['whim']])[] = [
  [86, 'none'],
  [6, 'cancel'],
  [4, 'cancel and retry'],
  [4, 'retry'],
]

export type Parts = Readonly<{ daemon: TestDaemon; ledger: Ledger; catalogue: Catalogue; chance: Chance }>

/** Clients that submit, look, fetch, cancel and try again as long as they are let, whatever happens to the daemon. */
export class Clients {
  readonly #parts: Parts
  readonly #keys: readonly string[]
  #allowed = 0
  #tokens = 0
  #stopped = false
  #working: Promise<unknown> = Promise.resolve()
  readonly refusals = new Map<string, number>()

  constructor(parts: Parts, keys: readonly string[]) {
    this.#parts = parts
    this.#keys = keys
  }

  start(): void {
    this.#working = Promise.all(this.#keys.map((_, index) => this.#work(index)))
  }

  /** Lets that many more tasks be submitted. */
  allow(tasks: number): void {
    this.#allowed += tasks
  }

  /** Resolves when every call under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#working
  }

  async #work(index: number): Promise<void> {
    const { chance } = this.#parts
    while (!this.#stopped) {
      const act = chance.pick<(index: number) => Promise<boolean>>([
        [this.#allowed > 0 ? 50 : 0, (client) => this.#submit(client)],
        [30, (client) => this.#look(client)],
        [12, (client) => this.#fetchFile(client)],
        [4, (client) => this.#cancel(client)],
        [2, (client) => this.#retry(client)],
      ])
      const answered = await act(index)
      await wait(answered ? PAUSE_MS : AWAY_MS)
    }
  }

  #client(index: number): Client {
    return new Client(this.#parts.daemon.url, this.#keys[index] ?? null)
  }

  #some(index: number, holds: (entry: Entry) => boolean): Entry | undefined {
    const { ledger, chance } = this.#parts
    return chance.oneOf(ledger.entries.filter((entry) => entry.client === index && entry.id !== null && holds(entry)))
  }

  /** False when nobody answered. */
  async #submit(index: number): Promise<boolean> {
    const { ledger, catalogue, chance } = this.#parts
    this.#allowed--
    const token = `t${++this.#tokens}`
    const order = catalogue.order(token)
    const whim = chance.pick(WHIMS)
    const entry = ledger.open({ client: index, expected: order.expected, token, whim })
    const answer = await attempt(() => this.#client(index).post(`/${order.route}`, order.body))
    if (answer === 'away') {
      ledger.withdraw(entry)
      this.#allowed++
      return false
    }
    if (answer === null) entry.answer = 'doubtful'
    else if (answer.status === 200) ledger.acknowledge(entry, String(answer.body['task_id']))
    else {
      entry.answer = 'refused'
      this.#noteRefusal('submit', answer)
    }
    return answer !== null
  }

  async #look(index: number): Promise<boolean> {
    const entry = this.#some(index, () => true)
    if (!entry) return true
    return (await look(this.#client(index), this.#parts.ledger, entry)) !== 'away'
  }

  async #fetchFile(index: number): Promise<boolean> {
    const { ledger } = this.#parts
    const entry = this.#some(index, ({ ending }) => ending?.status === 'completed')
    if (!entry?.ending?.file) return true
    const client = this.#client(index)
    const file = entry.ending.file
    const got = await attempt(async () => {
      const response = await fetch(client.url + file, { headers: client.headers })
      return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()) }
    })
    if (got === null || got === 'away') return false
    if (got.status !== 200) ledger.report('torn', `${file} of a completed task answers ${got.status}`)
    const hash = hashOf(got.bytes)
    entry.hash ??= hash
    if (entry.hash !== hash) ledger.report('torn', `${file} changed`)
    return true
  }

  async #cancel(index: number): Promise<boolean> {
    const { ledger } = this.#parts
    const entry = this.#some(
      index,
      ({ ending, cancelled, whim }) => whim.startsWith('cancel') && ending === null && !cancelled,
    )
    if (!entry) return true
    const answer = await attempt(() => this.#client(index).request('POST', `/v1/tasks/${entry.id}/cancel`))
    if (answer === null || answer === 'away') return false
    if (answer.status === 200) entry.cancelled = true
    else if (answer.status !== 409) this.#noteRefusal('cancel', answer)
    if (answer.status === 404) ledger.report('lost', `${entry.id} is unknown to cancel`)
    return true
  }

  async #retry(index: number): Promise<boolean> {
    const { ledger } = this.#parts
    const entry = this.#some(index, ({ ending, whim }) => whim.endsWith('retry') && ending?.status === 'error')
    if (!entry) return true
    const doubted = entry.retryDoubtful
    entry.retryDoubtful = true // should a look come between: it may be back in the queue before the answer is here
    const answer = await attempt(() => this.#client(index).request('POST', `/v1/tasks/${entry.id}/retry`))
    if (answer === null) return false
    entry.retryDoubtful = doubted
    if (answer === 'away') return false
    if (answer.status === 200) ledger.takeBack(entry)
    else this.#noteRefusal('retry', answer)
    return true
  }

  #noteRefusal(what: string, { status, body }: Answer): void {
    const name = `${what} ${status}`
    this.refusals.set(name, (this.refusals.get(name) ?? 0) + 1)
    if (EXPECTED_REFUSALS.has(status) || (status === 409 && what !== 'submit')) return
    this.#parts.ledger.report(status === 401 ? 'lost' : 'unexpected', `${name}: ${JSON.stringify(body)}`)
  }
}

/** How a task stands, noted in the ledger; null when the connection broke. */
export async function look(client: Client, ledger: Ledger, entry: Entry): Promise<'ended' | 'open' | 'away' | null> {
  const answer = await attempt(() => client.get(`/status/${entry.id}`))
  if (answer === null || answer === 'away') return answer
  if (answer.status === 404) ledger.report('lost', `${entry.id} (${entry.token}) is unknown`)
  else if (answer.status !== 200) ledger.report('unexpected', `status of ${entry.id} answers ${answer.status}`)
  else {
    const ending = endingIn(answer.body)
    ledger.observe(entry, ending)
    return ending ? 'ended' : 'open'
  }
  return 'open'
}

function endingIn(body: Body): Ending | null {
  const status = String(body['status'])
  if (status !== 'completed' && status !== 'error') return null
  return {
    status,
    code: status === 'error' ? String(body['error_code']) : null,
    completedAt: String(body['completed_time']),
    attempts: Number(body['attempts']),
    file: status === 'completed' ? String(body['file']) : null,
  }
}

/** `away`: there was nobody to connect to, so nothing can have happened. Null: it broke in the middle. */
async function attempt<T>(call: () => Promise<T>): Promise<T | 'away' | null> {
  try {
    return await call()
  } catch (error) {
    const code = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined
    return code === 'ECONNREFUSED' ? 'away' : null
  }
}
