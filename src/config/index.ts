import path from 'node:path'
import type { z } from 'zod'
import { addressKind } from '../domain/address.ts'
import type { DialectAddress, KeylessDialect } from '../domain/dialect.ts'
import { settingsSchema, type Settings } from './settings.ts'

/** What the daemon was told, checked and with absolute paths. Durations in milliseconds, sizes in bytes. */
export type Config = Readonly<{
  logLevel: Settings['LOG_LEVEL']
  http: Readonly<{ host: string; port: number; publicBaseUrl: string | null; trustProxy: boolean }>
  /** Where dialects are served alone. */
  compatListen: readonly DialectAddress[]
  dirs: Readonly<{ downloads: string; state: string; config: string; tools: string }>
  legacy: Readonly<{ tasksFile: string; keysFile: string }>
  access: Readonly<{
    adminKey: string | null
    revealKeys: boolean
    publicFiles: boolean
    publicStatus: boolean
    requestLimit: number
    requestWindowMs: number
    /** Dialects that are open to everybody. */
    anonymousAccess: readonly KeylessDialect[]
    /** Whether nobody but programs on this machine can reach the daemon. */
    isLocalOnly: boolean
    /** Calls a minute from one address; 0 = no limit. */
    picoshotLimit: number
    mezdiaLimit: number
    easydownHeaders: boolean
    mediaProxyStreams: number
    /** Bytes of one medium that are passed on. */
    maxMediaBytes: number
  }>
  tasks: Readonly<{
    retentionMs: number
    maxWorkers: number
    shutdownGraceMs: number
    stallMs: number
    retryMaxWaitMs: number
    maxRunMs: number
    maxQueue: number
    maxQueuedPerKey: number
    maxRunningPerKey: number
    maxBytesPerKeyPerDay: number
    minFreeBytes: number
    infoCacheMs: number
  }>
  egress: Readonly<{ allowPrivate: boolean; allow: readonly string[]; upstream: string | null }>
  engine: Readonly<{
    ytDlpPath: string | null
    ffmpegPath: string | null
    ffprobePath: string | null
    galleryDlPath: string | null
    allImages: boolean
    pythonPath: string | null
    allowOldYtDlp: boolean
    /** `PATH`, where tools are looked for. */
    pathEnv: string
    caFile: string | null
    forkServer: boolean
    sandbox: Settings['SANDBOX']
    maxFileBytes: number
    sponsorBlockApi: string
    maxMemoryBytes: number
  }>
  backup: Readonly<{ everyMs: number; keep: number }>
}>

/** A start that cannot go on; the message is meant for the operator and names everything that is wrong. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * The one reader of the environment. Empty values count as not set, unknown variables are none of our business.
 * Throws one ConfigError that names every wrong variable.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''),
  )
  const parsed = settingsSchema.safeParse(given)
  if (!parsed.success) throw new ConfigError(explain(parsed.error, given))
  return group(parsed.data, env['PATH'] ?? '')
}

/** Values that no message may show. */
const SECRET_SETTINGS: ReadonlySet<string> = new Set(['ADMIN_API_KEY', 'PROXY_URL'])

function explain(error: z.ZodError, given: Readonly<Record<string, unknown>>): string {
  const lines = error.issues.map((issue) => {
    const name = String(issue.path[0])
    const shown = SECRET_SETTINGS.has(name) ? '(not shown)' : JSON.stringify(given[name])
    return `  ${name}=${shown}: ${issue.message}`
  })
  return `these settings are wrong:\n${lines.join('\n')}`
}

function group(s: Settings, pathEnv: string): Config {
  const state = path.resolve(s.STATE_DIR)
  const under = (name: string | undefined, fallback: string) => path.resolve(name ?? path.join(state, fallback))
  return {
    logLevel: s.LOG_LEVEL,
    http: {
      host: s.HOST,
      port: s.PORT,
      publicBaseUrl: s.PUBLIC_BASE_URL?.replace(/\/+$/, '') ?? null,
      trustProxy: s.TRUST_PROXY,
    },
    compatListen: s.COMPAT_LISTEN,
    dirs: {
      downloads: path.resolve(s.DOWNLOAD_DIR),
      state,
      config: path.resolve(s.CONFIG_DIR),
      tools: under(s.TOOLS_DIR, 'tools'),
    },
    legacy: { tasksFile: under(s.TASKS_FILE, 'tasks.json'), keysFile: under(s.KEYS_FILE, 'api_keys.json') },
    access: accessOf(s),
    tasks: {
      retentionMs: s.TASK_CLEANUP_TIME * 60_000,
      maxWorkers: s.MAX_WORKERS,
      shutdownGraceMs: s.SHUTDOWN_GRACE * 1000,
      stallMs: s.STALL_SECONDS * 1000,
      retryMaxWaitMs: s.RETRY_MAX_WAIT * 1000,
      maxRunMs: s.MAX_RUN_SECONDS * 1000,
      maxQueue: s.MAX_QUEUE,
      maxQueuedPerKey: s.MAX_QUEUED_PER_KEY,
      maxRunningPerKey: s.MAX_RUNNING_PER_KEY,
      maxBytesPerKeyPerDay: s.MAX_BYTES_PER_KEY_PER_DAY,
      minFreeBytes: s.MIN_FREE_BYTES,
      infoCacheMs: s.INFO_CACHE_SECONDS * 1000,
    },
    egress: { allowPrivate: s.ALLOW_PRIVATE_URLS, allow: s.EGRESS_ALLOW, upstream: s.PROXY_URL ?? null },
    engine: {
      ytDlpPath: s.YTDLP_PATH ?? null,
      ffmpegPath: s.FFMPEG_PATH ?? null,
      ffprobePath: s.FFPROBE_PATH ?? null,
      galleryDlPath: s.GALLERY_DL_PATH ?? null,
      allImages: s.IMAGES === 'always',
      pythonPath: s.PYTHON_PATH ?? null,
      allowOldYtDlp: s.YTDLP_ALLOW_OLD,
      pathEnv,
      caFile: s.CA_FILE === undefined ? null : path.resolve(s.CA_FILE),
      forkServer: s.FORK_SERVER,
      sandbox: s.SANDBOX,
      maxFileBytes: s.MAX_FILE_BYTES,
      sponsorBlockApi: s.SPONSORBLOCK_API,
      maxMemoryBytes: s.MAX_MEMORY_BYTES,
    },
    backup: { everyMs: s.BACKUP_HOURS * 3_600_000, keep: s.BACKUP_KEEP },
  }
}

const accessOf = (s: Settings): Config['access'] => ({
  adminKey: s.ADMIN_API_KEY ?? null,
  revealKeys: s.KEY_REVEAL,
  publicFiles: s.PUBLIC_FILES,
  publicStatus: s.PUBLIC_STATUS,
  requestLimit: s.REQUEST_LIMIT,
  requestWindowMs: s.TASK_CLEANUP_TIME * 60_000,
  anonymousAccess: s.ANONYMOUS_ACCESS,
  isLocalOnly: !s.TRUST_PROXY && [s.HOST, ...s.COMPAT_LISTEN.map(({ host }) => host)].every(isLoopback),
  picoshotLimit: s.PICOSHOT_LIMIT,
  mezdiaLimit: s.MEZDIA_LIMIT,
  easydownHeaders: s.EASYDOWN_HEADERS,
  mediaProxyStreams: s.MEDIA_PROXY_STREAMS,
  maxMediaBytes: s.MAX_FILE_BYTES,
})

const isLoopback = (host: string) => host === 'localhost' || addressKind(host) === 'loopback'
