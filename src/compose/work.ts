import type { Logger } from 'pino'
import type { Config } from '../config/index.ts'
import type { TaskErrorCode } from '../domain/errors.ts'
import { PlaylistStore } from '../db/playlist-store.ts'
import { classify } from '../domain/platform.ts'
import { Admission, mayFetch } from '../tasks/admission.ts'
import { createAttempt } from '../tasks/attempt.ts'
import { reporting } from '../tasks/events.ts'
import { DetailReads } from '../tasks/details.ts'
import { Lookups } from '../tasks/lookup.ts'
import { Posts } from '../tasks/posts.ts'
import { createExpandPlaylist } from '../tasks/playlist.ts'
import { Runner, type RunnerOptions } from '../tasks/runner.ts'
import type { Sites } from '../tasks/sites.ts'
import type { EngineParts } from './engine.ts'
import type { Storage } from './storage.ts'

/** Deaths of the daemon during a task after which the task is not tried again. */
const MAX_DEATHS = 3

/** What turns tasks into files and addresses into descriptions. */
export type Work = Readonly<{
  admission: Admission
  runner: Runner
  lookups: Lookups
  details: DetailReads
  posts: Posts
}>

/** What work is built from. */
export type WorkParts = Readonly<{
  config: Config
  storage: Storage
  engine: EngineParts
  sites: Sites
  onAttemptEnded: NonNullable<RunnerOptions['onAttemptEnded']>
  log: Logger
}>

/** Builds it; nothing runs yet. */
export function createWork(parts: WorkParts): Work {
  const { config, engine, sites } = parts
  const { tasks, usage, keys, files } = parts.storage
  const admission = new Admission({
    store: tasks,
    usage,
    creditsOf: (ids) => keys.creditsOf(ids),
    limits: config.tasks,
  })
  const runner = createRunner(parts, admission)
  const shared = {
    ...config.engine,
    ...config.tasks,
    ...engine,
    files,
    sites,
    coolingSites: () => runner.coolingSites(),
    onFailure: (site: string, code: TaskErrorCode) => runner.strike(site, code),
  }
  const lookups = new Lookups({ ...shared, extract: (url, run) => engine.media.info(url, run) })
  const details = new DetailReads({
    ...shared,
    extract: (url, run) => {
      const { kind, platform } = classify(url)
      const isPost = kind === 'post' && platform === 'instagram'
      return isPost ? engine.posts.document(url, platform, run) : engine.media.info(url, run)
    },
    rows: (url, run) => engine.posts.rows(url, run),
  })
  const posts = new Posts({ ...shared, read: (url, run) => engine.posts.read(url, run), fetch: engine.fetch })
  return { admission, runner, lookups, details, posts }
}

function createRunner({ config, storage, engine, sites, onAttemptEnded, log }: WorkParts, admission: Admission) {
  const { db, events, tasks, keys, files, archive } = storage
  const expandPlaylist = createExpandPlaylist({
    extract: (url, run) => engine.media.list(url, run),
    store: tasks,
    playlists: new PlaylistStore(db, () => events.poke()),
    archive,
    admit: async (keyId, requests) => admission.check(keys.requireId(keyId), requests),
    checkUrl: engine.checkUrl,
    mayRead: (keyId, url) => {
      const limits = keys.limitsOf(keyId)
      return limits !== null && mayFetch({ limits }, url)
    },
    nudge: () => runner.nudge(),
  })
  const attempt = createAttempt({ ...config.engine, ...config.tasks, ...engine, files, sites, expandPlaylist })
  const runner: Runner = new Runner({
    store: tasks,
    attempt: reporting(events, attempt),
    cleanUp: (taskId, hasFile) => (hasFile ? files.removeWork(taskId) : files.remove(taskId)),
    leftWork: () => files.workIds(),
    freeBytes: () => files.freeBytes(),
    ...config.tasks,
    maxDeaths: MAX_DEATHS,
    maxRunningOf: (keyId) => keys.limitsOf(keyId)?.maxRunning ?? null,
    onAttemptEnded,
    log,
  })
  return runner
}
