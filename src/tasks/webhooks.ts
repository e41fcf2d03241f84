import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { AttemptRecord, DueDelivery, WebhookStore } from '../db/webhook-store.ts'
import { Refusal, TaskError } from '../domain/errors.ts'
import { isFinal } from '../domain/task.ts'
import { DELIVERY_WAITS, nextWait, type Delivery, type DeliveryAnswer } from '../domain/webhook.ts'
import { isoTime } from '../domain/iso-time.ts'
import { Cooldowns } from './cooldown.ts'
import type { TaskEvents } from './events.ts'
import type { PostWebhook } from './webhook-post.ts'
import type { WebhookSecrets } from './webhook-secrets.ts'

/** Attempts at a time, and to one host. */
const MAX_AT_ONCE = 8
const MAX_PER_HOST = 2

/** New deliveries whose bodies are written in one go. */
const BODIES = 100

/** Longest that a host which cannot be reached is left in peace. */
const MAX_COOLING_MS = 60_000

/** How long the log of deliveries goes back, and its length for each key. */
const KEPT_MS = 7 * 24 * 3_600_000
const KEPT_PER_KEY = 10_000
const TRIM_MS = 10 * 60_000

/** How often what no event announces is looked for: a wall clock that was set. */
const LOOK_AROUND_MS = 60_000

/** After so many seconds one that is tried out and found no room may come back. */
const PING_RETRY_AFTER_S = 10

/** How long attempts under way may go on once the daemon stops. */
const DRAIN_MS = 3_000

/** What webhooks work with. */
export type WebhooksOptions = Readonly<{
  store: WebhookStore
  secrets: WebhookSecrets
  events: TaskEvents
  post: PostWebhook
  /** What a message tells of its task or batch, as it is now. */
  describe: (delivery: Delivery) => Promise<unknown>
  log: Logger
  /** Milliseconds between attempts. */
  waits?: readonly number[]
}>

/**
 * Tells webhooks what the database noted for them. Each message is sent at least once, always with the same id; those
 * of a host that cannot be reached wait without holding up others.
 */
export class Webhooks implements AsyncDisposable {
  readonly store: WebhookStore
  readonly secrets: WebhookSecrets
  /** Attempts since the start. */
  readonly counts = { delivered: 0, failed: 0 }
  readonly #options: WebhooksOptions
  readonly #waits: readonly number[]
  readonly #running = new Map<string, Readonly<{ host: string; done: Promise<void> }>>()
  readonly #cooldowns = new Cooldowns()
  readonly #stop = new AbortController()
  #listening: Disposable | null = null
  #timer: NodeJS.Timeout | undefined
  #trimming: NodeJS.Timeout | undefined
  #working: Promise<void> | null = null
  #again = false
  #pings = 0
  #isStopping = false

  constructor(options: WebhooksOptions) {
    this.store = options.store
    this.secrets = options.secrets
    this.#options = options
    this.#waits = options.waits ?? DELIVERY_WAITS
  }

