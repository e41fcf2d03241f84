import type { IdempotencyStore } from '../db/idempotency.ts'
import type { NewTask, TaskStore } from '../db/task-store.ts'
import { Refusal, type RefusalDetail } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import { missingFrom, permissionOf } from '../domain/permissions.ts'
import type { TaskRequest, Webhook, WebhookEvent } from '../domain/task.ts'
import { OneByOne } from '../domain/one-by-one.ts'
import type { LocalFiles } from '../files/local.ts'
import type { Admission } from './admission.ts'
import { newTaskId } from './task-id.ts'

/** Seconds after which a refused submission is worth another try. */
const BUSY_RETRY_AFTER_S = 10

/** How long a call can be repeated with the token it had. */
const REPEATABLE_MS = 24 * 3_600_000

/** Most faulty addresses of one call that are told. */
const MAX_FAULTS = 20

/** Tasks that are submitted together. */
export type Order = Readonly<{
  /** One for each task, in order; at least one. */
  requests: readonly TaskRequest[]
  /** Whether the tasks belong together, and several addresses could have been given. */
  isBatch: boolean
  priority: number
  /** Milliseconds since the epoch; null = at once. */
  notBefore: number | null
  webhook: Webhook | null
  /** What the tasks keep of the client's own words. */
  sent: Readonly<Record<string, unknown>>
  /** Milliseconds that the tasks stay after their end; left out = as long as the daemon says. */
  retentionMs?: number
}>

/** What makes a call that is repeated with the same token the same call. */
export type Repeatable = Readonly<{ token: string; requestHash: string }>

/** What was made of an order. */
export type Accepted = Readonly<{
  /** Null unless the tasks belong to a batch; a playlist task is its own. */
  batchId: string | null
  tasks: readonly Readonly<{ id: string; url: string; position: number | null }>[]
}>

/** What submissions are taken on with. */
export type SubmitDeps = Readonly<{
  store: TaskStore
  idempotency: IdempotencyStore
  files: LocalFiles
  admission: Pick<Admission, 'check'>
  minFreeBytes: number
  /** Why a URL may not be fetched, null when it may be tried. */
  checkUrl: (url: string) => string | null
}>

/** Takes tasks on: all of an order or nothing, one order at a time. */
export class Submissions {
  readonly #deps: SubmitDeps
  /** No two that come at once take the same last place. */
  readonly #turns = new OneByOne()
  #closed = false

  constructor(deps: SubmitDeps) {
    this.#deps = deps
  }

  /** From now on nothing is accepted. */
  close(): void {
    this.#closed = true
  }

