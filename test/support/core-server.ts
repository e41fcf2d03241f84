import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { ArchiveStore } from '../../src/db/archive-store.ts'
import { AuditLog } from '../../src/db/audit-log.ts'
import { CreditHolds } from '../../src/db/credit-holds.ts'
import { CookieStore } from '../../src/db/cookie-store.ts'
import { KeyStore } from '../../src/db/key-store.ts'
import { UsageLog } from '../../src/db/usage.ts'
import { tasksByState, webhooksWaiting } from '../../src/db/totals.ts'
import { createEgress, createEgressFetch, createEgressOpen, createPolicy } from '../../src/engine/egress/index.ts'
import { withHosts } from '../../src/domain/media-hosts.ts'
import { TaskError, type TaskErrorCode } from '../../src/domain/errors.ts'
import { createApp } from '../../src/http/app.ts'
import type { AppContext } from '../../src/http/app.ts'
import { createWebhooks } from '../../src/http/v1/create-webhooks.ts'
import { EventStreams } from '../../src/http/v1/event-streams.ts'
import { Audit } from '../../src/keys/audit.ts'
import { CookieJars } from '../../src/keys/cookie-jars.ts'
import { Keys } from '../../src/keys/keys.ts'
import { openSeal } from '../../src/keys/seal.ts'
import { createFileServices } from '../../src/tasks/file-services.ts'
import { Health } from '../../src/tasks/health.ts'
import { DetailReads, type DetailOptions } from '../../src/tasks/details.ts'
import { Lookups } from '../../src/tasks/lookup.ts'
import { Posts, type PostsOptions } from '../../src/tasks/posts.ts'
import { Metrics } from '../../src/tasks/metrics.ts'
import { SitePresets } from '../../src/tasks/site-presets.ts'
import { Sites } from '../../src/tasks/sites.ts'
import { createPlainRunner } from './plain-runner.ts'
import { checkAnswer } from './openapi.ts'
import { RunnerRig } from './runner-rig.ts'
import { openGround, SILENT } from './samples.ts'
import { openTaskServices } from './task-services.ts'

export type Answer = Readonly<{ status: number; headers: Headers; body: Record<string, unknown>; text: string }>

export type CoreServer = AsyncDisposable &
  Readonly<{
    rig: RunnerRig
    keys: Keys
    ctx: AppContext
    admin: string
    url: string
    call: (method: string, path: string, options?: CallOptions) => Promise<Answer>
  }>

export type CallOptions = Readonly<{ key?: string | null; body?: unknown; headers?: Readonly<Record<string, string>> }>

