import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `<32 hex digits> control\n` is the longest greeting. */
const MAX_GREETING_BYTES = 64

const GREETING_TIMEOUT_MS = 5_000

const GREETING = /^(?<token>[0-9a-f]{32}) (?<stream>control|out|err)$/

/** The connections of one run. */
export type StreamName = 'control' | 'out' | 'err'

/** Each as soon as it is made. */
export type Streams = Readonly<Record<StreamName, Promise<Socket>>>

type Expected = Record<StreamName, PromiseWithResolvers<Socket>>

/**
 * Where the keepers of forked runs connect: a Unix socket in a private folder. A connection is worth nothing without the
 * secret token of a run that is being started, each of whose three streams is taken once.
 */
export class RunSockets implements AsyncDisposable {
  readonly path: string
  readonly #folder: string
  readonly #server: Server
  readonly #expected = new Map<string, Expected>()
  readonly #open = new Set<Socket>()

  private constructor(folder: string) {
    this.#folder = folder
    this.path = join(folder, 'runs')
    this.#server = createServer({ allowHalfOpen: false }, (socket) => this.#admit(socket))
  }

  /** Also removes what killed daemons of this installation left behind. */
  static async listen(instance: string): Promise<RunSockets> {
    await removeAbandoned(instance)
    const sockets = new RunSockets(await mkdtemp(join(tmpdir(), `${folderPrefix(instance)}${process.pid}-`)))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    sockets.#server.once('error', reject).listen(sockets.path, resolve)
    await promise
    return sockets
  }

  /** The three connections of a run, as they come; they reject after `timeoutMs`. */
  expect(token: string, timeoutMs: number): Streams {
    const expected: Expected = {
      control: Promise.withResolvers(),
      out: Promise.withResolvers(),
      err: Promise.withResolvers(),
    }
    this.#expected.set(token, expected)
    const give = () => {
      this.#expected.delete(token)
      for (const { reject } of Object.values(expected)) reject(new Error('the run did not connect'))
    }
    const timer = setTimeout(give, timeoutMs)
    const streams = { control: expected.control.promise, out: expected.out.promise, err: expected.err.promise }
    void Promise.allSettled(Object.values(streams)).then(() => {
      clearTimeout(timer)
      this.#expected.delete(token)
    })
    return streams
  }

  /** Breaks every connection, and with it whatever waits for one. */
  breakAll(): void {
    for (const expected of this.#expected.values()) {
      for (const { reject } of Object.values(expected)) reject(new Error('the fork server is gone'))
    }
    for (const socket of this.#open) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.breakAll()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
    await rm(this.#folder, { recursive: true, force: true })
  }

  #admit(socket: Socket): void {
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
    socket.on('error', () => socket.destroy())
    const timer = setTimeout(() => socket.destroy(), GREETING_TIMEOUT_MS)
    const onReadable = () => {
      const greeting = readGreeting(socket)
      if (greeting === null) return
      clearTimeout(timer)
      socket.off('readable', onReadable)
      this.#take(socket, greeting)
    }
    socket.once('close', () => clearTimeout(timer))
    socket.on('readable', onReadable)
  }

  #take(socket: Socket, greeting: string): void {
    const { token = '', stream } = GREETING.exec(greeting)?.groups ?? {}
    const expected = this.#expected.get(token)
    if (expected) expected[stream as StreamName].resolve(socket)
    else socket.destroy()
  }
}

/** The first line, without taking what follows it; null until it is there. A line that is too long reads as empty. */
function readGreeting(socket: Socket): string | null {
  const bytes = socket.read() as Buffer | null
  if (bytes === null) return null
  const end = bytes.indexOf(0x0a)
  if (end === -1 || end > MAX_GREETING_BYTES) {
    if (bytes.length > MAX_GREETING_BYTES) return ''
    socket.unshift(bytes)
    return null
  }
  if (end + 1 < bytes.length) socket.unshift(bytes.subarray(end + 1))
  return bytes.toString('latin1', 0, end)
}

/** Short: the path of a Unix socket has at most 107 bytes. */
function folderPrefix(instance: string): string {
  return `ytdlpd-${instance.slice(0, 16)}-`
}

/** The folders of daemons of this installation that were killed. */
async function removeAbandoned(instance: string): Promise<void> {
  const prefix = folderPrefix(instance)
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN
    if (pid > 0 && !isRunning(pid)) await rm(join(tmpdir(), name), { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
