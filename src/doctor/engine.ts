import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { pino } from 'pino'
import type { Config } from '../config/index.ts'
import { createEgress, createPolicy, selfTest } from '../engine/egress/index.ts'
import { startToolRunner } from '../engine/run/start-tool-runner.ts'
import type { ToolRunner } from '../engine/tool.ts'
import type { Tools } from '../engine/tools.ts'
import { ok, problem, reasonOf, warning, type Finding } from './finding.ts'

const CONNECT_MS = 5_000

/** Starts what confines tools, as the daemon would, and lets them fetch through it. */
export async function checkEngine(config: Config, tools: Tools): Promise<Finding[]> {
  const { engine, egress: wanted } = config
  const log = pino({ level: 'silent' })
  try {
    await using stack = new AsyncDisposableStack()
    const policy = createPolicy({ allowPrivate: wanted.allowPrivate, allow: wanted.allow, ownPorts: () => new Set() })
    // Without the upstream: the test's address exists inside our own proxy only.
    const egress = stack.use(await createEgress({ policy, upstream: null, caFile: tools.caFile, log }))
    const runner = stack.use(
      await startToolRunner({
        tools,
        sandbox: engine.sandbox,
        forkServer: engine.forkServer,
        egressPort: egress.port,
        onListener: (server) => egress.serve(server),
        instance: `doctor${randomBytes(5).toString('hex')}`,
        log,
      }),
    )
    const tested = await selfTest(egress, runner).then(
      () => ok('egress', 'yt-dlp and ffmpeg reach nothing but through the proxy of the daemon'),
      (error: unknown) => problem('egress', reasonOf(error), 'scripts/setup, then report this if it stays'),
    )
    return [
      forkServer(runner, engine.forkServer),
      ...sandbox(runner, engine.sandbox),
      tested,
      ...(await upstream(config)),
    ]
  } catch (error) {
    return [problem('engine', reasonOf(error), 'See "The sandbox" in SECURITY.md')]
  }
}

function forkServer({ mode }: ToolRunner, wanted: boolean): Finding {
  if (mode === 'fork-server') return ok('engine', 'yt-dlp is kept warm and forked for each run')
  if (!wanted) return warning('engine', 'FORK_SERVER=false: each run starts yt-dlp anew', 'Unset FORK_SERVER')
  return warning('engine', 'no fork server: each run starts yt-dlp anew', 'Install yt-dlp for a Python (scripts/setup)')
}

function sandbox({ sandbox: { landlock, namespaces, network } }: ToolRunner, wanted: string): Finding[] {
  if (wanted === 'off') return [warning('sandbox', 'SANDBOX=off: tools are not confined at all', 'Unset SANDBOX')]
  return [
    landlock === false
      ? warning('sandbox', 'no Landlock: tools can read what the daemon can', 'Linux 5.13 or newer with Landlock on')
      : ok('sandbox', `Landlock (ABI ${landlock}): a tool sees the files of its own run only`),
    namespaces
      ? ok('sandbox', 'namespaces: tools see no other processes')
      : warning('sandbox', 'no namespaces: tools can see other processes', 'Allow unprivileged user namespaces'),
    network === 'open'
      ? warning('sandbox', 'the network of tools is not confined', 'See "The sandbox" in SECURITY.md')
      : ok('sandbox', `network of tools confined by ${network === 'namespace' ? 'a namespace' : 'Landlock'}`),
  ]
}

/** Whether somebody listens where PROXY_URL leads; its credentials are not tried. */
async function upstream({ egress }: Config): Promise<Finding[]> {
  if (egress.upstream === null) return []
  const { hostname, port, protocol, host } = new URL(egress.upstream)
  const target = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || defaultPort(protocol) }
  const why = await connect(target)
  if (why === null) return [ok('proxy', `PROXY_URL: ${host} takes connections`)]
  return [
    problem('proxy', `PROXY_URL: ${host} takes no connections (${why})`, 'Start that proxy, or correct PROXY_URL'),
  ]
}

const defaultPort = (protocol: string) => (protocol === 'https:' ? 443 : protocol === 'http:' ? 80 : 1080)

/** Why no connection was made; null when one was. */
function connect(target: Readonly<{ host: string; port: number }>): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = net.connect({ ...target, timeout: CONNECT_MS })
    const end = (why: string | null) => {
      socket.destroy()
      resolve(why)
    }
    socket.once('connect', () => end(null))
    socket.once('timeout', () => end('no answer'))
    socket.once('error', (error) => end(error.message))
  })
}