/** The core API on a port of its own with a real database and files, and nothing behind it that runs tasks. */
export async function startCore(
  settings: Partial<AppContext['settings']> = {},
  lookup: Partial<DetailOptions> = {},
  posts: Partial<PostsOptions> = {},
): Promise<CoreServer> {
  await using stack = new AsyncDisposableStack()
  const rig = stack.use(new RunnerRig(await openGround(), 'hold', {}))
  const { tasks, files, store } = rig.ground
  const seal = openSeal(`${rig.ground.dir}/state`)
  const keyStore = new KeyStore(store.db)
  const keys = await Keys.open(keyStore, seal)
  const admin = (await keys.ensureAdmin(null)) ?? ''
  const policy = createPolicy({ allowPrivate: false, allow: ['127.0.0.1/32'], ownPorts: () => new Set() })
  const checkUrl = (url: string) => {
    const verdict = policy.checkUrl(url)
    return verdict.ok ? null : verdict.reason
  }
  const taskServices = await openTaskServices(rig, { checkUrl })
  const service = taskServices.tasks
  const jars = new CookieJars(new CookieStore(store.db), seal)
  const presets = stack.use(await SitePresets.open(`${rig.ground.dir}/config`, SILENT))
  const sites = new Sites({ jars, presets, log: SILENT })
  const facts = {
    version: '0',
    ytDlpVersion: '0',
    ffmpegVersion: '0',
    galleryDlVersion: null,
    sandbox: { landlock: false, namespaces: false, network: 'open' },
    engine: () => 'none',
    engineFault: () => null,
    egress: { proxied: true, upstream: false },
  } as const
  const runner = stack.use(createPlainRunner())
  const fileServices = createFileServices({ db: store.db, files, runner, maxMemoryBytes: 0, log: SILENT }, stack)
  const { events } = rig.ground
  const streams = stack.use(new EventStreams({ events, tasks: service, keys, log: SILENT }))
  const egress = stack.use(await createEgress({ policy, upstream: null, caFile: null, log: SILENT }))
  const fetch = createEgressFetch(egress)
  const webhooks = stack.use(
    createWebhooks({ db: store.db, seal, fetch, tasks: service, events, log: SILENT, waits: [20, 20, 20] }),
  )
  const outside = {
    files,
    sites,
    egress,
    checkUrl,
    coolingSites: () => rig.runner.coolingSites(),
    onFailure: (site: string, code: TaskErrorCode) => rig.runner.strike(site, code),
    infoCacheMs: 60_000,
    stallMs: 60_000,
    maxFileBytes: 2 ** 30,
    maxMemoryBytes: 0,
  }
  const reading = {
    extract: () => Promise.reject(new TaskError('unsupported_url', 'no site answers here')),
    ...outside,
    ...lookup,
  }
  const lookups = stack.use(new Lookups(reading))
  const details = stack.use(
    new DetailReads({ rows: () => Promise.reject(new TaskError('login_required', 'no cookies')), ...reading }),
  )
  const ctx: AppContext = {
    ...fileServices,
    ...taskServices,
    lookups,
    details,
    credits: await CreditHolds.open(store.db, keyStore),
    openMedia: createEgressOpen(egress),
    mediaHosts: withHosts({ instagram: ['127.0.0.1'] }),
    posts: stack.use(
      new Posts({
        read: () => Promise.reject(new TaskError('no_media', 'no site answers here')),
        fetch,
        ...outside,
        ...posts,
      }),
    ),
    archive: new ArchiveStore(store.db),
    events,
    streams,
    webhooks,
    keys,
    jars,
    sites,
    files,
    seal,
    audit: new Audit(new AuditLog(store.db)),
    usage: new UsageLog(store.db),
    health: new Health({ store: tasks, files, runner: rig.runner, facts }),
    metrics: new Metrics({
      tasksByState: () => tasksByState(store.db),
      webhooksWaiting: () => webhooksWaiting(store.db),
      freeBytes: () => files.freeBytes(),
      egress: () => ({ denied: 0, connections: 0, bytes: 0 }),
      children: () => 0,
      streams: () => 0,
      lookups: () => ({ asked: 0, extracted: 0 }),
      webhookAttempts: () => webhooks.counts,
      build: facts,
    }),
    log: SILENT,
    settings: {
      publicBaseUrl: null,
      publicFiles: false,
      publicStatus: false,
      revealKeys: true,
      retentionMs: 600_000,
      requestLimit: 1_000_000,
      requestWindowMs: 600_000,
      anonymousAccess: [],
      isLocalOnly: true,
      picoshotLimit: 0,
      mezdiaLimit: 0,
      easydownHeaders: false,
      mediaProxyStreams: 16,
      maxMediaBytes: 2 ** 30,
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
    url: base,
    call: (method, path, options = {}) => call(base, method, path, { key: admin, ...options }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Sends text as it stands, anything else as JSON; the path goes out as it is written. The answer must be as described. */
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
  const status = response.statusCode ?? 0
  checkAnswer({ method, path, status, contentType: response.headers['content-type'] ?? null, text: received })
  const isJson = response.headers['content-type']?.includes('json') ?? false
  return {
    status,
    headers: new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
    body: isJson && received !== '' ? (JSON.parse(received) as Record<string, unknown>) : {},
    text: received,
  }
}