  /** Call it before anything removes tasks: bodies that an earlier daemon did not write are written now. */
  async start(): Promise<void> {
    await this.#writeBodies()
    await this.#trim()
    this.#listening = this.#options.events.listen(({ state }) => {
      if (state !== 'removed' && isFinal(state)) this.nudge()
    })
    this.#trimming = setInterval(() => void this.#trim(), TRIM_MS)
    this.nudge()
  }

  /** Call when there may be something to send. Never throws and never waits. */
  nudge(): void {
    if (this.#listening === null || this.#isStopping) return
    this.#again = true
    this.#working ??= this.#work()
      .catch((err: unknown) => {
        this.#options.log.error({ err }, 'webhooks could not be read')
        this.#wake(LOOK_AROUND_MS)
      })
      .finally(() => {
        this.#working = null
        if (this.#again) this.nudge() // came in after the last look, before this line
      })
  }

  /** Sends a message of no consequence at once, and tells what came of it. Refuses `unavailable` and `shutting_down`. */
  async ping(keyId: string, message: Readonly<{ id: string; url: string; body: string }>): Promise<DeliveryAnswer> {
    const retryAfter = PING_RETRY_AFTER_S
    if (this.#pings >= MAX_AT_ONCE)
      throw new Refusal('unavailable', 'Too many webhooks are being tried out', { retryAfter })
    this.#pings++
    try {
      const answer = await this.#send({ ...message, keyId })
      if (answer === null) throw new Refusal('shutting_down', 'The server is shutting down', { retryAfter })
      return answer
    } finally {
      this.#pings--
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true
    this.#listening?.[Symbol.dispose]()
    clearTimeout(this.#timer)
    clearInterval(this.#trimming)
    await this.#working
    const drain = setTimeout(() => this.#stop.abort(), DRAIN_MS)
    await Promise.all([...this.#running.values()].map(({ done }) => done))
    clearTimeout(drain)
    this.#stop.abort()
    await this.#writeBodies()
  }

  async #work(): Promise<void> {
    const { store } = this.#options
    while (this.#again && !this.#isStopping) {
      this.#again = false
      await this.#writeBodies()
      while (this.#running.size < MAX_AT_ONCE && !this.#isStopping) {
        const busy = { ids: [...this.#running.keys()], hosts: this.#busyHosts() }
        const [next] = await store.due(Date.now(), 1, busy)
        if (!next) break
        this.#launch(next)
      }
    }
    const due = await store.nextAt(Date.now())
    const nextAt = Math.min(due ?? Infinity, this.#cooldowns.nextEnd(Date.now()) ?? Infinity)
    this.#wake(Math.min(Math.max(nextAt - Date.now(), 0) + 1, LOOK_AROUND_MS))
  }

  #wake(afterMs: number): void {
    clearTimeout(this.#timer)
    if (!this.#isStopping) this.#timer = setTimeout(() => this.nudge(), afterMs)
  }

  #launch(delivery: DueDelivery): void {
    const done = this.#attempt(delivery)
      .catch((err: unknown) => {
        this.#options.log.error({ err, deliveryId: delivery.id }, 'a webhook could not be sent')
        this.#cooldowns.strike(delivery.host, Date.now(), () => MAX_COOLING_MS) // or it would be due at once
      })
      .then(() => {
        this.#running.delete(delivery.id)
        this.nudge()
      })
    this.#running.set(delivery.id, { host: delivery.host, done })
  }

  async #attempt(delivery: DueDelivery): Promise<void> {
    const { store, log } = this.#options
    const answer = await this.#send(delivery)
    if (answer === null) return // stopped: it is sent again after the next start
    const now = Date.now()
    this.#note(delivery.host, answer, now)
    const attempts = delivery.attempts + 1
    const isDelivered = answer.error === null
    const wait = isDelivered ? null : nextWait(attempts, answer, { waits: this.#waits, random: Math.random() })
    const nextAt = wait === null ? null : now + wait
    const { status, error } = answer
    const record: AttemptRecord = { isDelivered, status, error, nextAt }
    await store.recordAttempt(delivery.id, record, now)
    this.counts[isDelivered ? 'delivered' : 'failed']++
    log.info({ deliveryId: delivery.id, event: delivery.event, attempts, status, error, nextAt }, 'webhook attempted')
  }

  /** Null when the daemon stops first. */
  async #send({
    id,
    keyId,
    url,
    body,
  }: Pick<DueDelivery, 'id' | 'keyId' | 'url' | 'body'>): Promise<DeliveryAnswer | null> {
    try {
      const headers = await this.#options.secrets.sign(keyId, id, body)
      return await this.#options.post({ url, body, headers, signal: this.#stop.signal })
    } catch (thrown) {
      if (thrown instanceof TaskError && thrown.code === 'cancelled') return null
      throw thrown
    }
  }

  /** A host that gave no answer is left in peace for a while, longer each time. */
  #note(host: string, answer: DeliveryAnswer, now: number): void {
    if (answer.status !== null || answer.isHopeless) return this.#cooldowns.clear(host)
    const waitAfter = (strikes: number) => this.#waits[Math.min(strikes, this.#waits.length - 1)] ?? 0
    this.#cooldowns.strike(host, now, (strikes) => Math.min(waitAfter(strikes), MAX_COOLING_MS))
  }

  #busyHosts(): string[] {
    const used = Map.groupBy(this.#running.values(), ({ host }) => host)
    // One that has not answered yet since it was left in peace is tried with one message first.
    const full = [...used].filter(([host, { length }]) => length >= (this.#cooldowns.has(host) ? 1 : MAX_PER_HOST))
    return [...this.#cooldowns.blocked(Date.now()), ...full.map(([host]) => host)]
  }

  async #writeBodies(): Promise<void> {
    const { store, describe } = this.#options
    for (;;) {
      const fresh = await store.withoutBody(BODIES)
      for (const delivery of fresh) {
        const timestamp = isoTime(delivery.createdAt)
        const body = JSON.stringify({ type: delivery.event, timestamp, data: await describe(delivery) })
        await store.setBody(delivery.id, body, URL.parse(delivery.url)?.host ?? '')
        await nextTurn()
      }
      if (fresh.length < BODIES) return
    }
  }

  async #trim(): Promise<void> {
    await this.#options.store
      .trim(Date.now() - KEPT_MS, KEPT_PER_KEY)
      .catch((err: unknown) => this.#options.log.error({ err }, 'old deliveries could not be removed'))
  }
}
