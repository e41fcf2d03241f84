import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type TestDaemon } from '../../test/support/daemon.ts'
import { Api } from './api.ts'
import type { Bench } from './bench.ts'
import type { Figure } from './figure.ts'
import { residentBytes, treeOf } from './processes.ts'

const MB = 1e6
const TASKS = 8
const CLIENTS = 1_000
/** As `scripts/start` has it: otherwise it is the nursery that is measured. */
const NURSERY = '--max-semi-space-size=2'
const SETTLE_MS = 3_000

/** What a thousand clients that follow eight running tasks cost the daemon. */
export async function eventStreams(bench: Bench): Promise<readonly Figure[]> {
  const origin = await bench.origin()
  await using daemon = await bench.daemon({ MAX_WORKERS: String(TASKS), NODE_OPTIONS: NURSERY })
  using api = new Api(daemon)
  const seconds = bench.quick ? 5 : 20
  for (let n = 0; n < TASKS; n++) {
    await api.submit('get_video', { url: `${origin.url}/big/32.mp4?bps=200000&n=${bench.next()}` })
  }
  await sleep(SETTLE_MS)
  const before = { bytes: await residentBytes(daemon.pid), cpu: await cpuShare(daemon, seconds) }
  await using clients = await startClients(daemon)
  await sleep(SETTLE_MS)
  const cpu = await cpuShare(daemon, seconds)
  const bytes = await residentBytes(daemon.pid)
  const events = await clients.end()
  const note = `${CLIENTS} clients, ${TASKS} tasks, ${events} events; ${(100 * before.cpu).toFixed(1)} % without clients`
  return [
    { name: 'streams_cpu', value: cpu, unit: 'ratio', target: { most: 0.25 }, note: `of one core: ${note}` },
    { name: 'streams_memory', value: (bytes - before.bytes) / MB, unit: 'MB', target: { most: 60 }, note: 'growth' },
  ]
}

/** Processor time of the daemon's own process, as a part of the time that passes. */
async function cpuShare({ pid }: TestDaemon, seconds: number): Promise<number> {
  const used = async () => (await treeOf(pid)).find((member) => member.pid === pid)?.cpuSeconds ?? 0
  const from = { cpu: await used(), at: performance.now() }
  await sleep(seconds * 1000)
  return ((await used()) - from.cpu) / ((performance.now() - from.at) / 1000)
}

/** In a process of its own; `end` tells how many events all of them got. */
async function startClients(daemon: TestDaemon): Promise<AsyncDisposable & Readonly<{ end: () => Promise<number> }>> {
  const program = path.join(import.meta.dirname, 'sse-clients.ts')
  const args = [program, `${daemon.url}/v1/events`, ADMIN_KEY, String(CLIENTS)]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  await Promise.race([once(lines, 'line'), exited.then(() => Promise.reject(new Error('the clients ended')))])
  return {
    end: async () => {
      const line = once(lines, 'line')
      child.stdin.end()
      return Number((await line)[0])
    },
    [Symbol.asyncDispose]: async () => {
      child.kill()
      await exited
    },
  }
}
