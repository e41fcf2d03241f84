import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import { ConfigError, type Config } from '../config/index.ts'
import { writeCaBundle } from '../engine/ca-bundle.ts'
import {
  createEgress,
  createEgressFetch,
  createEgressOpen,
  createPolicy,
  selfTest,
  type Egress,
  type EgressFetch,
} from '../engine/egress/index.ts'
import { findTools } from '../engine/find-tools.ts'
import { Media } from '../engine/media.ts'
import { PostMedia } from '../engine/post-media.ts'
import { PostReader } from '../engine/post-reader.ts'
import { reapLeftovers } from '../engine/run/leftovers.ts'
import { startToolRunner } from '../engine/run/start-tool-runner.ts'
import type { ToolRunner } from '../engine/tool.ts'
import type { Tools } from '../engine/tools.ts'
import type { HealthFacts } from '../tasks/health.ts'

/** What runs programs and reaches the network. */
export type EngineParts = Readonly<{
  media: Media
  posts: PostReader
  postMedia: PostMedia
  fetch: EgressFetch
  runner: ToolRunner
  egress: Egress
  checkUrl: (url: string) => string | null
  /** Programs that run now. */
  runs: () => number
  facts: Omit<HealthFacts, 'version'>
}>

/** Finds the tools, opens the way out, and proves that they come through it. What it opened is on the stack. */
export async function createEngine(
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
  return {
    ...createReaders(config, { tools, runner, egress }),
    runner,
    egress,
    checkUrl: (url) => {
      const verdict = policy.checkUrl(url)
      return verdict.ok ? null : verdict.reason
    },
    runs: () => runner.runs,
    facts: {
      ytDlpVersion: tools.ytDlp.version,
      ffmpegVersion: tools.ffmpeg.version,
      galleryDlVersion: tools.galleryDl?.version ?? null,
      sandbox: runner.sandbox,
      engine: () => runner.mode,
      engineFault: () => (runner.isWell() ? null : 'the fork server is being started again'),
      egress: { proxied: true, upstream: config.egress.upstream !== null },
    },
  }
}

/** What makes media and reads pages. */
function createReaders(
  { engine, tasks }: Config,
  { tools, runner, egress }: Readonly<{ tools: Tools; runner: ToolRunner; egress: Egress }>,
): Pick<EngineParts, 'media' | 'posts' | 'postMedia' | 'fetch'> {
  const { maxFileBytes, sponsorBlockApi, allImages } = engine
  const fetch = createEgressFetch(egress)
  const media = new Media({
    runner,
    maxFileBytes,
    sponsorBlockApi,
    infoCacheMs: tasks.infoCacheMs,
    head: (url, { run, ...options }) => fetch(url, { ...options, lane: run.lane, signal: run.signal, maxBytes: 1 }),
    fetchText: async (url, headers, run) => (await fetch(url, { headers, lane: run.lane, signal: run.signal })).text(),
  })
  const posts = new PostReader({ runner, hasGalleryDl: tools.galleryDl !== null, allImages, maxFileBytes })
  return { media, posts, postMedia: new PostMedia({ runner, posts, open: createEgressOpen(egress) }), fetch }
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
