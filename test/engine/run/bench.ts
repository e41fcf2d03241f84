import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, request, type RequestListener, type Server } from 'node:http'
import { connect, type AddressInfo, type Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'

import { findTools } from '../../../src/engine/find-tools.ts'
import { createForkServer } from '../../../src/engine/run/fork-server.ts'
import type { RunnerOptions } from '../../../src/engine/run/options.ts'
import { createProcesses } from '../../../src/engine/run/processes.ts'
import type { ToolExit, ToolRun, ToolRunner } from '../../../src/engine/tool.ts'
import type { Tools } from '../../../src/engine/tools.ts'
import { waitFor } from '../../support/wait-for.ts'

export const LIMITS = { fileBytes: 2 ** 30, memoryBytes: 0, openFiles: 256, processes: 64 } as const

/** Both ways of running tools. */
export const RUNNERS: readonly (readonly [string, (options: RunnerOptions) => Promise<ToolRunner>])[] = [
  ['fork server', createForkServer],
  ['processes', createProcesses],
]

/** What every yt-dlp of the tests begins with. */
export const PLAIN = ['--ignore-config', '--no-plugin-dirs', '--no-cache-dir', '--no-mtime'] as const

/** A temporary folder, an origin, a proxy to reach it by, and the tools; all gone with `dispose`. */
export type Bench = Readonly<{
  dir: string
  /** `ffmpeg --shell TEXT` runs a shell inside the sandbox, everything else the real ffmpeg. */
  tools: Tools
  instance: string
  origin: string
  originHits: string[]
  files: Map<string, Buffer>
  proxyPort: number
  proxyUrl: string
  options: (more?: Partial<RunnerOptions>) => RunnerOptions
  run: (runner: ToolRunner, run: Partial<ToolRun> & Pick<ToolRun, 'args'>) => Promise<Ran>
  /** The running processes of this bench whose environment has all of `marks`. */
  processes: (...marks: readonly string[]) => Promise<Seen[]>
  dispose: () => Promise<void>
}>

export type Ran = Readonly<{ exit: ToolExit; stdout: readonly string[]; stderr: readonly string[]; workDir: string }>

export async function openBench(): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), 'ytdlpd-test-'))
  const files = new Map<string, Buffer>()
  const originHits: string[] = []
  const origin = await listen(serveFiles(files, originHits))
  const proxy = await listen(forward)
  proxy.on('connect', (incoming, socket) => {
    const [host = '', port = ''] = (incoming.url ?? '').split(':')
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    upstream.on('error', () => socket.destroy())
    socket.on('error', () => upstream.destroy())
  })
  const proxyPort = portOf(proxy)
  const instance = `test${process.pid}x${Math.random().toString(36).slice(2)}`
  const tools = await shellTools(dir)
  const options = (more: Partial<RunnerOptions> = {}): RunnerOptions => ({
    tools,
    sandbox: 'auto',
    forkServer: true,
    egressPort: proxyPort,
    onListener: (server: NetServer) => void server.on('connection', (socket) => proxy.emit('connection', socket)),
    instance,
    log: pino({ level: 'silent' }),
    ...more,
  })
  const proxyUrl = `http://user:word@127.0.0.1:${proxyPort}`
  return {
    ...{ dir, tools, instance, originHits, files, proxyPort, proxyUrl, options },
    origin: `http://127.0.0.1:${portOf(origin)}`,
    run: (runner, run) => runOnce({ dir, proxyUrl }, runner, run),
    processes: (...marks) => processesWith(`YTDLPD_INSTANCE=${instance}`, ...marks),
    dispose: async () => {
      for (const server of [origin, proxy]) {
        server.closeAllConnections()
        await promisify(server.close.bind(server))()
      }
      await rm(dir, { recursive: true, force: true })
      // What the runner of a process that a test has killed could not remove.
      const abandoned = (await readdir(tmpdir())).filter((name) => name.startsWith(`ytdlpd-${instance.slice(0, 16)}-`))
      for (const name of abandoned) await rm(join(tmpdir(), name), { recursive: true, force: true })
    },
  }
}

