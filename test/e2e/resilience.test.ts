import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import SqliteDatabase from 'better-sqlite3'
import type { Body, Client } from '../support/client.ts'
import { isForkServer, processesOf } from '../support/daemon-processes.ts'
import { createTestDaemon, startTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { probe, sha256 } from '../support/media.ts'
import { startOrigin, type Origin, type OriginExchange } from '../support/origin.ts'
import { waitFor } from '../support/wait-for.ts'

const MIB = 2 ** 20

let origin: Origin

beforeAll(async () => {
  origin = await startOrigin()
  // Made once, before several tests want them at the same time.
  for (const file of ['/small.mp4', '/other.mp4', '/big/8.mp4']) await (await fetch(origin.url + file)).arrayBuffer()
})

afterAll(() => origin[Symbol.asyncDispose]())

const bytesOf = async (file: string) => Buffer.from(await (await fetch(origin.url + file)).arrayBuffer())

async function sha256Of(client: Client, status: Body): Promise<string> {
  const file = await client.download(status['file'])
  const hash = await sha256(file)
  await fs.rm(path.dirname(file), { recursive: true })
  return hash
}

async function sourceSha256(file: string): Promise<string> {
  const dir = await fs.mkdtemp('/tmp/ytdlpd-source-')
  await fs.writeFile(path.join(dir, 'file'), await bytesOf(file))
  const hash = await sha256(path.join(dir, 'file'))
  await fs.rm(dir, { recursive: true })
  return hash
}

/** Resolves when so many bytes of a task have arrived. */
const untilBytes = (client: Client, id: string, bytes: number) =>
  waitFor(`${bytes} bytes of ${id}`, async () => Number((await client.status(id))['downloaded_bytes'] ?? 0) > bytes)

const untilStatus = (client: Client, id: string, wanted: Readonly<Record<string, unknown>>, timeoutMs?: number) =>
  waitFor(
    `${id} to be ${JSON.stringify(wanted)}`,
    async () => {
      const body = await client.status(id)
      return Object.entries(wanted).every(([name, value]) => body[name] === value) && body
    },
    timeoutMs,
  )

const left = async (daemon: TestDaemon, taskId?: string) =>
  (await processesOf(daemon)).filter(({ label }) => taskId === undefined || label.startsWith(`${taskId}.`))

async function workFolders(daemon: TestDaemon, taskId = ''): Promise<string[]> {
  return (await fs.readdir(path.join(daemon.downloads, '.work'))).filter((name) => name.startsWith(taskId))
}

function columnOf(daemon: TestDaemon, column: 'failures' | 'deaths' | 'attempt', ids: readonly string[]): unknown[] {
  const database = new SqliteDatabase(path.join(daemon.state, 'ytdlpd.sqlite'), { readonly: true })
  try {
    return ids.map((id) => database.prepare(`select ${column} from task where id = ?`).pluck().get(id))
  } finally {
    database.close()
  }
}

/** Bytes below a folder. */
async function sizeOf(dir: string): Promise<number> {
  const entries = await fs.readdir(dir, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name))
  const sizes = await Promise.all(files.map(async (file) => (await fs.stat(file).catch(() => null))?.size ?? 0))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** The largest resident size that any process of a daemon ever had. */
async function peakMemory(daemon: TestDaemon): Promise<number> {
  const pids = [daemon.pid, ...(await processesOf(daemon)).map(({ pid }) => pid)]
  const peaks = await Promise.all(
    pids.map(async (pid) => {
      const text = await fs.readFile(`/proc/${pid}/status`, 'utf8').catch(() => '') // it ended meanwhile
      return Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024
    }),
  )
  return Math.max(...peaks)
}

/** Looks again and again until `ending` resolves; resolves to the largest that was seen. */
async function highest(ending: Promise<unknown>, look: () => Promise<number>): Promise<number> {
  let most = 0
  let ended = false
  const watched = ending.finally(() => {
    ended = true
  })
  for (;;) {
    most = Math.max(most, await look())
    if (ended) break
    await wait(30)
  }
  await watched
  return most
}

describe('ending a task', () => {
  let daemon: TestDaemon

  beforeAll(async () => {
    daemon = await startTestDaemon({ MAX_WORKERS: '2' })
  })

  afterAll(() => daemon[Symbol.asyncDispose]())

  /** Cancels, and requires that within two seconds nothing is left of the task but its record. */
  async function requireCancelled(id: string): Promise<void> {
    const client = daemon.client()
    const before = performance.now()
    expect((await client.request('POST', `/v1/tasks/${id}/cancel`)).status).toBe(200)
    expect(performance.now() - before).toBeLessThan(2_000)
    expect(await left(daemon, id)).toEqual([])
    expect(await workFolders(daemon, id)).toEqual([])
    expect(await client.status(id)).toMatchObject({ status: 'error', error_code: 'cancelled' })
    expect((await client.request('POST', `/v1/tasks/${id}/cancel`)).status).toBe(409)
  }

  test('that downloads', async () => {
    const id = await daemon.client().submit('get_video', { url: `${origin.url}/small.mp4?bps=20000&cancel` })
    await untilBytes(daemon.client(), id, 10_000)
    expect((await left(daemon, id)).length).toBeGreaterThan(0)
    await requireCancelled(id)
  })

  test('that is being converted', async () => {
    const body = { url: `${origin.url}/big/8.mp4`, output_format: 'webm' }
    const id = await daemon.client().submit('get_video', body)
    await untilStatus(daemon.client(), id, { phase: 'processing' })
    expect((await left(daemon, id)).some(({ command }) => command.includes('ffmpeg'))).toBe(true)
    await requireCancelled(id)
  })

  test('that waits for its turn, or to be tried again', async () => {
    const client = daemon.client()
    const busy = await Promise.all(
      [1, 2].map((n) => client.submit('get_video', { url: `${origin.url}/small.mp4?bps=20000&busy=${n}` })),
    )
    const waiting = await client.submit('get_info', { url: `${origin.url}/small.mp4?turn` })
    expect(await client.status(waiting)).toMatchObject({ status: 'waiting' })
    await requireCancelled(waiting)
    for (const id of busy) await requireCancelled(id)
    const again = await client.submit('get_video', { url: `${origin.url}/small.mp4?status=503` })
    await untilStatus(client, again, { status: 'waiting', error_code: 'upstream_5xx' })
    await requireCancelled(again)
  })

  test('by the clock, when it runs longer than it may', async () => {
    await using strict = await startTestDaemon({ MAX_RUN_SECONDS: '3', RETRY_MAX_WAIT: '0' })
    const before = performance.now()
    const id = await strict.client().submit('get_video', { url: `${origin.url}/small.mp4?bps=10000` })
    expect(await strict.client().finish(id)).toMatchObject({ status: 'error', error_code: 'timeout' })
    expect(performance.now() - before).toBeLessThan(7_000)
    expect(await left(strict, id)).toEqual([])
  })
})

describe('a queue that is full', () => {
  test('is said with a time to come back, for the whole and for one key', async () => {
    await using daemon = await startTestDaemon({ MAX_WORKERS: '1', MAX_QUEUE: '4', MAX_QUEUED_PER_KEY: '3' })
    const admin = daemon.client()
    const { body } = await admin.post('/create_key', { name: 'other', permissions: ['get_info'] })
    const other = daemon.client(String(body['key']))
    const slow = await admin.submit('get_video', { url: `${origin.url}/small.mp4?bps=5000` })
    await untilStatus(admin, slow, { status: 'processing' })
    const info = { url: `${origin.url}/small.mp4?queue` }
    for (let n = 0; n < 3; n++) await admin.submit('get_info', info)
    const perKey = await admin.post('/get_info', info)
    expect(perKey.status).toBe(429)
    expect(Number(perKey.headers.get('retry-after'))).toBeGreaterThan(0)
    await other.submit('get_info', info)
    const whole = await other.post('/get_info', info)
    expect(whole.status).toBe(503)
    expect(Number(whole.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(typeof whole.body['error']).toBe('string')
  })
})

describe('a start that cannot be', () => {
  const refusedStart = (daemon: TestDaemon, settings: Readonly<Record<string, string>> = {}) =>
    daemon.start(settings).then(
      () => 'it started',
      async (error: Error) => `${await daemon.end('SIGKILL')} ${error.message}`,
    )

  test('is refused in words when the database is damaged', async () => {
    await using daemon = await startTestDaemon()
    await daemon.end('SIGTERM')
    const file = path.join(daemon.state, 'ytdlpd.sqlite')
    await fs.writeFile(file, (await fs.readFile(file)).fill(0xa5, 0, 4_096))
    const message = await refusedStart(daemon)
    expect(message).toMatch(/^1 .*\n?ytdlpd did not start: .*ytdlpd\.sqlite cannot be read/)
    expect(message).not.toMatch(/\n\s+at /)
  })

  test('is refused in words when another daemon uses the folder, which goes on', async () => {
    await using daemon = await startTestDaemon()
    await using second = await createTestDaemon({ STATE_DIR: daemon.state })
    expect(await refusedStart(second)).toMatch(/^1 .*\n?ytdlpd did not start: another ytdlpd uses/)
    const status = await daemon.client().complete('get_video', { url: `${origin.url}/small.mp4?alone` })
    const file = await daemon.client().download(status['file'])
    expect((await probe(file)).duration).toBeCloseTo(6, 0)
    await fs.rm(path.dirname(file), { recursive: true })
  })
})

// These wait most of the time: they begin with the first test of the file and go on beside all others.

test.concurrent(
  'the engine process may die: its tasks are tried again and the daemon stays up',
  async () => {
    await using daemon = await startTestDaemon()
    const client = daemon.client()
    const ids = await Promise.all(
      [1, 2, 3].map((n) => client.submit('get_video', { url: `${origin.url}/small.mp4?bps=50000&engine=${n}` })),
    )
    for (const id of ids) await untilBytes(client, id, 20_000)
    const server = (await processesOf(daemon)).find(isForkServer)
    process.kill(server?.pid ?? NaN, 'SIGKILL')
    const { pid } = daemon
    expect(await client.complete('get_info', { url: `${origin.url}/small.mp4?after` })).toBeTruthy()
    const ends = await Promise.all(ids.map((id) => client.finish(id)))
    expect(ends.map((end) => end['status'])).toEqual(['completed', 'completed', 'completed'])
    expect(daemon.pid).toBe(pid)
  },
  90_000,
)

test.concurrent(
  'a stalled download is noticed in time, and goes on by itself',
  async () => {
    await using daemon = await startTestDaemon({ STALL_SECONDS: '3' })
    const client = daemon.client()
    const before = Date.now()
    const id = await client.submit('get_video', { url: `${origin.url}/small.mp4?bps=40000&stall=80000&times=2` })
    await untilStatus(client, id, { error_code: 'stalled' })
    expect(Date.now() - before).toBeLessThan(2_000 + 3_000 + 6_000)
    const status = await client.finish(id)
    expect(status).toMatchObject({ status: 'completed' })
    expect(await sha256Of(client, status)).toBe(await sourceSha256('/small.mp4'))
  },
  90_000,
)

test.concurrent(
  'on a nearly full disk nothing is accepted or begun, and what waits is not lost',
  async () => {
    await using daemon = await startTestDaemon({ MAX_WORKERS: '1' })
    const ids = await Promise.all(
      [1, 2].map((n) => daemon.client().submit('get_video', { url: `${origin.url}/small.mp4?bps=40000&full=${n}` })),
    )
    await daemon.end('SIGKILL')
    await daemon.start({ MIN_FREE_BYTES: '100000T' })
    const refused = await daemon.client().post('/get_info', { url: `${origin.url}/small.mp4` })
    expect(refused.status).toBe(507)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    await wait(2_500) // longer than the queue takes to look around
    for (const id of ids) expect((await daemon.client().status(id))['status']).toBe('waiting')
    expect((await daemon.client().get('/health')).body['disk']).toMatchObject({ full: true })
    await daemon.end('SIGKILL')
    await daemon.start()
    for (const id of ids) expect(await daemon.client().finish(id)).toMatchObject({ status: 'completed' })
  },
  90_000,
)

test.concurrent(
  'a file that is replaced at its origin is never made of two halves',
  async () => {
    await using daemon = await startTestDaemon({ RETRY_MAX_WAIT: '60' })
    const client = daemon.client()
    const [small, other] = [await bytesOf('/small.mp4'), await bytesOf('/other.mp4')]
    const serve = (exchange: OriginExchange, file: 'small' | 'other', query = '') => {
      exchange.url.search = query
      return exchange.serve({ source: file === 'small' ? small : other, type: 'video/mp4', name: file })
    }
    let hasBroken = false
    origin.on('/within.mp4', async (exchange) => {
      if (hasBroken) return serve(exchange, 'other')
      await serve(exchange, 'small', 'reset=80000&bps=50000')
      hasBroken = exchange.entry.bytesSent >= 80_000
    })
    let replaced = false
    origin.on('/between.mp4', (exchange) =>
      replaced ? serve(exchange, 'other') : serve(exchange, 'small', 'bps=60000'),
    )

    const within = await client.complete('get_video', { url: `${origin.url}/within.mp4` })
    expect(hasBroken).toBe(true)
    expect(await sha256Of(client, within)).toBe(await sourceSha256('/other.mp4'))

    const id = await client.submit('get_video', { url: `${origin.url}/between.mp4` })
    await untilBytes(client, id, 80_000)
    await daemon.end('SIGKILL')
    replaced = true
    await daemon.start()
    const status = await daemon.client().finish(id)
    expect(await sha256Of(daemon.client(), status)).toBe(await sourceSha256('/other.mp4'))
  },
  120_000,
)

test.concurrent('connections that are cut or reset are taken up where they ended', async () => {
  await using daemon = await startTestDaemon()
  const client = daemon.client()
  // Slow enough to be worth taking up again.
  const switches = ['truncate=0.5&bps=2500000', 'reset=5000000&bps=2500000'].map((cut) => `${cut}&times=2`)
  const ends = await Promise.all(
    switches.map((cut) => client.complete('get_video', { url: `${origin.url}/big/8.mp4?${cut}` })),
  )
  const expected = await sourceSha256('/big/8.mp4')
  for (const end of ends) expect(await sha256Of(client, end)).toBe(expected)
  for (const cut of switches)
    expect(origin.log.some(({ url, range }) => url.includes(cut) && /^bytes=[1-9]\d{6}/.test(range ?? ''))).toBe(true)
})

test.concurrent(
  'a download is bounded in size, whatever the origin announces',
  async () => {
    await using daemon = await startTestDaemon({ MAX_FILE_BYTES: '2M', RETRY_MAX_WAIT: '0' })
    const client = daemon.client()
    const paths = ['/big/8.mp4?nolength', '/big/8.mp4?close', '/bomb/64?type=video/mp4', '/endless?type=video/mp4']
    for (const each of paths) {
      const id = await client.submit('get_video', { url: origin.url + each })
      const ending = client.finish(id)
      expect(await highest(ending, () => sizeOf(daemon.downloads))).toBeLessThan(2 * MIB + 8 * MIB)
      expect({ each, ...(await ending) }).toMatchObject({ each, status: 'error', error_code: 'too_large' })
      await waitFor('an empty work folder', async () => (await workFolders(daemon)).length === 0)
    }
  },
  90_000,
)

test.concurrent(
  'a page of hundreds of megabytes costs neither the memory nor the daemon',
  async () => {
    await using daemon = await startTestDaemon({ RETRY_MAX_WAIT: '0' })
    const client = daemon.client()
    for (const kind of ['get_info', 'get_video']) {
      const ending = client.submit(kind, { url: `${origin.url}/huge-html?mb=256` }).then((id) => client.finish(id))
      expect(await highest(ending, () => peakMemory(daemon))).toBeLessThan(500 * MIB)
      expect({ kind, ...(await ending) }).toMatchObject({ kind, status: 'error', error_code: 'too_large' })
    }
    expect((await client.get('/health')).status).toBe(200)
  },
  120_000,
)

describe('ending the daemon', () => {
  const GRACE_S = 1

  /** A daemon with 8 downloads under way, each with some bytes on the disk. */
  async function busyDaemon(settings: Readonly<Record<string, string>> = {}) {
    const daemon = await startTestDaemon({ MAX_WORKERS: '8', SHUTDOWN_GRACE: String(GRACE_S), ...settings })
    const client = daemon.client()
    const ids = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        client.submit('get_video', { url: `${origin.url}/big/8.mp4?bps=1500000&of=${daemon.pid}-${n}` }),
      ),
    )
    for (const id of ids) await untilBytes(client, id, 1_000_000)
    return { daemon, ids }
  }

  test('with SIGTERM: running tasks go back into the queue, and on from where they were', async () => {
    const { daemon, ids } = await busyDaemon()
    await using _daemon = daemon
    const before = performance.now()
    const ending = daemon.end('SIGTERM')
    await waitFor('new tasks to be refused', async () => {
      const answer = await daemon.client().post('/get_info', { url: `${origin.url}/small.mp4` })
      return answer.status === 503 && Number(answer.headers.get('retry-after')) > 0
    })
    expect(await ending).toBe(0)
    expect(performance.now() - before).toBeLessThan((GRACE_S + 2) * 1_000)
    expect(await left(daemon)).toEqual([])
    expect(columnOf(daemon, 'failures', ids)).toEqual(ids.map(() => 0))
    expect(columnOf(daemon, 'deaths', ids)).toEqual(ids.map(() => 0))
    const asked = origin.log.length
    await daemon.start()
    const ends = await Promise.all(ids.map((id) => daemon.client().finish(id)))
    expect(ends.map((end) => end['status'])).toEqual(ids.map(() => 'completed'))
    const resumed = origin.log.slice(asked).filter(({ range }) => /^bytes=[1-9]\d{5,}-/.test(range ?? ''))
    expect(resumed).toHaveLength(8)
    expect(await sha256Of(daemon.client(), ends[0] ?? {})).toBe(await sourceSha256('/big/8.mp4'))
  }, 90_000)

  test('with a second signal: at once', async () => {
    const { daemon } = await busyDaemon({ SHUTDOWN_GRACE: '60' })
    await using _daemon = daemon
    process.kill(daemon.pid, 'SIGTERM')
    await wait(200)
    const before = performance.now()
    expect(await daemon.end('SIGTERM')).toBe(1)
    expect(performance.now() - before).toBeLessThan(1_000)
    await waitFor('no process to be left', async () => (await left(daemon)).length === 0, 1_000)
  })

  test('with SIGKILL: nothing of it is left a second later, and no task is lost', async () => {
    const { daemon, ids } = await busyDaemon()
    await using _daemon = daemon
    expect((await left(daemon)).length).toBeGreaterThan(8)
    await daemon.end('SIGKILL')
    await waitFor('no process to be left', async () => (await left(daemon)).length === 0, 1_000)
    await daemon.start({ MAX_WORKERS: '1' })
    const states = await Promise.all(ids.map((id) => daemon.client().status(id)))
    expect(states.filter(({ status }) => status !== 'waiting' && status !== 'processing')).toEqual([])
    expect(columnOf(daemon, 'deaths', ids)).toEqual(ids.map(() => 1))
  })
})
