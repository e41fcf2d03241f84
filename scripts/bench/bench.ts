import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { findTools } from '../../src/engine/find-tools.ts'
import type { Tools } from '../../src/engine/tools.ts'
import { type Sim, startSim } from '../../test/sim/index.ts'
import { type Settings, startTestDaemon, type TestDaemon } from '../../test/support/daemon.ts'
import { type Origin, startOrigin } from '../../test/support/origin.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const BARE_TIMEOUT_MS = 300_000

/** What the measurements share: sites on loopback, each started on first demand, and yt-dlp as everybody runs it. */
export class Bench implements AsyncDisposable {
  /** Fewer rounds of smaller things: for seeing that everything works. */
  readonly quick: boolean
  readonly #stack = new AsyncDisposableStack()
  readonly #tools: Tools
  readonly #dir: string
  #origin: Promise<Origin> | null = null
  #sim: Promise<Sim> | null = null
  #count = 0

  private constructor(quick: boolean, tools: Tools, dir: string) {
    this.quick = quick
    this.#tools = tools
    this.#dir = dir
    this.#stack.defer(() => rm(dir, { recursive: true, force: true }))
  }

  static async open(quick: boolean): Promise<Bench> {
    const tools = await findTools({
      ytDlpPath: process.env['YTDLP_PATH'] ?? null,
      toolsDir: path.join(ROOT, 'jsons/tools'),
      caFile: null,
      allowOldYtDlp: false,
      pathEnv: process.env['PATH'] ?? '',
    })
    return new Bench(quick, tools, await mkdtemp(path.join(tmpdir(), 'ytdlpd-bench-')))
  }

  /** An empty folder; gone with the bench. */
  folder(): Promise<string> {
    return mkdtemp(path.join(this.#dir, 'folder-'))
  }

  /** A number that nothing else of this bench was given. */
  next(): number {
    return ++this.#count
  }

  origin(): Promise<Origin> {
    return (this.#origin ??= startOrigin().then((origin) => this.#stack.use(origin)))
  }

  sim(): Promise<Sim> {
    return (this.#sim ??= startSim({ sites: ['youtube'] }).then((sim) => this.#stack.use(sim)))
  }

  /** A daemon of its own, as it comes but for a rate limit. Use with `await using`. */
  daemon(settings: Settings = {}): Promise<TestDaemon> {
    return startTestDaemon({ REQUEST_LIMIT: '1000000', LOG_LEVEL: 'warn', ...settings })
  }

  /** As `daemon`, with the simulator as its internet and nothing remembered between tasks. */
  async simDaemon(settings: Settings = {}): Promise<TestDaemon> {
    const sim = await this.sim()
    return this.daemon({ PROXY_URL: sim.url, CA_FILE: sim.caFile, INFO_CACHE_SECONDS: '0', ...settings })
  }

  /**
   * Runs yt-dlp as a process to its end, in an empty folder that is removed afterwards, with its compiled bytecode and
   * the network of `sim`, without one directly. Rejects when it fails.
   */
  async bare(args: readonly string[], sim: Sim | null = null): Promise<string> {
    const cwd = await this.folder()
    const network = sim === null ? ['--proxy', ''] : ['--proxy', sim.url, '--compat-options', 'no-certifi']
    const tools = ['--ffmpeg-location', this.#tools.ffmpeg.path, '--js-runtimes', `node:${this.#tools.nodePath}`]
    const [program = '', ...command] = this.#tools.ytDlp.command
    const child = spawn(program, [...command, '--ignore-config', '--no-cache-dir', ...tools, ...network, ...args], {
      cwd,
      env: this.#environment(cwd, sim),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: BARE_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    const closed = once(child, 'close')
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
    await closed
    await rm(cwd, { recursive: true, force: true })
    if (child.exitCode !== 0) throw new Error(`yt-dlp ${args.join(' ')} failed:\n${err}`)
    return out
  }

  #environment(cwd: string, sim: Sim | null): Record<string, string | undefined> {
    const modulePath = this.#tools.ytDlp.python?.modulePath ?? null
    return {
      PATH: process.env['PATH'],
      HOME: cwd,
      LANG: 'C.UTF-8',
      ...(modulePath === null ? {} : { PYTHONPATH: modulePath }),
      ...(sim === null ? {} : { SSL_CERT_FILE: sim.caFile }),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
