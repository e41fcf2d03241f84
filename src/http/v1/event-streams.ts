import type { Response } from 'express'
import type { Logger } from 'pino'
import { whyUnusable } from '../../domain/key-rules.ts'
import { Refusal } from '../../domain/errors.ts'
import type { TaskEvent } from '../../domain/event.ts'
import type { ApiKey } from '../../domain/key.ts'
import { isFinal } from '../../domain/task.ts'
import type { Keys } from '../../keys/keys.ts'
import type { TaskEvents } from '../../tasks/events.ts'
import type { TaskService } from '../../tasks/service.ts'
import { SseStream } from '../sse.ts'
import { KeyFeed, type Filter, type Reader } from './event-feed.ts'
import { positionFrame, taskFrame, type TaskFrame } from './event-frame.ts'
import { taskView, type TaskBody } from './task-view.ts'

/** Open streams, of all keys and of one: each is a connection, of which the daemon has a limited number. */
const MAX_STREAMS = 2_000
const MAX_STREAMS_PER_KEY = 1_000
const RETRY_AFTER_S = 30

/** Often enough for proxies that close what is silent for half a minute. */
const BEAT_MS = 15_000

/** Changes that a client may have missed and be told of; behind that it has to list its tasks anew. */
const MAX_REPLAY = 2_000

/** Changes of which the words are kept, for readers that ask for the same ones. */
const MAX_CACHED_FRAMES = 1_000

/** What streams are made of, and their bounds. */
export type EventStreamsOptions = Readonly<{
  events: TaskEvents
  tasks: Pick<TaskService, 'view'>
  /** A key that is revoked or expires loses its streams. */
  keys: Pick<Keys, 'limitsOf' | 'requireId' | 'whenRevoked'>
  log: Logger
  maxStreams?: number
  maxStreamsPerKey?: number
}>

/** The open streams of all keys. Disposing ends them. */
export class EventStreams implements Disposable {
  readonly #options: EventStreamsOptions
  readonly #feeds = new Map<string, KeyFeed>()
  readonly #frames = new Map<number, Promise<TaskFrame>>()
  readonly #beating: NodeJS.Timeout
  #opening = 0
  #closed = false

  constructor(options: EventStreamsOptions) {
    this.#options = options
    options.keys.whenRevoked((keyId) => this.endStreams(keyId))
    this.#beating = setInterval(() => this.#beat(), BEAT_MS).unref()
  }