  /**
   * Accepts an order; when this resolves it is on the disk. One that was accepted before under the same token is not
   * accepted again: what was made of it then is what this resolves to. Refuses `conflict` when it was another one.
   */
  async accept(
    key: ApiKey,
    order: Order,
    repeatable: Repeatable | null = null,
  ): Promise<Accepted & Readonly<{ isReplayed: boolean }>> {
    this.#requireOpen()
    requirePermissions(key, order.requests)
    return this.#turns.do(async () => {
      const earlier = repeatable && (await this.#findEarlier(key, repeatable))
      if (earlier) return { ...earlier, isReplayed: true }
      this.#requireAddresses(order)
      await this.#requireRoom(key, order.requests)
      return { ...(await this.#add(key, order, repeatable)), isReplayed: false }
    })
  }

  /** Does what puts tasks back into the queue, if there is room for them. */
  async queueAgain<T>(key: ApiKey, requests: readonly TaskRequest[], queue: () => Promise<T>): Promise<T> {
    requirePermissions(key, requests)
    return this.#turns.do(async () => {
      await this.#requireRoom(key, requests)
      return queue()
    })
  }

  #requireOpen(): void {
    if (this.#closed)
      throw new Refusal('shutting_down', 'The server is shutting down', { retryAfter: BUSY_RETRY_AFTER_S })
  }

  async #requireRoom(key: ApiKey, requests: readonly TaskRequest[]): Promise<void> {
    const { files, minFreeBytes, admission } = this.#deps
    if ((await files.freeBytes()) < minFreeBytes)
      throw new Refusal('no_space', 'Not enough disk space', { retryAfter: BUSY_RETRY_AFTER_S })
    await admission.check(key, requests)
  }

  #requireAddresses({ requests, isBatch, webhook }: Order): void {
    const { checkUrl } = this.#deps
    const faults: RefusalDetail[] = []
    for (const [index, { url }] of requests.entries()) {
      const message = checkUrl(url)
      if (message !== null) faults.push({ field: isBatch ? `urls.${index}` : 'url', message })
    }
    const message = webhook && checkUrl(webhook.url)
    if (message !== null) faults.push({ field: 'webhook.url', message })
    const [first] = faults
    if (first) throw new Refusal('invalid_request', first.message, { details: faults.slice(0, MAX_FAULTS) })
  }

  async #findEarlier(key: ApiKey, { token, requestHash }: Repeatable): Promise<Accepted | null> {
    const { idempotency } = this.#deps
    const since = Date.now() - REPEATABLE_MS
    const earlier = await idempotency.find(key.id, token, since)
    if (earlier === null) {
      await idempotency.forget(key.id, token, since)
      return null
    }
    if (earlier.requestHash !== requestHash)
      throw new Refusal('conflict', 'This Idempotency-Key was used for another call')
    return JSON.parse(earlier.answer) as Accepted
  }

  async #add(key: ApiKey, order: Order, repeatable: Repeatable | null): Promise<Accepted> {
    const createdAt = Date.now()
    const tasks = newTasks(key, order, createdAt)
    const accepted = acceptedOf(tasks)
    const { batchId } = accepted
    const [first] = order.requests
    await this.#deps.store.addAll(tasks, {
      batch: batchId === null ? null : batchOf(key, order, { id: batchId, createdAt, url: first?.url ?? null }),
      idempotency: repeatable && { keyId: key.id, ...repeatable, answer: JSON.stringify(accepted), createdAt },
    })
    return accepted
  }
}

/** Each kind asks for its permission; a playlist also for that of what is made of its entries. */
function requirePermissions(key: ApiKey, requests: readonly TaskRequest[]): void {
  const wanted = new Set(
    requests.flatMap(({ kind, playlist }) => (playlist ? [kind, playlist.kind] : [kind]).map(permissionOf)),
  )
  if (missingFrom(key.permissions, [...wanted]).length > 0) throw new Refusal('forbidden', 'Insufficient permissions')
}

/** A playlist task is the first of its own batch, and has its id. */
function newTasks(key: ApiKey, { requests, isBatch, webhook, ...order }: Order, createdAt: number): NewTask[] {
  const batchId = isBatch ? newTaskId() : null
  return requests.map((request, index) => {
    const id = newTaskId()
    return {
      id,
      keyId: key.id,
      keyName: key.name,
      request,
      sent: order.sent,
      createdAt,
      priority: order.priority,
      notBefore: order.notBefore,
      batchId: request.kind === 'playlist' ? id : batchId,
      position: isBatch ? index + 1 : null,
      webhook: only(webhook, (event) => event !== 'batch.completed'),
      retentionMs: order.retentionMs ?? null,
    }
  })
}

const acceptedOf = (tasks: readonly NewTask[]): Accepted => ({
  batchId: tasks[0]?.batchId ?? null,
  tasks: tasks.map(({ id, request, position }) => ({ id, url: request.url, position: position ?? null })),
})

const batchOf = (
  key: ApiKey,
  { isBatch, webhook }: Order,
  { id, createdAt, url }: Readonly<{ id: string; createdAt: number; url: string | null }>,
) => ({
  id,
  keyId: key.id,
  createdAt,
  title: null,
  url: isBatch ? null : url,
  webhook: only(webhook, (event) => event === 'batch.completed'),
})

/** The part of a webhook that wants such events; null when it wants none of them. */
function only(webhook: Webhook | null, isMeant: (event: WebhookEvent) => boolean): Webhook | null {
  const events = webhook?.events.filter(isMeant) ?? []
  return webhook && events.length > 0 ? { url: webhook.url, events } : null
}
