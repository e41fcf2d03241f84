import { Refusal, TaskError } from '../domain/errors.ts'
import { OneByOne } from '../domain/one-by-one.ts'
import type { Task } from '../domain/task.ts'
import type { MediaContext } from '../engine/probe.ts'
import { makeStill } from '../engine/still.ts'
import type { ToolLimits, ToolRunner } from '../engine/tool.ts'
import { MADE_THUMBNAIL, type LocalFiles } from '../files/local.ts'

/** One picture is made at a time; so many may wait for it. */
const MAX_WAITING = 32
const TIMEOUT_MS = 20_000
const MAX_PICTURE_BYTES = 16 * 2 ** 20
const OPEN_FILES = 256
const PROCESSES = 256

/** Tasks without a picture that are remembered, so that asking again costs nothing. */
const MAX_REMEMBERED = 1_000

/** A picture of each task's medium: the one it wrote, or one that is made when it is first asked for. */
export class Thumbnails implements AsyncDisposable {
  readonly #runner: ToolRunner
  readonly #files: LocalFiles
  readonly #limits: ToolLimits
  readonly #stopped = new AbortController()
  readonly #pending = new Map<string, Promise<string | null>>()
  readonly #without = new Set<string>()
  readonly #turns = new OneByOne()

  constructor(deps: { runner: ToolRunner; files: LocalFiles; maxMemoryBytes: number }) {
    this.#runner = deps.runner
    this.#files = deps.files
    const { maxMemoryBytes: memoryBytes } = deps
    this.#limits = { fileBytes: MAX_PICTURE_BYTES, memoryBytes, openFiles: OPEN_FILES, processes: PROCESSES }
  }

  /** Its file's name; null when there is nothing to see. Refuses `limit_exceeded` while too many are being made. */
  async nameOf(task: Task): Promise<string | null> {
    const written = task.files.find(({ kind }) => kind === 'thumbnail')
    if (written) return written.name
    if ((await this.#files.sizeOf(task.id, MADE_THUMBNAIL)) !== null) return MADE_THUMBNAIL
    const medium = task.files.find(({ kind }) => kind === 'video' || kind === 'audio')
    if (!medium || this.#without.has(task.id)) return null
    if ((await this.#files.sizeOf(task.id, medium.name)) === null) return null
    const known = this.#pending.get(task.id)
    if (known) return known
    if (this.#pending.size >= MAX_WAITING)
      throw new Refusal('limit_exceeded', 'Too many thumbnails are being made', { retryAfter: 2 })
    const made = this.#turns.do(() => this.#make(task.id, medium.name)).finally(() => this.#pending.delete(task.id))
    this.#pending.set(task.id, made)
    return made
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new TaskError('shutdown', 'the daemon was stopped'))
    await this.#turns.idle()
  }

  async #make(taskId: string, medium: string): Promise<string | null> {
    const file = this.#files.pathOf(taskId, medium)
    const isMade = await this.#files.addHidden(taskId, MADE_THUMBNAIL, (workDir) =>
      makeStill(this.#runner, file, this.#contextOf(taskId, { workDir, file })).catch((error: unknown) => {
        if (error instanceof TaskError && NOTHING_TO_SEE.has(error.code)) return null
        throw new Refusal('unavailable', 'No thumbnail can be made at the moment', { cause: error })
      }),
    )
    if (isMade) return MADE_THUMBNAIL
    const [oldest] = this.#without
    if (oldest !== undefined && this.#without.size >= MAX_REMEMBERED) this.#without.delete(oldest)
    this.#without.add(taskId)
    return null
  }

  #contextOf(taskId: string, { workDir, file }: Readonly<{ workDir: string; file: string }>): MediaContext {
    return {
      label: `${taskId}.thumbnail`,
      workDir,
      readable: [file],
      limits: this.#limits,
      timeoutMs: TIMEOUT_MS,
      signal: this.#stopped.signal,
    }
  }
}

/** What the tools say of a medium they cannot make a picture of. */
const NOTHING_TO_SEE: ReadonlySet<string> = new Set(['invalid_media', 'ffmpeg_failed', 'no_media'])
