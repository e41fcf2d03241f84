import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { Client } from './client.ts'

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const START_TIMEOUT_MS = 30_000

/** The value of the key `admin` in every test daemon. */
export const ADMIN_KEY = 'test-admin-key-0123456789abcdefghijklmnopqrs'

export type Settings = Readonly<Record<string, string>>

/** A whole daemon as a user runs it: a process of its own, real tools, real database, in a temporary folder. */
export class TestDaemon implements AsyncDisposable {
  readonly dir: string
  readonly #settings: Settings
  readonly #launcher: readonly string[]
  readonly lines: string[] = []
  url = ''
  #child: ChildProcess | null = null

  /** `launcher`: a command that becomes the one behind it. */
  constructor(dir: string, settings: Settings, launcher: readonly string[] = []) {
    this.dir = dir
    this.#settings = settings
    this.#launcher = launcher
  }

  get downloads(): string {
    return path.join(this.dir, 'downloads')
  }

  get state(): string {
    return path.join(this.dir, 'jsons')
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** What it printed, all of it. */
  get output(): string {
    return this.lines.join('\n')
  }

  /** A client that uses `key`; the admin's when left out, none when null. */
  client(key: string | null = ADMIN_KEY): Client {
    return new Client(this.url, key)
  }

  async start(more: Settings = {}): Promise<void> {
    const env = { ...process.env, ...environment(this.dir), ...this.#settings, ...more }
    const [program, ...args] = [...this.#launcher, process.execPath, 'src/main.ts']
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const from = this.lines.length
    const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
    try {
      this.url = await new Promise<string>((resolve, reject) => {
        for (const stream of [child.stdout, child.stderr]) {
          createInterface({ input: stream }).on('line', (line) => {
            this.lines.push(line)
            const url = /^ytdlpd listens on (\S+)$/.exec(line)?.[1]
            if (url !== undefined) resolve(url)
          })
        }
        child.once('close', () => reject(new Error(`the daemon did not start:\n${this.lines.slice(from).join('\n')}`)))
      })
    } finally {
      clearTimeout(timer)
    }
  }

  /** Ends the process with `signal` and resolves to its exit code when it is gone; null where a signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
    const closed = once(child, 'close')
    child.kill(signal)
    await closed
    return child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
    await fs.rm(this.dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Nothing of the tester's own environment decides how a test daemon behaves. */
function environment(dir: string): Record<string, string | undefined> {
  return {
    HOST: '127.0.0.1',
    PORT: '0',
    DOWNLOAD_DIR: path.join(dir, 'downloads'),
    STATE_DIR: path.join(dir, 'jsons'),
    CONFIG_DIR: path.join(dir, 'config'),
    TOOLS_DIR: path.join(ROOT, 'jsons', 'tools'),
    ADMIN_API_KEY: ADMIN_KEY,
    REQUEST_LIMIT: '100000',
    MIN_FREE_BYTES: '1M',
    EGRESS_ALLOW: '127.0.0.1/32',
    SHUTDOWN_GRACE: '5',
    LOG_LEVEL: 'info',
    PROXY_URL: undefined,
    CA_FILE: undefined,
    NO_COLOR: '1',
  }
}

/** Starts a daemon in a folder of its own. Use with `await using`: disposing kills it and removes the folder. */
export async function startTestDaemon(settings: Settings = {}): Promise<TestDaemon> {
  const daemon = await createTestDaemon(settings)
  try {
    await daemon.start()
    return daemon
  } catch (error) {
    await daemon[Symbol.asyncDispose]()
    throw error
  }
}

/** A daemon's folder, not started yet: a test may put files there before. */
export async function createTestDaemon(settings: Settings = {}): Promise<TestDaemon> {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'ytdlpd-test-'))
  return new TestDaemon(dir, settings)
}
