import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Logger } from 'pino'

import type { SandboxState, ToolExit, ToolRun, ToolRunner } from '../tool.ts'
import type { Tools } from '../tools.ts'
import { refuseUnlessConfined } from './detect.ts'
import { baseEnvironment, buildJob, standingOptions, type Installation } from './job.ts'
import { ISOLATIONS, serverCommand, type Isolation } from './namespaces.ts'
import { OpenRuns } from './open-runs.ts'
import type { RunnerOptions } from './options.ts'
import { LISTENER_PROGRAM } from './places.ts'
import { launchProcess } from './launch-process.ts'
import { LaunchError, type Launched } from './supervise.ts'
import { NotAllowed, ServerGone, WarmServer } from './warm-server.ts'

/** Least time between two starts; doubles with each start that comes to nothing, up to the longest. */
const RESTART_MS = 1_000
const MAX_RESTART_MS = 60_000

/** After so many starts in a row that came to nothing, runs stop waiting for the next and are processes of their own. */
const MAX_FAILURES = 3

/** How often, at most, the files of yt-dlp are looked at. */
const VERSION_CHECK_MS = 10_000

/** For tests: ways of isolation to try, in order, and how often the files of yt-dlp are looked at. */
export type ForkServerTuning = Readonly<{ isolations?: readonly Isolation[]; versionCheckMs?: number }>

/** Room in the environment of the server for the label of the run a fork of it belongs to. */
const LABEL_ROOM = 120

/**
 * Runs as forks of a warm yt-dlp. Rejects when the server cannot be started, or not as confined as `sandbox` requires.
 * A server that dies, or whose yt-dlp has been replaced, is followed by a new one; until that is warm, runs are processes.
 */
export async function createForkServer(options: RunnerOptions, tuning: ForkServerTuning = {}): Promise<ToolRunner> {
  const python = options.tools.ytDlp.python
  if (!python) throw new Error('a fork server needs a yt-dlp that Python can import')
  const runner = new ForkServer(options, python, tuning)
  try {
    await runner.begin()
    return runner
  } catch (error) {
    await runner[Symbol.asyncDispose]()
    throw error
  }
}

type Python = NonNullable<Tools['ytDlp']['python']>

type Current = { readonly server: WarmServer; readonly stamp: string; runs: number }

class ForkServer implements ToolRunner {
  readonly mode = 'fork-server'
  readonly #options: RunnerOptions
  readonly #python: Python
  readonly #log: Logger
  readonly #versionCheckMs: number
  readonly #runs = new OpenRuns()
  readonly #servers = new Set<WarmServer>()
  #sandbox: SandboxState = { landlock: false, namespaces: false, network: 'open' }
  /** The first has worked, or is to be tried. */
  #isolations: readonly Isolation[]
  #current: Current | null = null
  #starting: Promise<void> | null = null
  #failures = 0
  #lastStart = -Infinity
  #lastCheck = -Infinity

  constructor(options: RunnerOptions, python: Python, { isolations = ISOLATIONS, versionCheckMs }: ForkServerTuning) {
    this.#options = options
    this.#python = python
    this.#log = options.log
    this.#isolations = options.sandbox === 'off' ? ['none'] : isolations
    this.#versionCheckMs = versionCheckMs ?? VERSION_CHECK_MS
  }

  get sandbox(): SandboxState {
    return this.#sandbox
  }

  get runs(): number {
    return this.#runs.size
  }

