import { once } from 'node:events'
import http, { type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import type { Config } from './config/index.ts'
import { createContext } from './context.ts'
import { createApps } from './http/app.ts'
import { createLogger } from './logger.ts'

/** How long a client may take to send its head, and its whole request. */
const HEADERS_TIMEOUT_MS = 20_000
const REQUEST_TIMEOUT_MS = 60_000
/** How often those two times are looked at. */
const TIMEOUT_CHECK_MS = 5_000

/** Longer than the usual proxy keeps its connections, so that it is never the one to find them closed. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000
/** Open connections; each may cost two open files, and tasks need some as well. */
const MAX_CONNECTIONS = 4_096

/** How long a client may take no byte of an answer. */
const SILENT_CLIENT_MS = 300_000

/** How long answers under way may go on once the daemon stops. */
const CLOSE_GRACE_MS = 2_000

/** A daemon that answers. `newAdminKey` is the value of a key made at this start, null when none had to be made. */
export type Daemon = AsyncDisposable & Readonly<{ url: string; newAdminKey: string | null }>

/** Starts everything; disposing stops it in the reverse order: running tasks get their grace time, then go back to the queue. */
export async function startDaemon(config: Config, log: Logger = createLogger(config.logLevel)): Promise<Daemon> {
  await using stack = new AsyncDisposableStack() // disposes what was opened if a line below throws
  const context = await createContext(config, stack, log)
  const apps = createApps(context.app, config.http)
  const open = async (app: RequestListener, host: string, port: number): Promise<string> => {
    const server = await listen(app, host, port)
    stack.defer(() => close(server))
    const address = server.address() as AddressInfo
    context.ownPorts.add(address.port)
    return `http://${hostIn(host)}:${address.port}`
  }
  const url = await open(apps.all, config.http.host, config.http.port)
  for (const { dialect, host, port } of config.compatListen) {
    log.info({ dialect, url: await open(apps.alone(dialect), host, port) }, 'listening for one API')
  }
  const newAdminKey = await context.start()
  const owned = stack.move()
  log.info({ url }, 'listening')
  const stop = async () => {
    log.info('stopping: running tasks may finish')
    await owned.disposeAsync()
    log.info('stopped')
  }
  return { url, newAdminKey, [Symbol.asyncDispose]: stop }
}

async function listen(app: RequestListener, host: string, port: number): Promise<http.Server> {
  const server = http.createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
    app,
  )
  server.setTimeout(SILENT_CLIENT_MS)
  server.maxConnections = MAX_CONNECTIONS
  server.listen(port, host)
  await once(server, 'listening')
  return server
}

/** An address a client on this machine can use. */
function hostIn(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

async function close(server: http.Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
  await closed
  clearTimeout(timer)
}
