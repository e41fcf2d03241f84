import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { KeyStore } from '../../src/db/key-store.ts'
import { createApp } from '../../src/http/app.ts'
import type { CoreContext } from '../../src/http/core/context.ts'
import { Keys } from '../../src/keys/keys.ts'
import { openSeal } from '../../src/keys/seal.ts'
import { Health } from '../../src/tasks/health.ts'
import { TaskService } from '../../src/tasks/service.ts'
import { RunnerRig } from './runner-rig.ts'
import { openGround, SILENT } from './samples.ts'

export type Answer = Readonly<{ status: number; headers: Headers; body: Record<string, unknown>; text: string }>

export type CoreServer = AsyncDisposable &
  Readonly<{
    rig: RunnerRig
    keys: Keys
    ctx: CoreContext
    admin: string
    call: (method: string, path: string, options?: CallOptions) => Promise<Answer>
  }>

export type CallOptions = Readonly<{ key?: string | null; body?: unknown; headers?: Readonly<Record<string, string>> }>

/** The core API on a port of its own with a real database and files, and nothing behind it that runs tasks. */
export async function startCore(settings: Partial<CoreContext['settings']> = {}): Promise<CoreServer> {
  await using stack = new AsyncDisposableStack()
  const rig = stack.use(new RunnerRig(await openGround(), 'hold', {}))
  const { tasks, files, store } = rig.ground
  const seal = openSeal(`${rig.ground.dir}/state`)
  const keys = await Keys.open(new KeyStore(store.db), seal)
  const admin = (await keys.ensureAdmin(null)) ?? ''
  const limits = { maxQueue: 1e6, maxQueuedPerKey: 0, maxBytesPerKeyPerDay: 0, minFreeBytes: 0 }
  const service = new TaskService({ store: tasks, runner: rig.runner, files, limits, checkUrl: () => null })
  const facts = {
    version: '0',
    ytDlpVersion: '0',
    ffmpegVersion: '0',
    sandbox: { landlock: false, namespaces: false, network: 'open' },
    engine: () => 'none',
    egress: { proxied: true, upstream: false },
  } as const
  const ctx: CoreContext = {
    tasks: service,
    keys,
    files,
    seal,
    health: new Health({ store: tasks, files, runner: rig.runner, facts }),
    log: SILENT,
    settings: {
      publicBaseUrl: null,
      publicFiles: false,
      publicStatus: false,
      revealKeys: true,
      retentionMs: 600_000,
      requestLimit: 1_000_000,
      requestWindowMs: 600_000,
      ...settings,
    },
  }
  const app = createApp(ctx, { trustProxy: false })
  const server = http.createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const owned = stack.move()
  return {
    rig,
    keys,
    ctx,
    admin,
    call: (method, path, options = {}) => call(base, method, path, { key: admin, ...options }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Sends text as it stands, anything else as JSON; the path goes out as it is written. */
async function call(origin: string, method: string, path: string, options: CallOptions): Promise<Answer> {
  const { key, body, headers } = options
  const request = http.request(`${origin}/`, {
    method,
    path,
    headers: {
      ...(key === null || key === undefined ? {} : { 'X-API-Key': key }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
  })
  request.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body))
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  const received = await text(response)
  const isJson = response.headers['content-type']?.includes('json') ?? false
  return {
    status: response.statusCode ?? 0,
    headers: new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
    body: isJson && received !== '' ? (JSON.parse(received) as Record<string, unknown>) : {},
    text: received,
  }
}
