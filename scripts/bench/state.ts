import { setTimeout as sleep } from 'node:timers/promises'
import type { TestDaemon } from '../../test/support/daemon.ts'
import { Api, complete } from './api.ts'
import type { Bench } from './bench.ts'
import { type Figure, median, until } from './figure.ts'
import { proportionalBytes, residentBytes } from './processes.ts'

const MB = 1e6
const SETTLE_MS = 2_000
const SUBMISSIONS_AT_ONCE = 32

/** Memory of a daemon that has worked and idles, and what a long queue adds to it. */
export async function memory(bench: Bench): Promise<readonly Figure[]> {
  const origin = await bench.origin()
  await using daemon = await bench.daemon({ STALL_SECONDS: '3600' })
  await complete(daemon, 'get_video', { url: `${origin.url}/small.mp4` }, 50)
  await sleep(SETTLE_MS)
  const idle = await residentBytes(daemon.pid)
  const tree = await proportionalBytes(daemon.pid)
  const count = await fillQueue(bench, daemon)
  await sleep(SETTLE_MS)
  const full = await residentBytes(daemon.pid)
  const figure = (name: string, bytes: number, most: number, note: string): Figure => ({
    ...{ name, value: bytes / MB, unit: 'MB', target: { most }, note },
  })
  return [
    figure('memory_idle', idle, 120, 'resident, the Node process alone'),
    figure('memory_idle_tree', tree, 170, 'proportional, with the warm engine'),
    figure('memory_queue', full - idle, 30, `growth of the Node process with ${count} waiting tasks`),
  ]
}

/** Time from the start of a daemon that was killed with a long queue until it answers and accepts. */
export async function readyAfterKill(bench: Bench): Promise<Figure> {
  await using daemon = await bench.daemon({ STALL_SECONDS: '3600' })
  const count = await fillQueue(bench, daemon)
  const url = await stallingUrl(bench)
  const seen: number[] = []
  for (let round = 0; round < (bench.quick ? 2 : 5); round++) {
    await daemon.end('SIGKILL')
    const startedAt = performance.now()
    await daemon.start()
    using api = new Api(daemon)
    const isWell = () => api.health().then(Boolean, () => false)
    await until('the daemon to be well', isWell, { everyMs: 5, timeoutMs: 30_000 })
    await api.submit('get_video', { url })
    seen.push((performance.now() - startedAt) / 1000)
  }
  const note = `from its start until /health is 200 and a task is accepted, ${count} waiting`
  return { name: 'ready_after_kill', value: median(seen), unit: 's', target: { most: 2 }, note }
}

/** Never sends a byte of its body. */
async function stallingUrl(bench: Bench): Promise<string> {
  const origin = await bench.origin()
  return `${origin.url}/small.mp4?stall=0&n=${bench.next()}`
}

/** Submits so many tasks that never get on; the workers are busy with the first of them. */
async function fillQueue(bench: Bench, daemon: TestDaemon): Promise<number> {
  const count = bench.quick ? 1_000 : 10_000
  using api = new Api(daemon)
  let left = count
  const submit = async () => {
    while (left-- > 0) await api.submit('get_video', { url: await stallingUrl(bench) })
  }
  await Promise.all(Array.from({ length: SUBMISSIONS_AT_ONCE }, submit))
  return count
}
