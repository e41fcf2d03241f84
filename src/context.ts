import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import { ConfigError, type Config } from './config/index.ts'
import { makeBackup, newestBackup } from './db/backup.ts'
import { KeyStore } from './db/key-store.ts'
import { openStore } from './db/open.ts'
import { TaskStore } from './db/task-store.ts'
import { writeCaBundle } from './engine/ca-bundle.ts'
import { createEgress, createEgressFetch, createPolicy, selfTest, type Egress } from './engine/egress/index.ts'
import { findTools } from './engine/find-tools.ts'
import { Media } from './engine/media.ts'
import { reapLeftovers } from './engine/run/leftovers.ts'
import { startToolRunner } from './engine/run/start-tool-runner.ts'
import type { ToolRunner } from './engine/tool.ts'
import type { Tools } from './engine/tools.ts'
import { LocalFiles } from './files/local.ts'
import type { CoreContext } from './http/core/context.ts'
import { Keys } from './keys/keys.ts'
import { openSeal } from './keys/seal.ts'
import { createAttempt } from './tasks/attempt.ts'
import { BackupSchedule } from './tasks/backups.ts'
import { Health, type HealthFacts } from './tasks/health.ts'
import { importLegacy } from './tasks/legacy.ts'
import { Runner } from './tasks/runner.ts'
import { TaskService } from './tasks/service.ts'
import { Sweeper } from './tasks/sweeper.ts'
import { VERSION } from './version.ts'

/** Deaths of the daemon during a task after which the task is not tried again. */
const MAX_DEATHS = 3

/** The daemon's parts, built; `start` sets them to work. */
export type Context = Readonly<{
  core: CoreContext
  /** Resolves to the value of a key `admin` that was made up just now, to be shown once; null when there was one. */
  start: () => Promise<string | null>
  /** The ports that must never be fetched from: the daemon's own. */
  ownPorts: Set<number>
}>

/** Builds everything in order of dependency; what was opened is on the stack. The only place that names adapters. */
export async function createContext(config: Config, stack: AsyncDisposableStack, log: Logger): Promise<Context> {
  const ownPorts = new Set<number>()
  const store = stack.use(await openStore(config.dirs.state))
  const tasks = new TaskStore(store.db)
  const seal = openSeal(config.dirs.state)
  const keys = await Keys.open(new KeyStore(store.db), seal)
  const files = await LocalFiles.open(config.dirs.downloads)
  await importLegacy({ keys, store: tasks, files, log }, config.legacy)

  const engine = await createEngine(config, { stack, log, ownPorts })
  const runner = new Runner({
    store: tasks,
    attempt: createAttempt({ ...config.engine, ...config.tasks, media: engine.media, files, egress: engine.egress }),
    cleanUp: (taskId, hasFile) => (hasFile ? files.removeWork(taskId) : files.remove(taskId)),
    leftWork: () => files.workIds(),
    freeBytes: () => files.freeBytes(),
    ...config.tasks,
    maxDeaths: MAX_DEATHS,
    log,
  })
  const service = new TaskService({ store: tasks, runner, files, limits: config.tasks, checkUrl: engine.checkUrl })
  const sweeper = new Sweeper({ store: tasks, files, retentionMs: config.tasks.retentionMs, log })
  const backups = createBackups(config, log)
  const health = new Health({ store: tasks, files, runner, facts: { version: VERSION, ...engine.facts } })
  return {
    core: {
      tasks: service,
      keys,
      files,
      seal,
      health,
      log,
      settings: { ...config.access, publicBaseUrl: config.http.publicBaseUrl, retentionMs: config.tasks.retentionMs },
    },
    ownPorts,
    start: async () => {
      await sweeper.start()
      stack.use(sweeper)
      await runner.start()
      stack.use(runner)
      backups.start()
      stack.use(backups)
      stack.defer(() => service.close())
      // Last of what can fail: a key that was made and never shown would lock everybody out.
      return keys.ensureAdmin(config.access.adminKey)
    },
  }
}