async function runOnce(
  { dir, proxyUrl }: Readonly<{ dir: string; proxyUrl: string }>,
  runner: ToolRunner,
  run: Partial<ToolRun> & Pick<ToolRun, 'args'>,
): Promise<Ran> {
  const workDir = run.workDir ?? (await mkdtemp(join(dir, 'work-')))
  const stdout: string[] = []
  const stderr: string[] = []
  const exit = await runner.run({
    label: 'task.1',
    tool: 'yt-dlp',
    proxyUrl,
    timeoutMs: 30_000,
    limits: LIMITS,
    signal: new AbortController().signal,
    onStdout: (line) => stdout.push(line),
    onStderr: (line) => stderr.push(line),
    ...run,
    workDir,
  })
  return { exit, stdout, stderr, workDir }
}

export async function realTools(): Promise<Tools> {
  return findTools({
    ytDlpPath: process.env['YTDLP_PATH'] ?? null,
    toolsDir: resolve(import.meta.dirname, '../../../jsons/tools'),
    caFile: null,
    allowOldYtDlp: false,
    pathEnv: process.env['PATH'] ?? '',
  })
}

async function shellTools(dir: string): Promise<Tools> {
  const real = await realTools()
  await mkdir(join(dir, 'programs'))
  const path = join(dir, 'programs/ffmpeg')
  await writeFile(path, `#!/bin/sh\n[ "$2" = --shell ] && exec sh -c "$3"\nexec ${real.ffmpeg.path} "$@"\n`)
  await chmod(path, 0o755)
  return { ...real, ffmpeg: { ...real.ffmpeg, path } }
}

/** `/drip…` sends the file of that name and never ends; `/name` sends it whole. */
function serveFiles(files: ReadonlyMap<string, Buffer>, hits: string[]): RequestListener {
  return (incoming, response) => {
    const path = new URL(incoming.url ?? '/', 'http://origin').pathname
    hits.push(path)
    const isDrip = path.startsWith('/drip/')
    const body = files.get(isDrip ? path.slice(5) : path)
    if (!body) {
      response.writeHead(404).end()
      return
    }
    const type = /\.html$/.test(path) ? 'text/html' : 'video/mp4'
    response.writeHead(200, { 'content-type': type, 'content-length': isDrip ? body.length * 1000 : body.length })
    if (!isDrip) response.end(incoming.method === 'HEAD' ? undefined : body)
    else if (incoming.method === 'HEAD') response.end()
    else response.write(body)
  }
}

const forward: RequestListener = (incoming, response) => {
  const url = new URL(incoming.url ?? '')
  const upstream = request(url, { method: incoming.method, headers: incoming.headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
    answer.on('error', () => response.destroy())
  })
  upstream.on('error', () => response.destroy())
  response.on('close', () => upstream.destroy())
  incoming.pipe(upstream)
}

async function listen(listener: RequestListener): Promise<Server> {
  const server = createServer(listener)
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
  return server
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

export async function ffmpeg(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args])
}

export type Seen = Readonly<{ pid: number; command: string; environment: readonly string[] }>

/** Every process on the machine whose environment has all of `marks`. */
export async function processesWith(...marks: readonly string[]): Promise<Seen[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const seen = await Promise.all(
    pids.map(async (pid) => {
      try {
        const environment = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0').filter(Boolean)
        const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ')
        return { pid: Number(pid), environment, command }
      } catch {
        return null // it ended meanwhile
      }
    }),
  )
  return seen
    .filter((one) => one !== null)
    .filter(({ environment }) => marks.every((mark) => environment.includes(mark)))
}

/** `waitFor` with the patience that runs deserve: nothing of them takes longer. */
export async function waitUntil(
  what: string,
  holds: () => Promise<boolean> | boolean,
  timeoutMs = 10_000,
): Promise<void> {
  await waitFor(what, holds, timeoutMs)
}
