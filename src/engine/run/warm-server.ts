import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Server } from 'node:net'
import { createInterface } from 'node:readline'
import type { Logger } from 'pino'
import { z } from 'zod'

import { readEnd, sendJob, sendOrder } from './channel.ts'
import type { Job } from './job.ts'
import { RunSockets } from './run-sockets.ts'
import { LaunchError, type Launched } from './supervise.ts'

/** Python, yt-dlp and the warm-up take 1–2 s; a busy machine gets more. */
const READY_TIMEOUT_MS = 60_000

/** How long the connections of one run may take to arrive: a fork and three connects. */
const LAUNCH_TIMEOUT_MS = 10_000

/** How long keepers may take to clear up once their server is gone. */
const ORPHAN_MS = 5_000

const CLOSE_GRACE_MS = 2_000

const messageSchema = z.union([
  z.object({ hello: z.literal(true) }),
  z.object({ log: z.string() }),
  z.object({
    ready: z.literal(true),
    landlock: z.number(),
    missing: z.string(),
    listening: z.boolean(),
    version: z.string(),
    package: z.string(),
  }),
])

/** What a server says of itself once it is warm. */
export type WarmReport = Readonly<Extract<z.infer<typeof messageSchema>, { ready: true }>>

/** How a server is started. */
export type WarmServerOptions = Readonly<{
  /** What starts the server; the settings are added to it as the last argument. */
  command: readonly string[]
  instance: string
  env: Readonly<Record<string, string>>
  settings: Readonly<Record<string, unknown>>
  /** The server is to hand over an egress listener of its own network. */
  withListener: boolean
  /** Gives up a start. */
  signal: AbortSignal
  log: Logger
}>

/** The machine does not allow this way of starting; another may work. */
export class NotAllowed extends Error {
  override readonly name = 'NotAllowed'
}

/** The server ended before the run had begun: it can be started elsewhere. */
export class ServerGone extends Error {
  override readonly name = 'ServerGone'
}

/** One fork server process, from its start to its end. */
export class WarmServer implements AsyncDisposable {
  readonly report: WarmReport
  readonly listener: Server | null
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  readonly #sockets: RunSockets
  #alive = true

  private constructor(child: ChildProcess, sockets: RunSockets, started: Started) {
    this.#child = child
    this.#sockets = sockets
    this.report = started.report
    this.listener = started.listener
    this.ended = started.ended.then(() => {
      this.#alive = false
      this.listener?.close()
      setTimeout(() => sockets.breakAll(), ORPHAN_MS).unref()
    })
  }

  /** Resolves when the server is warm. Throws NotAllowed when its process could not even begin. */
  static async start(options: WarmServerOptions): Promise<WarmServer> {
    const sockets = await RunSockets.listen(options.instance)
    const [program = '', ...args] = options.command
    const child = spawn(program, [...args, JSON.stringify({ ...options.settings, socket: sockets.path })], {
      cwd: '/',
      env: options.env,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', ...(options.withListener ? (['ipc'] as const) : [])],
    })
    child.stdin?.on('error', () => {}) // a server that is gone shows by its exit
    const giveUp = () => child.kill('SIGKILL')
    options.signal.addEventListener('abort', giveUp)
    try {
      if (options.signal.aborted) giveUp()
      return new WarmServer(child, sockets, await start(child, options))
    } catch (error) {
      child.kill('SIGKILL')
      await sockets[Symbol.asyncDispose]()
      throw error
    } finally {
      options.signal.removeEventListener('abort', giveUp)
    }
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Starts a run. Throws ServerGone while it is safe to start it elsewhere, LaunchError later. */
  async launch(job: Job): Promise<Launched> {
    if (!this.#alive) throw new ServerGone('the fork server has ended')
    const token = randomBytes(16).toString('hex')
    const streams = this.#sockets.expect(token, LAUNCH_TIMEOUT_MS)
    this.#child.stdin?.write(`${token}\n`)
    const control = await Promise.race([streams.control, this.ended.then(() => null)]).catch(() => null)
    if (!control) throw new ServerGone('the fork server did not start the run')
    sendJob(control, job)
    const ended = readEnd(control)
    const others = await Promise.all([streams.out, streams.err]).catch((cause: unknown) => {
      control.destroy()
      throw new LaunchError('the run was not started', { cause })
    })
    return {
      stdout: others[0],
      stderr: others[1],
      interrupt: () => sendOrder(control, 'I'),
      kill: () => sendOrder(control, 'K'),
      ended: ended.finally(() => control.end()),
    }
  }

  /** Ends the server and every run it has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_GRACE_MS)
    await this.ended
    clearTimeout(timer)
    await this.#sockets[Symbol.asyncDispose]()
  }
}

type Started = Readonly<{ report: WarmReport; listener: Server | null; ended: Promise<void> }>

async function start(child: ChildProcess, options: WarmServerOptions): Promise<Started> {
  const { promise: ready, resolve, reject } = Promise.withResolvers<WarmReport>()
  const handed = Promise.withResolvers<Server>()
  handed.promise.catch(() => {}) // asked for only where one is to come
  const giveUp = (error: Error) => {
    reject(error)
    handed.reject(error)
  }
  const ended = new Promise<void>((settle) => {
    child.once('exit', () => settle())
    child.once('error', () => settle())
  })
  const seen = { hello: false, trouble: '' }
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = parseMessage(line)
      if ('hello' in message) seen.hello = true
      else if ('log' in message) options.log.warn({ detail: message.log }, 'fork server')
      else resolve(message)
    })
  }
  if (child.stderr) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      seen.trouble = line
      if (seen.hello) options.log.warn({ detail: line }, 'fork server')
    })
  }
  child.once('message', (_message, handle) => handed.resolve(handle as Server))
  void ended.then(() => {
    const text = `the fork server ended at its start: ${seen.trouble}`
    giveUp(seen.hello ? new Error(text) : new NotAllowed(text))
  })
  const timer = setTimeout(() => giveUp(new Error('the fork server did not get ready')), READY_TIMEOUT_MS)
  try {
    const report = await ready
    if (!options.withListener) return { report, listener: null, ended }
    if (!report.listening) throw new NotAllowed('no listener could be opened in a network namespace')
    const listener = await handed.promise
    if (child.connected) child.disconnect()
    return { report, listener, ended }
  } catch (error) {
    // A channel, or a listener that came too late, would keep the daemon alive.
    if (child.connected) child.disconnect()
    handed.promise.then((listener) => listener.close()).catch(() => {}) // none came
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** A line that is no message of ours, such as a warning printed by an import, is something to log. */
function parseMessage(line: string): z.infer<typeof messageSchema> {
  try {
    return messageSchema.parse(JSON.parse(line))
  } catch {
    return { log: line }
  }
}
