import { setImmediate as nextTurn } from 'node:timers/promises'
import { isFinal } from '../../domain/task.ts'
import type { ProgressEvent, TaskEvent } from '../../domain/event.ts'
import type { TaskEvents } from '../../tasks/events.ts'
import type { SseStream } from '../sse.ts'
import { positionFrame, progressFrame, type Frame, type TaskFrame } from './event-frame.ts'

/** Changes that are sent in one go. */
const CHUNK = 50
/** Changes that are queued for sending; behind that, streams read them from the database. */
const MAX_QUEUE = 1_000

/** What a stream shows of its key's tasks. */
export type Filter = Readonly<{ taskId: string | null; batchId: string | null }>

/** One reader. */
export type Reader = {
  readonly stream: SseStream
  readonly filter: Filter
  /** The last change it has been told of, or that was not for it. */
  cursor: number
  /** Told as things happen; otherwise it reads what it has missed. */
  isLive: boolean
  /** Whether the last it was told of its task was the end. */
  isOver: boolean
}

/** What all streams of one key share: each event is put into words once. */
export class KeyFeed implements Disposable {
  readonly readers = new Set<Reader>()
  readonly #keyId: string
  readonly #events: TaskEvents
  readonly #toFrame: (event: TaskEvent) => Promise<TaskFrame>
  readonly #onError: (err: unknown) => void
  readonly #listening: Disposable
  readonly #queue: TaskEvent[] = []
  #isSending = false
  #seq = 0

  constructor(deps: {
    keyId: string
    events: TaskEvents
    toFrame: (event: TaskEvent) => Promise<TaskFrame>
    onError: (err: unknown) => void
  }) {
    this.#keyId = deps.keyId
    this.#events = deps.events
    this.#toFrame = deps.toFrame
    this.#onError = deps.onError
    this.#listening = deps.events.listenTo(
      { keyId: deps.keyId },
      { onEvent: (event) => this.#add(event), onProgress: (events) => this.#sendProgress(events) },
    )
  }

  /** Tells a reader everything behind its cursor, and from then on what happens. */
  join(reader: Reader): void {
    this.readers.add(reader)
    this.#catchUp(reader).catch((err: unknown) => {
      this.#onError(err)
      reader.stream.end() // it comes back and asks for what it has missed
    })
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
  }

  #add(event: TaskEvent): void {
    this.#queue.push(event)
    if (this.#queue.length > MAX_QUEUE) {
      this.#seq = event.seq
      this.#queue.length = 0
      for (const reader of this.readers) this.#fallBehind(reader)
    }
    if (this.#isSending) return
    this.#isSending = true
    this.#send()
      .catch((err: unknown) => {
        this.#onError(err)
        for (const { stream } of this.readers) stream.end()
      })
      .finally(() => {
        this.#isSending = false
      })
  }

  async #send(): Promise<void> {
    while (this.#queue.length > 0) {
      const events = this.#queue.splice(0, CHUNK)
      const frames = await Promise.all(events.map(this.#toFrame))
      this.#seq = Math.max(this.#seq, events.at(-1)?.seq ?? 0)
      const whole = textOnce(frames)
      for (const reader of this.readers) {
        if (reader.isLive && !this.#tell(reader, frames, whole)) this.#fallBehind(reader)
        else if (reader.isLive) endIfOver(reader)
      }
      await nextTurn()
    }
  }

  #sendProgress(events: readonly ProgressEvent[]): void {
    const frames = events.map(progressFrame)
    const whole = textOnce(frames)
    for (const { stream, filter, isLive } of this.readers) {
      const text = isLive ? pick(frames, filter, whole) : ''
      if (text.length > 0) stream.sendIfIdle(text)
    }
  }

  /** False, and nothing was told, when the reader is too slow. */
  #tell(reader: Reader, frames: readonly TaskFrame[], whole: () => Buffer): boolean {
    const { stream, filter, cursor } = reader
    const [first] = frames
    const last = frames.at(-1)
    if (first === undefined || last === undefined || last.event.seq <= cursor) return true
    const isNew = first.event.seq > cursor
    const news = isNew ? frames : frames.filter(({ event }) => event.seq > cursor)
    const text = pick(news, filter, isNew ? whole : textOnce(news))
    if (text.length > 0 && !stream.send(text)) return false
    reader.cursor = last.event.seq
    const mine = filter.taskId === null ? undefined : news.findLast(({ taskId }) => taskId === filter.taskId)
    if (mine) reader.isOver = isLast(mine.event)
    return true
  }

  #fallBehind(reader: Reader): void {
    if (!reader.isLive) return
    reader.isLive = false
    this.join(reader)
  }

  async #catchUp(reader: Reader): Promise<void> {
    const { stream } = reader
    for (;;) {
      await stream.drained()
      if (!stream.isOpen) return
      const known = this.#seq
      const events = await this.#events.after(reader.cursor, CHUNK, this.#keyId)
      if (events.length > 0) {
        const frames = await Promise.all(events.map(this.#toFrame))
        this.#tell(reader, frames, textOnce(frames))
        await nextTurn()
      } else if (reader.cursor < known) {
        // What it had still to read was too old to be kept.
        reader.cursor = known
        stream.send(positionFrame('reset', known))
      } else if (this.#seq === known) {
        reader.isLive = true
        endIfOver(reader)
        return
      }
    }
  }
}

const isLast = ({ state }: TaskEvent) => state === 'removed' || isFinal(state)

const endIfOver = ({ isOver, stream }: Reader) => {
  if (isOver) stream.end()
}

/** All frames as the one text that every unfiltered stream is sent. */
function textOnce(frames: readonly Frame[]): () => Buffer {
  let whole: Buffer | null = null
  return () => (whole ??= Buffer.from(frames.map(({ text }) => text).join('')))
}

function pick(frames: readonly Frame[], { taskId, batchId }: Filter, whole: () => Buffer): string | Buffer {
  if (taskId === null && batchId === null) return whole()
  return frames
    .filter((frame) => (taskId === null ? frame.batchId === batchId : frame.taskId === taskId))
    .map(({ text }) => text)
    .join('')
}