  /** How many are open. */
  get size(): number {
    return [...this.#feeds.values()].reduce((sum, { readers }) => sum + readers.size, 0)
  }

  /**
   * Answers with a stream of the key's tasks that goes on behind the event `after`, or from now on when that is null.
   * Refuses `task_not_found`, `limit_exceeded`, `unavailable` and `shutting_down`.
   */
  async open(
    key: ApiKey,
    res: Response,
    { filter, after }: Readonly<{ filter: Filter; after: number | null }>,
  ): Promise<void> {
    this.#requireRoom(key)
    if (res.req.method === 'HEAD') return void res.type('text/event-stream').end()
    this.#opening++
    try {
      const start = await this.#start(key, filter, after)
      if (start === null) res.status(204).end()
      else if (!res.destroyed) this.#join(key, res, { filter, ...start })
    } finally {
      this.#opening--
    }
  }

  /** Ends the streams of a key, as they have to when it is gone. */
  endStreams(keyId: string): void {
    for (const { stream } of this.#feeds.get(keyId)?.readers ?? []) stream.end()
  }

  [Symbol.dispose](): void {
    this.#closed = true
    clearInterval(this.#beating)
    for (const keyId of this.#feeds.keys()) this.endStreams(keyId)
  }

  #requireRoom(key: ApiKey): void {
    const { maxStreams = MAX_STREAMS, maxStreamsPerKey = MAX_STREAMS_PER_KEY } = this.#options
    const retryAfter = RETRY_AFTER_S
    if (this.#closed) throw new Refusal('shutting_down', 'The server is shutting down', { retryAfter })
    if ((this.#feeds.get(key.id)?.readers.size ?? 0) >= maxStreamsPerKey)
      throw new Refusal('limit_exceeded', `A key may have ${maxStreamsPerKey} open streams`, { retryAfter })
    if (this.size + this.#opening >= maxStreams)
      throw new Refusal('unavailable', 'Too many streams are open', { retryAfter })
  }

  /** Where a stream begins, and what it says first; null when there is nothing left to be told. */
  async #start(key: ApiKey, { taskId }: Filter, after: number | null): Promise<Start | null> {
    const { events, tasks } = this.#options
    const { first, last } = await events.range()
    const missed = after === null ? [] : await events.after(after, MAX_REPLAY, key.id)
    const isKnown = after !== null && after <= last && after >= first - 1 && missed.length < MAX_REPLAY
    const task = taskId === null ? null : (await tasks.view(key, taskId)).task
    if (isKnown) {
      const isSettled = task !== null && isFinal(task.state)
      const isToldAll = isSettled && !missed.some((event) => event.taskId === taskId)
      return isToldAll ? null : { cursor: after, text: '', isOver: isSettled }
    }
    const position = positionFrame(after === null ? 'ready' : 'reset', last)
    if (task === null) return { cursor: last, text: position, isOver: false }
    const { keyId, batchId, state, attempt, errorCode } = task
    const now = taskFrame(
      { seq: last, keyId, taskId: task.id, batchId, state, attempt, errorCode },
      await this.#body(key.id, task.id),
    )
    return { cursor: last, text: position + now.text, isOver: isFinal(state) }
  }

  #join(key: ApiKey, res: Response, { filter, cursor, text, isOver }: Start & Readonly<{ filter: Filter }>): void {
    const feed = this.#feeds.get(key.id) ?? this.#openFeed(key.id)
    const stream = new SseStream(res, () => {
      feed.readers.delete(reader)
      if (feed.readers.size > 0 || this.#feeds.get(key.id) !== feed) return
      this.#feeds.delete(key.id)
      feed[Symbol.dispose]()
    })
    const reader: Reader = { stream, filter, cursor, isLive: false, isOver }
    if (text !== '') stream.send(text)
    feed.join(reader)
    if (this.#closed) stream.end()
  }

  #openFeed(keyId: string): KeyFeed {
    const { events, log } = this.#options
    const feed = new KeyFeed({
      keyId,
      events,
      toFrame: (event) => this.#frame(event),
      onError: (err) => log.error({ err }, 'events could not be told'),
    })
    this.#feeds.set(keyId, feed)
    return feed
  }

  #frame(event: TaskEvent): Promise<TaskFrame> {
    const known = this.#frames.get(event.seq)
    if (known) return known
    const body = event.state === 'removed' ? Promise.resolve(null) : this.#body(event.keyId, event.taskId)
    const made = body.then((task) => taskFrame(event, task))
    made.catch(() => this.#frames.delete(event.seq)) // told to whoever asked for it
    this.#frames.set(event.seq, made)
    const [oldest] = this.#frames.keys()
    if (this.#frames.size > MAX_CACHED_FRAMES && oldest !== undefined) this.#frames.delete(oldest)
    return made
  }

  /** The task as this face shows it, null when it was removed. */
  async #body(keyId: string, taskId: string): Promise<TaskBody | null> {
    try {
      const view = await this.#options.tasks.view(null, taskId)
      return view.task.keyId === keyId ? taskView(view) : null
    } catch (err) {
      if (err instanceof Refusal && err.code === 'task_not_found') return null
      throw err
    }
  }

  #isUsable(keyId: string): boolean {
    const { keys } = this.#options
    return keys.limitsOf(keyId) !== null && whyUnusable(keys.requireId(keyId), Date.now()) === null
  }

  #beat(): void {
    for (const [keyId, { readers }] of this.#feeds) {
      if (!this.#isUsable(keyId)) this.endStreams(keyId)
      for (const { stream } of readers) stream.beat()
    }
  }
}

type Start = Readonly<{ cursor: number; text: string; isOver: boolean }>