function createBackups({ dirs, backup }: Config, log: Logger): BackupSchedule {
  return new BackupSchedule({
    make: (signal) => makeBackup(dirs.state, { keep: backup.keep, signal }),
    newestAt: async () => (await newestBackup(dirs.state))?.at ?? null,
    everyMs: backup.everyMs,
    log,
  })
}

type EngineParts = Readonly<{
  media: Media
  egress: Egress
  checkUrl: (url: string) => string | null
  facts: Omit<HealthFacts, 'version'>
}>

async function createEngine(
  config: Config,
  { stack, log, ownPorts }: Readonly<{ stack: AsyncDisposableStack; log: Logger; ownPorts: ReadonlySet<number> }>,
): Promise<EngineParts> {
  const { engine } = config
  const tools: Tools = await findTools({ ...engine, caFile: await trusted(config), toolsDir: config.dirs.tools })
  const policy = createPolicy({
    allowPrivate: config.egress.allowPrivate,
    allow: config.egress.allow,
    ownPorts: () => ownPorts,
  })
  const egress = stack.use(await createEgress({ policy, upstream: config.egress.upstream, caFile: tools.caFile, log }))
  const instance = createHash('sha256').update(config.dirs.state).digest('hex').slice(0, 16)
  const reaped = await reapLeftovers(instance)
  if (reaped > 0) log.warn({ reaped }, 'ended processes that an earlier daemon left behind')
  const runner: ToolRunner = stack.use(
    await startToolRunner({
      tools,
      sandbox: engine.sandbox,
      forkServer: engine.forkServer,
      egressPort: egress.port,
      onListener: (server) => egress.serve(server),
      instance,
      log,
    }),
  )
  sayWhatIsMissing(runner, engine.sandbox, log)
  await selfTest(egress, runner)
  const fetch = createEgressFetch(egress)
  const media = new Media({
    runner,
    maxFileBytes: engine.maxFileBytes,
    infoCacheMs: config.tasks.infoCacheMs,
    head: (url, { run, ...options }) => fetch(url, { ...options, lane: run.lane, signal: run.signal, maxBytes: 1 }),
    fetchText: async (url, headers, run) => (await fetch(url, { headers, lane: run.lane, signal: run.signal })).text(),
  })
  return {
    media,
    egress,
    checkUrl: (url) => {
      const verdict = policy.checkUrl(url)
      return verdict.ok ? null : verdict.reason
    },
    facts: {
      ytDlpVersion: tools.ytDlp.version,
      ffmpegVersion: tools.ffmpeg.version,
      sandbox: runner.sandbox,
      engine: () => runner.mode,
      egress: { proxied: true, upstream: config.egress.upstream !== null },
    },
  }
}

function sayWhatIsMissing({ sandbox }: ToolRunner, wanted: Config['engine']['sandbox'], log: Logger): void {
  if (wanted === 'off') {
    log.error('SANDBOX=off: whatever a site can make yt-dlp or ffmpeg do, it can do to this machine')
  } else if (sandbox.network === 'open') {
    log.warn({ sandbox }, 'this machine cannot confine TCP: see "The sandbox" in SECURITY.md')
  } else if (sandbox.landlock === false) {
    log.warn({ sandbox }, 'this kernel has no Landlock: tools can read what the daemon can')
  } else if (!sandbox.namespaces) {
    log.info({ sandbox }, 'no namespaces here: the sandbox confines files and TCP, not UDP')
  }
}

/** The certificates to trust where the operator added one; null leaves every tool its own. */
async function trusted({ engine: { caFile }, dirs }: Config): Promise<string | null> {
  if (caFile === null) return null
  return writeCaBundle(caFile, dirs.state).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError(`CA_FILE=${caFile} cannot be used: ${why}`, { cause })
  })
}
