import { setTimeout as wait } from 'node:timers/promises'
import type { TestDaemon } from '../support/daemon.ts'
import type { Ledger } from './ledger.ts'
import { isForkServer, processesOf } from '../support/daemon-processes.ts'
import type { Chance } from './random.ts'

/** In which everything of a daemon that was killed has to be gone. */
const GONE_MS = 1_000

/** Seconds that running tasks get at a stop, and what the stop itself may take on top. */
export const GRACE_S = 1
const STOP_SLACK_MS = 4_000

/** More than any disk has: nothing is accepted or begun. */
const FULL_DISK = { MIN_FREE_BYTES: '100000T' }

export type Ground = Readonly<{ daemon: TestDaemon; ledger: Ledger; chance: Chance }>

/** Starts the daemon, lets it work, and ends it in some way. */
type Blow = (ground: Ground) => Promise<void>

export const BLOWS: readonly (readonly [weight: number, Readonly<{ name: string; strike: Blow }>])[] = [
  [58, { name: 'killed', strike: killed }],
  [8, { name: 'killed while starting', strike: killedWhileStarting }],
  [6, { name: 'left alone for seconds, then killed', strike: leftAlone }],
  [10, { name: 'stopped', strike: stopped }],
  [5, { name: 'stopped, then killed', strike: stoppedThenKilled }],
  [3, { name: 'stopped twice', strike: stoppedTwice }],
  [5, { name: 'an engine process held, then killed', strike: engineHeld }],
  [4, { name: 'the engine killed, then stopped', strike: engineKilled }],
  [3, { name: 'the disk full', strike: diskFull }],
]

async function killed(ground: Ground): Promise<void> {
  await ground.daemon.start()
  await wait(ground.chance.between(50, 1_500))
  await kill(ground)
}

async function leftAlone(ground: Ground): Promise<void> {
  await ground.daemon.start()
  await wait(ground.chance.between(3_000, 8_000))
  await kill(ground)
}

async function killedWhileStarting(ground: Ground): Promise<void> {
  const starting = ground.daemon.start().catch(() => null) // it is not let
  await wait(ground.chance.between(20, 1_500))
  await kill(ground)
  await starting
}

async function stopped(ground: Ground): Promise<void> {
  await ground.daemon.start()
  await wait(ground.chance.between(300, 2_500))
  await stop(ground)
}

async function stoppedThenKilled(ground: Ground): Promise<void> {
  await ground.daemon.start()
  await wait(ground.chance.between(200, 1_500))
  process.kill(ground.daemon.pid, 'SIGTERM')
  await wait(ground.chance.between(0, GRACE_S * 1_000 + 300))
  await kill(ground)
}

async function stoppedTwice(ground: Ground): Promise<void> {
  const { daemon, ledger, chance } = ground
  await daemon.start()
  await wait(chance.between(200, 1_500))
  process.kill(daemon.pid, 'SIGTERM')
  await wait(chance.between(0, GRACE_S * 1_000))
  const startedAt = performance.now()
  await daemon.end('SIGTERM')
  if (performance.now() - startedAt > GONE_MS) ledger.report('unexpected', 'a second SIGTERM did not end it at once')
  await requireGone(ground)
}

async function engineHeld(ground: Ground): Promise<void> {
  const { daemon, chance } = ground
  await daemon.start()
  await wait(chance.between(200, 1_000))
  const held = chance.oneOf(await processesOf(daemon))
  if (held) signal(held.pid, 'SIGSTOP')
  await wait(chance.between(500, 3_000))
  // Whether it is let go first or not: nothing of it may be left.
  if (held && chance.next() < 0.5) signal(held.pid, 'SIGCONT')
  await wait(chance.between(0, 500))
  await kill(ground)
}

async function engineKilled(ground: Ground): Promise<void> {
  const { daemon, chance, ledger } = ground
  await daemon.start()
  await wait(chance.between(200, 1_000))
  const server = (await processesOf(daemon)).find(isForkServer)
  if (server) signal(server.pid, 'SIGKILL')
  await wait(chance.between(500, 3_000))
  const isUp = await fetch(`${daemon.url}/health`).then(
    ({ ok }) => ok,
    () => false,
  )
  if (!isUp) ledger.report('unexpected', 'the daemon is not well after its engine was killed')
  await stop(ground)
}

async function diskFull(ground: Ground): Promise<void> {
  const { daemon, ledger, chance } = ground
  await daemon.start(FULL_DISK)
  await wait(chance.between(300, 1_500))
  const health = (await (await fetch(`${daemon.url}/health`)).json()) as { queue: { processing: number } }
  if (health.queue.processing > 0) ledger.report('unexpected', 'a task was begun on a full disk')
  await kill(ground)
}

/** SIGKILL, after which nothing of the daemon is left within a second. */
export async function kill(ground: Ground): Promise<void> {
  await ground.daemon.end('SIGKILL')
  await requireGone(ground)
}

/** SIGTERM, which ends it in good order and in time. */
export async function stop(ground: Ground): Promise<void> {
  const { daemon, ledger } = ground
  const startedAt = performance.now()
  const code = await daemon.end('SIGTERM')
  const took = performance.now() - startedAt
  const lastLine = daemon.lines.at(-1) ?? ''
  if (code !== 0) ledger.report('unexpected', `a stop ended with ${code}: ${lastLine}`)
  if (took > GRACE_S * 1_000 + STOP_SLACK_MS) ledger.report('unexpected', `a stop took ${Math.round(took)} ms`)
  await requireGone(ground)
}

async function requireGone({ daemon, ledger }: Ground): Promise<void> {
  const deadline = performance.now() + GONE_MS
  for (;;) {
    const left = await processesOf(daemon)
    if (left.length === 0) return
    if (performance.now() > deadline) {
      for (const { pid, command, label } of left) {
        ledger.report('orphans', `process ${pid} ${label}: ${command}`)
        signal(pid, 'SIGKILL')
      }
      return
    }
    await wait(20)
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It ended by itself.
  }
}
