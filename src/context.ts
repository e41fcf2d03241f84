import type { Logger } from 'pino'
import { createEngine, type EngineParts } from './compose/engine.ts'
import { openStorage, type Storage } from './compose/storage.ts'
import { createWork, type Work } from './compose/work.ts'
import type { Config } from './config/index.ts'
import { readMediaHosts } from './config/proxy-hosts.ts'
import { makeBackup, newestBackup } from './db/backup.ts'
import { CreditHolds } from './db/credit-holds.ts'
import { tasksByState, webhooksWaiting } from './db/totals.ts'
import { createEgressOpen } from './engine/egress/index.ts'
import type { AppContext } from './http/app.ts'
import { createWebhooks } from './http/v1/create-webhooks.ts'
import { EventStreams } from './http/v1/event-streams.ts'
import { BackupSchedule } from './tasks/backups.ts'
import { createFileServices } from './tasks/file-services.ts'
import { Health } from './tasks/health.ts'
import { importLegacy } from './tasks/legacy.ts'
import { Metrics } from './tasks/metrics.ts'
import { SitePresets } from './tasks/site-presets.ts'
import { removeSecrets, Sites } from './tasks/sites.ts'
import { Sweeper } from './tasks/sweeper.ts'
import { createTaskServices } from './tasks/task-services.ts'
import { VERSION } from './version.ts'

/** The daemon's parts, built; `start` sets them to work. */
export type Context = Readonly<{
  app: AppContext
  /** Resolves to the value of a key `admin` that was made up just now, to be shown once; null when there was one. */
  start: () => Promise<string | null>
  /** The ports that must never be fetched from: the daemon's own. */
  ownPorts: Set<number>
}>

type Parts = Readonly<{ config: Config; storage: Storage; engine: EngineParts; log: Logger }>

/** Builds everything in order of dependency; what was opened is on the stack. */
export async function createContext(config: Config, stack: AsyncDisposableStack, log: Logger): Promise<Context> {
  const ownPorts = new Set<number>()
  const storage = await openStorage(config, stack, log)
  await importLegacy({ keys: storage.keys, store: storage.tasks, files: storage.files, log }, config.legacy)
  const presets = stack.use(await SitePresets.open(config.dirs.config, log))
  const sites = new Sites({ jars: storage.jars, presets, log })
  const engine = await createEngine(config, { stack, log, ownPorts })
  const parts: Parts = { config, storage, engine, log }
  const metrics = createMetrics(parts, () => app)
  const work = createWork({ ...parts, sites, onAttemptEnded: (...ended) => metrics.attemptEnded(...ended) })
  for (const reads of [work.lookups, work.details, work.posts]) stack.use(reads)
  const app: AppContext = { ...(await createServices(parts, work, stack)), sites, metrics }
  return { app, ownPorts, start: () => start(parts, { app, work }, stack) }
}

/** Numbers of parts that are built after it. */
function createMetrics({ storage: { db, files }, engine }: Parts, parts: () => AppContext): Metrics {
  return new Metrics({
    tasksByState: () => tasksByState(db),
    webhooksWaiting: () => webhooksWaiting(db),
    freeBytes: () => files.freeBytes(),
    egress: () => engine.egress.stats,
    children: engine.runs,
    streams: () => parts().streams.size,
    lookups: () => parts().lookups.counts,
    webhookAttempts: () => parts().webhooks.counts,
    build: { version: VERSION, ...engine.facts },
  })
}

/** What the faces are built on. */
async function createServices(
  { config, storage, engine, log }: Parts,
  { admission, runner, lookups, details, posts }: Work,
  stack: AsyncDisposableStack,
): Promise<Omit<AppContext, 'sites' | 'metrics'>> {
  const { db, events, tasks: store, files, keys, seal } = storage
  const { retentionMs, minFreeBytes } = config.tasks
  const { maxMemoryBytes } = config.engine
  const fileServices = createFileServices({ db, files, runner: engine.runner, maxMemoryBytes, log }, stack)
  const { checkUrl } = engine
  const given = { db, events, store, runner, files, admission, minFreeBytes, checkUrl }
  const taskServices = await createTaskServices(given)
  const { tasks } = taskServices
  return {
    ...storage,
    ...fileServices,
    ...taskServices,
    lookups,
    details,
    posts,
    credits: await CreditHolds.open(db, storage.keyStore),
    openMedia: createEgressOpen(engine.egress),
    mediaHosts: await readMediaHosts(config.dirs.config),
    streams: new EventStreams({ events, tasks, keys, log }),
    webhooks: createWebhooks({ db, seal, fetch: engine.fetch, tasks, events, log }),
    health: new Health({ store, files, runner, facts: { version: VERSION, ...engine.facts } }),
    log,
    settings: { ...config.access, publicBaseUrl: config.http.publicBaseUrl, retentionMs },
  }
}

/** Sets everything to work, and puts it on the stack to be stopped in the reverse order. */
async function start(
  { config, storage, log }: Parts,
  { app, work: { runner } }: Readonly<{ app: AppContext; work: Work }>,
  stack: AsyncDisposableStack,
): Promise<string | null> {
  const { tasks: store, files, keys } = storage
  const sweeper = new Sweeper({ store, files, retentionMs: config.tasks.retentionMs, log })
  const backups = createBackups(config, log)
  stack.use(app.streams)
  await app.webhooks.start()
  stack.use(app.webhooks)
  await sweeper.start()
  stack.use(sweeper)
  await Promise.all((await files.workDirs()).map(removeSecrets))
  await runner.start()
  stack.use(runner)
  backups.start()
  stack.use(backups)
  stack.defer(() => {
    app.tasks.close()
    app.health.close()
  })
  if (config.access.isLocalOnly || config.access.anonymousAccess.length > 0) await keys.ensureAnonymous()
  // Last of what can fail: a key that was made and never shown would lock everybody out.
  return keys.ensureAdmin(config.access.adminKey)
}

function createBackups({ dirs, backup }: Config, log: Logger): BackupSchedule {
  return new BackupSchedule({
    make: (signal) => makeBackup(dirs.state, { keep: backup.keep, signal }),
    newestAt: async () => (await newestBackup(dirs.state))?.at ?? null,
    everyMs: backup.everyMs,
    log,
  })
}
