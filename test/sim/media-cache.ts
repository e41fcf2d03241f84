import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The longest that making one file may take; the slowest (4K VP9) needs about 15 s on two cores. */
const MAKE_TIMEOUT_MS = 120_000

/**
 * Media files made by ffmpeg on first use and kept in one folder. Safe for several processes at once: a file appears
 * under its name whole or not at all. Disposing kills what is still being made.
 */
export class MediaCache implements AsyncDisposable {
  readonly dir: string
  readonly #pending = new Map<string, Promise<string>>()
  readonly #stop = new AbortController()

  constructor(dir: string) {
    this.dir = dir
  }

  /** Path of `name`; when it is missing, ffmpeg is run with `args` and the output path after them. */
  file(name: string, args: () => Promise<readonly string[]> | readonly string[]): Promise<string> {
    return this.#once(name, async (temporary) => this.ffmpeg([...(await args()), temporary]))
  }

  /** Path of the folder `name`; when it is missing, `build` fills a new one. */
  folder(name: string, build: (dir: string) => Promise<void>): Promise<string> {
    return this.#once(name, async (temporary) => {
      await mkdir(temporary)
      await build(temporary)
    })
  }

  /** Runs ffmpeg quietly; rejects with its messages when it fails. */
  async ffmpeg(args: readonly string[]): Promise<void> {
    const options = {
      timeout: MAKE_TIMEOUT_MS,
      maxBuffer: 1 << 24,
      signal: this.#stop.signal,
      killSignal: 'SIGKILL',
    } as const
    await run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args], options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.allSettled(this.#pending.values())
  }

  #once(name: string, make: (temporary: string) => Promise<void>): Promise<string> {
    const file = path.join(this.dir, name)
    if (existsSync(file)) return Promise.resolve(file)
    let pending = this.#pending.get(file)
    if (!pending) {
      pending = this.#make(file, make).finally(() => this.#pending.delete(file))
      this.#pending.set(file, pending)
    }
    return pending
  }

  async #make(file: string, make: (temporary: string) => Promise<void>): Promise<string> {
    const temporary = path.join(path.dirname(file), `.${process.pid}.${randomUUID()}.${path.basename(file)}`)
    await mkdir(path.dirname(file), { recursive: true })
    try {
      await make(temporary)
      await rename(temporary, file)
    } catch (error) {
      // A folder cannot replace one that another process has just finished: theirs serves as well.
      if (!existsSync(file)) throw error
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
    return file
  }
}
