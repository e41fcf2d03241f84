import { once } from 'node:events'
import fs from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import autocannon from 'autocannon'
import { ADMIN_KEY, createTestDaemon, type TestDaemon } from '../../test/support/daemon.ts'
import type { Bench } from './bench.ts'
import { type Figure, median, sideBySide, timed } from './figure.ts'
import { residentBytes } from './processes.ts'
import { measureSink } from './sink.ts'
import { startBareServer } from './status.ts'

const CONNECTIONS = 64
const WATCH = 'https://www.youtube.com/watch?v=dQw4w9WgXcQ'
const PARSE = '/api/v1/parse'
const headers = { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json' }
const body = JSON.stringify({ url: WATCH })

async function parse(daemon: TestDaemon): Promise<string> {
  const answer = await fetch(daemon.url + PARSE, { method: 'POST', headers, body })
  const text = await answer.text()
  if (!text.includes('"success"')) throw new Error(`not parsed: ${text}`)
  return text
}

/** Parses of a post that was read before, a second, beside an Express route that reads the body and answers the same. */
export async function parseCached(bench: Bench): Promise<Figure> {
  await using daemon = await bench.simDaemon({ INFO_CACHE_SECONDS: '3600' })
  await using bare = await startBareServer(await parse(daemon))
  const load = async (url: string) => {
    const duration = bench.quick ? 2 : 4
    const result = await autocannon({ url, method: 'POST', headers, body, connections: CONNECTIONS, duration })
    if (result.non2xx > 0 || result.errors > 0) throw new Error(`${url}: ${result.non2xx + result.errors} bad answers`)
    return result.requests.total / result.duration
  }
  const pair = await sideBySide(
    bench.quick ? 2 : 5,
    () => load(daemon.url + PARSE),
    () => load(bare.url + PARSE),
  )
  return {
    name: 'parse_cached',
    value: pair.ours / pair.theirs,
    unit: 'ratio',
    target: { least: 0.5 },
    note: `${Math.round(pair.ours)} parses/s, bare Express ${Math.round(pair.theirs)}`,
  }
}

/** A post that nobody has read before, beside yt-dlp. */
export async function parseUncached(bench: Bench): Promise<Figure> {
  const sim = await bench.sim()
  await using daemon = await bench.simDaemon()
  const pair = await sideBySide(
    bench.quick ? 3 : 9,
    () => timed(() => parse(daemon)),
    () => timed(() => bench.bare(['-J', WATCH], sim)),
  )
  const seconds = (ms: number) => `${(ms / 1000).toFixed(3)} s`
  const note = `${seconds(pair.ours)}, bare ${seconds(pair.theirs)}`
  return { name: 'parse_uncached', value: pair.ours / pair.theirs, unit: 'ratio', target: { most: 0.4 }, note }
}

const PIECE_BYTES = 256 * 1024
/** What a host at the other end of a gigabit line sends. */
const LINE_BYTES_PER_SECOND = 119e6

/** Sends `bytes` of nothing to everybody who asks, at the speed of a line. */
async function startHost(bytes: number): Promise<AsyncDisposable & Readonly<{ url: string }>> {
  const piece = Buffer.alloc(PIECE_BYTES)
  const send = async (res: http.ServerResponse) => {
    res.writeHead(200, { 'Content-Type': 'video/mp4', 'Content-Length': bytes })
    const startedAt = performance.now()
    for (let sent = 0; sent < bytes && !res.destroyed; sent += PIECE_BYTES) {
      if (!res.write(piece)) await Promise.race([once(res, 'drain'), once(res, 'close')])
      const early = (sent / LINE_BYTES_PER_SECOND) * 1000 - (performance.now() - startedAt)
      if (early > 1) await sleep(early)
    }
    res.end()
  }
  const server = http.createServer((_req, res) => void send(res))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/medium.mp4`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await promisify(server.close.bind(server))()
    },
  }
}

/** Bytes a second of a large medium through the proxy, beside the same straight from its host; and what that takes of memory. */
export async function mediaProxy(bench: Bench): Promise<readonly Figure[]> {
  const megabytes = bench.quick ? 256 : 1024
  await using host = await startHost(megabytes * 2 ** 20)
  const medium = host.url
  await using daemon = await createTestDaemon({ LOG_LEVEL: 'warn' })
  await fs.mkdir(path.join(daemon.dir, 'config'))
  const hosts = JSON.stringify({ instagram: ['127.0.0.1'] })
  await fs.writeFile(path.join(daemon.dir, 'config', 'proxy-hosts.json'), hosts)
  await daemon.start()
  const proxied = `${daemon.url}/api/media-proxy?platform=instagram&url=${encodeURIComponent(medium)}`
  const resident: number[] = []
  const pair = await sideBySide(
    3,
    async () => {
      const speed = await measureSink(proxied, daemon.client().headers)
      resident.push(await residentBytes(daemon.pid))
      return speed
    },
    () => measureSink(medium, {}),
  )
  const perSecond = (bytes: number) => `${Math.round(bytes / 1e6)} MB/s`
  const [first = NaN, ...later] = resident
  return [
    {
      name: 'media_proxy',
      value: pair.ours / pair.theirs,
      unit: 'ratio',
      target: { least: 0.8 },
      note: `${megabytes} MiB over a gigabit line: ${perSecond(pair.ours)}, straight ${perSecond(pair.theirs)}`,
    },
    {
      name: 'media_proxy_memory',
      value: (median(later) - first) / 1e6,
      unit: 'MB',
      target: { most: 64 },
      note: 'more after the last of them than after the first',
    },
  ]
}
