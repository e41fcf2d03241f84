import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import autocannon from 'autocannon'
import { ADMIN_KEY } from '../../test/support/daemon.ts'
import { complete } from './api.ts'
import type { Bench } from './bench.ts'
import { type Figure, sideBySide } from './figure.ts'

const CONNECTIONS = 64

/** Polls of a finished task a second, beside an Express route that does nothing but answer with the same JSON. */
export async function statusPolls(bench: Bench): Promise<Figure> {
  const origin = await bench.origin()
  await using daemon = await bench.daemon()
  const status = await complete(daemon, 'get_video', { url: `${origin.url}/small.mp4` }, 50)
  await using bare = await startBareServer(JSON.stringify(status))
  const taskPath = `/status/${String(status['task_id'])}`
  const pair = await sideBySide(
    bench.quick ? 2 : 5,
    () => requestsPerSecond(bench, daemon.url + taskPath),
    () => requestsPerSecond(bench, bare.url + taskPath),
  )
  return {
    name: 'status_polls',
    value: pair.ours / pair.theirs,
    unit: 'ratio',
    target: { least: 0.6 },
    note: `${Math.round(pair.ours)} polls/s, bare Express ${Math.round(pair.theirs)}`,
  }
}

async function requestsPerSecond(bench: Bench, url: string): Promise<number> {
  const seconds = bench.quick ? 2 : 4
  const headers = { 'X-API-Key': ADMIN_KEY }
  const result = await autocannon({ url, connections: CONNECTIONS, duration: seconds, headers })
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${url}: ${result.non2xx + result.errors} bad answers`)
  return result.requests.total / result.duration
}

/** In a process of its own, as the daemon is. */
export async function startBareServer(body: string): Promise<AsyncDisposable & Readonly<{ url: string }>> {
  const program = path.join(import.meta.dirname, 'bare-express.ts')
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  child.stdin.end(body)
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill()
      await exited
    },
  }
}
