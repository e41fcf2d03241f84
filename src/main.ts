import { once } from 'node:events'
import process from 'node:process'
import { ConfigError, loadConfig } from './config/index.ts'
import { startDaemon, type Daemon } from './daemon.ts'
import { DatabaseError } from './db/open.ts'
import { EgressError } from './engine/egress/index.ts'
import { ToolsError } from './engine/find-tools.ts'
import { SandboxError } from './engine/run/detect.ts'
import { SealError } from './keys/seal.ts'

/** What the daemon may take beyond the grace time of its tasks before it is ended the hard way. */
const FORCED_EXIT_MS = 10_000

async function main(): Promise<void> {
  const config = loadConfig(process.env)
  const stop = new AbortController()
  let isRunning = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // Asked a second time, or before there is anything to finish: at once.
      if (stop.signal.aborted || !isRunning) process.exit(1)
      stop.abort()
    })
  }
  await using daemon = await startDaemon(config)
  isRunning = true
  welcome(daemon)
  if (!stop.signal.aborted) await once(stop.signal, 'abort')
  setTimeout(() => process.exit(1), config.tasks.shutdownGraceMs + FORCED_EXIT_MS).unref()
}

/** Shown to the person at the terminal; the only place where the value of a new admin key ever appears. */
function welcome({ url, newAdminKey }: Daemon): void {
  const lines = [
    '',
    `ytdlpd listens on ${url}`,
    ...(newAdminKey === null
      ? []
      : [
          '',
          `The key "admin" was made. It is shown this once; keep it:`,
          `  ${newAdminKey}`,
          '',
          'Try it:',
          `  curl -X POST ${url}/get_video -H 'X-API-Key: ${newAdminKey}' -H 'Content-Type: application/json' \\`,
          `    -d '{"url": "https://youtu.be/jNQXAC9IVRw"}'`,
          `  curl ${url}/status/<task_id> -H 'X-API-Key: ${newAdminKey}'`,
          '',
          `All it can do, to read and try: ${url}/docs`,
        ]),
    '',
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** What the operator can do about an error of the system, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Something else uses that port: stop it, or set PORT to another.',
  EADDRNOTAVAIL: 'This machine does not have that address: correct HOST.',
  EACCES: 'The user the daemon runs as may not do that: see "Folders and permissions" in README.md.',
  EPERM: 'The user the daemon runs as may not do that: see "Folders and permissions" in README.md.',
  EROFS: 'DOWNLOAD_DIR and STATE_DIR have to be writable.',
  ENOTDIR: 'DOWNLOAD_DIR and STATE_DIR have to be folders.',
  EEXIST: 'DOWNLOAD_DIR and STATE_DIR have to be folders.',
  SQLITE_CANTOPEN: 'STATE_DIR cannot be written to: see "Folders and permissions" in README.md.',
  SQLITE_READONLY: 'STATE_DIR cannot be written to: see "Folders and permissions" in README.md.',
}

/** Errors whose message is written for the operator. */
const FOR_OPERATOR = [ConfigError, DatabaseError, SealError, ToolsError, SandboxError, EgressError] as const

/** With its stack only where nobody but a developer can do something about it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const advice = 'code' in error ? ADVICE[String(error.code)] : undefined
  if (advice !== undefined) return `${error.message}. ${advice}`
  return FOR_OPERATOR.some((kind) => error instanceof kind) ? error.message : (error.stack ?? error.message)
}

await main().catch((error: unknown) => {
  process.stderr.write(`ytdlpd did not start: ${describe(error)}\n`)
  process.exitCode = 1
})