  isWell(): boolean {
    if (!this.#current) this.#restart()
    return this.#current?.server.alive ?? false
  }

  /** The first start, which has to succeed. */
  begin(): Promise<void> {
    return this.#start()
  }

  run(run: ToolRun): Promise<ToolExit> {
    return this.#runs.run(run, () => this.#launch(run))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#runs.close(), this.#starting])
    await Promise.all([...this.#servers].map((server) => server[Symbol.asyncDispose]()))
  }

  async #launch(run: ToolRun): Promise<Launched> {
    await this.#retireReplaced()
    if (!this.#current) this.#restart()
    if (!this.#current && !this.#mayBeProcess) await this.#starting
    const current = this.#current
    if (!current) return this.#launchProcess(run)
    current.runs += 1
    try {
      const launched = await current.server.launch(buildJob(this.#installation, run, 'call'))
      void launched.ended.then((end) => this.#release(current, end.kind !== 'lost'))
      return launched
    } catch (error) {
      this.#release(current, false)
      if (error instanceof ServerGone) return this.#launchProcess(run)
      throw error
    }
  }

  /** A process of its own shares the network of the daemon: below Landlock 4 nothing confines it. */
  get #mayBeProcess(): boolean {
    return this.#options.sandbox !== 'require' || Number(this.#sandbox.landlock) >= 4
  }

  #launchProcess(run: ToolRun): Promise<Launched> {
    if (!this.#mayBeProcess)
      throw new LaunchError('the fork server is not running, and SANDBOX=require allows no other run')
    return launchProcess(this.#python.path, buildJob(this.#installation, run, 'process'))
  }

  get #installation(): Installation {
    const { tools, instance, sandbox } = this.#options
    return { tools, instance, confine: sandbox === 'off' ? null : { landlock: this.#sandbox.landlock !== false } }
  }

  #release(current: Current, wasWell: boolean): void {
    current.runs -= 1
    if (wasWell) this.#failures = 0
    if (current !== this.#current && current.runs === 0) void this.#close(current.server)
  }

  async #close(server: WarmServer): Promise<void> {
    await server[Symbol.asyncDispose]()
    this.#servers.delete(server)
  }

  /** A new yt-dlp gets a new server; the old one ends with its last run. */
  async #retireReplaced(): Promise<void> {
    const current = this.#current
    if (!current || performance.now() - this.#lastCheck < this.#versionCheckMs) return
    this.#lastCheck = performance.now()
    if ((await stampOf(current.server.report.package)) === current.stamp || this.#current !== current) return
    this.#log.info({ version: current.server.report.version }, 'yt-dlp was replaced, starting a new fork server')
    this.#current = null
    if (current.runs === 0) void this.#close(current.server)
  }

  /** Starts a server in the background, if none is starting and the last start is long enough ago. */
  #restart(): void {
    const pause = Math.min(RESTART_MS * 2 ** this.#failures, MAX_RESTART_MS)
    const tooSoon = performance.now() - this.#lastStart < pause
    if (this.#current || this.#starting || tooSoon || this.#runs.closing.aborted) return
    this.#starting = this.#start()
      .catch((error: unknown) => {
        if (this.#runs.closing.aborted) return // given up, with everything else
        this.#failures += 1
        const level = this.#failures >= MAX_FAILURES ? 'error' : 'warn'
        this.#log[level]({ err: error, failures: this.#failures }, 'fork server not started, runs are processes')
      })
      .finally(() => {
        this.#starting = null
      })
  }

  async #start(): Promise<void> {
    this.#lastStart = performance.now()
    const [server, isolation] = await this.#startIsolated()
    this.#servers.add(server)
    this.#lastCheck = performance.now()
    const current: Current = { server, stamp: await stampOf(server.report.package), runs: 0 }
    this.#sandbox = stateOf(server, isolation)
    if (this.#options.sandbox === 'require') refuseUnlessConfined(this.#sandbox, server.report.missing)
    this.#current = current
    if (server.listener && !this.#runs.closing.aborted) this.#options.onListener(server.listener)
    this.#log.info({ version: server.report.version, sandbox: this.#sandbox }, 'fork server ready')
    void server.ended.then(() => this.#onEnd(current))
  }

  /** Takes the best isolation the machine allows, and stays with it. */
  async #startIsolated(): Promise<readonly [WarmServer, Isolation]> {
    for (;;) {
      const [isolation = 'none', ...others] = this.#isolations
      try {
        return [await WarmServer.start(this.#serverOptions(isolation)), isolation]
      } catch (error) {
        if (!(error instanceof NotAllowed) || others.length === 0 || this.#runs.closing.aborted) throw error
        this.#log.info({ isolation, reason: error.message }, 'isolation not available')
        this.#isolations = others
      }
    }
  }

  #serverOptions(isolation: Isolation) {
    const { tools, sandbox, egressPort, log } = this.#options
    return {
      command: serverCommand(this.#python.path, isolation),
      instance: this.#options.instance,
      env: { ...baseEnvironment(this.#options), HOME: '/nonexistent', YTDLPD_JOB: '_'.repeat(LABEL_ROOM) },
      settings: {
        parent: process.pid,
        confine: sandbox !== 'off',
        listener: isolation === 'network' ? [process.execPath, LISTENER_PROGRAM, String(egressPort)] : null,
        modulePath: this.#python.modulePath,
        options: standingOptions(tools),
      },
      withListener: isolation === 'network',
      signal: this.#runs.closing,
      log,
    }
  }

  #onEnd(current: Current): void {
    if (this.#runs.closing.aborted) return
    if (this.#current === current) {
      this.#current = null
      this.#failures += 1
      this.#log.warn({ runs: current.runs }, 'fork server ended unexpectedly')
      this.#restart()
    }
    if (current.runs === 0) void this.#close(current.server)
  }
}

function stateOf(server: WarmServer, isolation: Isolation): SandboxState {
  const { landlock } = server.report
  const network = isolation === 'network' ? 'namespace' : landlock >= 4 ? 'landlock' : 'open'
  return { landlock: landlock || false, namespaces: isolation !== 'none', network }
}

/** Changes when the files of yt-dlp do: its version file, or the archive it is imported from. */
async function stampOf(packageFile: string): Promise<string> {
  const archive = /^(?<path>.*?)\/yt_dlp\/__init__\.py[co]?$/.exec(packageFile)?.groups?.['path'] ?? packageFile
  for (const path of [join(dirname(packageFile), 'version.py'), archive]) {
    const found = await stat(path).catch(() => null) // not here: an archive has no files
    if (found) return `${found.ino}:${found.mtimeMs}:${found.size}`
  }
  return 'gone'
}
