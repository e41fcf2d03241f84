import { addBulkPlaylist, playlists } from '../sim/youtube-catalog.ts'
import { startSim, type Sim } from '../sim/index.ts'
import type { Body, Client } from '../support/client.ts'
import { startTestDaemon, type Settings, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait-for.ts'

const LIST = 'https://www.youtube.com/playlist?list='
const MIXED = `${LIST}PLsimsimsimsimsimsimsimsimsimsim0001`
const LONG = `${LIST}PLsimsimsimsimsimsimsimsimsimsim0250`

type Listed = Readonly<{ id: string; state: string; kind: string; position: number | null; title: string | null }>

async function submit(client: Client, url: string, playlist: unknown, more: Body = {}): Promise<string> {
  const { status, body } = await client.post('/v1/tasks', { kind: 'playlist', url, playlist, ...more })
  if (status !== 201) throw new Error(`the playlist was refused: ${status} ${JSON.stringify(body)}`)
  return String(body['id'])
}

const taskOf = async (client: Client, id: string) => (await client.get(`/v1/tasks/${id}`)).body

const ended = (client: Client, id: string, timeoutMs = 60_000) =>
  waitFor(
    `task ${id} to end`,
    async () => {
      const task = await taskOf(client, id)
      return task['finished_at'] === null ? null : task
    },
    timeoutMs,
  )

const batchOf = async (client: Client, id: string) => (await client.get(`/v1/batches/${id}`)).body

const batchEnded = (client: Client, id: string) =>
  waitFor(
    `batch ${id} to end`,
    async () => {
      const batch = await batchOf(client, id)
      return batch['finished_at'] === null ? null : batch
    },
    60_000,
  )

/** The tasks that a playlist made, in the order of the playlist. */
async function childrenOf(client: Client, id: string): Promise<Listed[]> {
  const all: Listed[] = []
  let more: string | null = ''
  while (more !== null) {
    const { body } = await client.get(`/v1/tasks?batch=${id}&limit=200${more}`)
    all.push(...(body['items'] as Listed[]))
    more = body['next'] === null ? null : `&cursor=${body['next'] as string}`
  }
  return all.filter((task) => task.id !== id).toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0))
}

describe('playlists of a site', () => {
  let sim: Sim
  let daemon: TestDaemon

  const start = (settings: Settings = {}) => startTestDaemon({ PROXY_URL: sim.url, CA_FILE: sim.caFile, ...settings })

  beforeAll(async () => {
    sim = await startSim({ sites: ['youtube'] })
    daemon = await start()
  })

  afterEach(() => {
    const problems = sim.problems()
    sim.reset()
    expect(problems).toEqual([])
  })

  afterAll(async () => {
    await daemon[Symbol.asyncDispose]()
    await sim[Symbol.asyncDispose]()
  })

  test('each entry becomes a task with an end of its own, and can be tried again by itself', async () => {
    const name = 'PLsimsimsimsimsimsimsimsimsimsim0002'
    playlists.set(name, { title: 'Sim: some fail', ids: ['simPlain001', 'simPrivate1', 'simGeoBlk01', 'simPlain002'] })
    const client = daemon.client()
    const id = await submit(client, `${LIST}${name}`, { kind: 'audio' })
    expect(await ended(client, id)).toMatchObject({
      state: 'completed',
      title: 'Sim: some fail',
      batch_id: id,
      file: { name: 'playlist.json', kind: 'playlist', note: 'left out 1: 1 private' },
    })
    await batchEnded(client, id)
    const children = await childrenOf(client, id)
    expect(children.map(({ position, state, kind, title }) => [position, kind, state, title])).toEqual([
      [1, 'audio', 'completed', 'Sim: plain 720p'],
      [3, 'audio', 'error', 'Sim: geo'],
      [4, 'audio', 'completed', 'Sim: /\\:*?"<>| ünïcödé 日本語 😀 title'],
    ])
    const failed = children[1]?.id ?? ''
    expect((await client.post(`/v1/tasks/${failed}/retry`, {})).status).toBe(200)
    expect(await ended(client, failed)).toMatchObject({ state: 'error' })
    await batchEnded(client, id)
    // The playlist itself was done: another run of it would be another download.
    expect((await client.post(`/v1/tasks/${id}/retry`, {})).status).toBe(409)
  }, 60_000)

  test('places, lengths, titles and a limit choose among the entries', async () => {
    const client = daemon.client()
    const id = await submit(client, LONG, {
      kind: 'thumbnail',
      items: [3, '10-40', '249-'],
      min_duration: 12,
      max_duration: 13,
      title: 'BULK 1',
      limit: 4,
    })
    const { file } = await ended(client, id)
    const children = await childrenOf(client, id)
    // `bulk <n>` stands at place n + 1 and is 10 + n % 7 seconds long.
    expect(children.map(({ position }) => position)).toEqual([11, 17, 18])
    expect(file).toMatchObject({ note: 'left out 31: 31 filtered out' })
    await batchEnded(client, id)
  }, 30_000)

  test('what was downloaded is left out the next time', async () => {
    const client = daemon.client()
    await client.request('DELETE', '/v1/archive')
    const wish = { kind: 'info', skip_downloaded: true, items: [1, 2, 4] }
    const first = await submit(client, MIXED, wish)
    await ended(client, first)
    await batchEnded(client, first)
    expect(await childrenOf(client, first)).toHaveLength(3)
    const { items } = (await client.get('/v1/archive?limit=200')).body as { items: Body[] }
    expect(items.map((entry) => entry['media_id'])).toEqual(
      expect.arrayContaining(['youtube dQw4w9WgXcQ', 'youtube simPlain001', 'youtube simPlain002']),
    )
    const second = await submit(client, MIXED, wish)
    expect(await ended(client, second)).toMatchObject({
      state: 'completed',
      file: { note: 'left out 3: 3 already downloaded' },
    })
    expect(await childrenOf(client, second)).toEqual([])
    await batchEnded(client, second)
    await client.request('DELETE', '/v1/archive/youtube%20simPlain001')
    const third = await submit(client, MIXED, wish)
    await batchEnded(client, third)
    expect(await childrenOf(client, third)).toMatchObject([{ position: 2 }])
  }, 60_000)

  test('a channel is all that its tabs hold', async () => {
    const client = daemon.client()
    const { body } = await client.get(`/v1/info?url=${encodeURIComponent('https://www.youtube.com/@simchannel')}`)
    const titles = (body['items'] as Body[]).map((item) => item['title'])
    expect(titles).toEqual(expect.arrayContaining(['Sim: plain 720p', 'Sim: vertical short', 'Sim: live now']))
  })

  test('calls at the same time ask the site once, and a long list is shown page by page', async () => {
    const client = daemon.client()
    const name = addBulkPlaylist(1_000)
    const look = (more = '') => client.get(`/v1/info?url=${encodeURIComponent(`${LIST}${name}`)}&limit=200${more}`)
    const [first, same] = await Promise.all([look(), look()])
    expect(first.status).toBe(200)
    expect(same.body).toEqual(first.body)
    const ids = (first.body['items'] as Body[]).map((item) => item['id'])
    let next = first.body['next'] as string | null
    while (next !== null) {
      const { body } = await look(`&cursor=${next}`)
      ids.push(...(body['items'] as Body[]).map((item) => item['id']))
      next = body['next'] as string | null
    }
    expect(new Set(ids).size).toBe(1_000)
    const asked = sim.log.filter(({ url }) => url?.includes(`/playlist?list=${name}`) ?? false)
    expect(asked).toHaveLength(1)
  }, 30_000)

  test('another key sees nothing of it', async () => {
    const client = daemon.client()
    const { body } = await client.post('/create_key', {
      name: 'stranger',
      permissions: ['get_info', 'get_playlist', 'get_video'],
    })
    const stranger = daemon.client(String(body['key']))
    // The playlist is meant, although the address names one of its videos.
    const one = MIXED.replace('playlist?', 'watch?v=simPlain001&')
    const id = await submit(client, one, { kind: 'info', items: [1] })
    await batchEnded(client, id)
    const [child] = await childrenOf(client, id)
    expect(child?.title).toBe('Sim: Never Going To Give You Up (4K)')
    for (const path of [`tasks/${id}`, `tasks/${child?.id ?? ''}`, `batches/${id}`, `tasks/${id}/files`])
      expect((await stranger.get(`/v1/${path}`)).status).toBe(404)
    expect(await childrenOf(stranger, id)).toEqual([])
    expect((await stranger.get('/v1/archive')).body['items']).toEqual([])
    for (const action of ['cancel', 'retry'])
      expect((await stranger.post(`/v1/tasks/${id}/${action}`, {})).status).toBe(404)
    const audio = await stranger.post('/v1/tasks', { kind: 'playlist', url: MIXED, playlist: { kind: 'audio' } })
    expect(audio.status).toBe(403)
  }, 30_000)

  test('cancelled while the list is read it makes nothing, cancelled later it takes its tasks along', async () => {
    await using slow = await start({ MAX_WORKERS: '1' })
    const client = slow.client()
    sim.faults.push({ match: 'list=PLsimsimsimsimsimsimsimsimsimsim0250', delay: 60_000 })
    const early = await submit(client, LONG, { kind: 'info' })
    await waitFor('the list to be read', async () => (await taskOf(client, early))['state'] === 'processing')
    await client.post(`/v1/tasks/${early}/cancel`, {})
    expect(await ended(client, early)).toMatchObject({ state: 'cancelled' })
    expect(await childrenOf(client, early)).toEqual([])
    sim.faults.length = 0
    const late = await submit(client, LONG, { kind: 'info' })
    await ended(client, late)
    expect((await client.post(`/v1/tasks/${late}/cancel`, {})).status).toBe(200)
    const batch = await batchEnded(client, late)
    expect(batch['total']).toBe(251)
    expect(batch['counts']).toMatchObject({ waiting: 0, processing: 0, error: 0 })
    expect(Number((batch['counts'] as Body)['cancelled'])).toBeGreaterThan(200)
  }, 60_000)

  test('a daemon that dies while it makes 5,000 tasks has made each once when it is back', async () => {
    await using mortal = await start({ MAX_WORKERS: '1' })
    const id = await submit(mortal.client(), `${LIST}${addBulkPlaylist(5_000)}`, { kind: 'info' })
    const between = await waitFor(
      'some of the tasks',
      async () => {
        const total = Number((await batchOf(mortal.client(), id))['total'])
        return total > 1 ? total : null
      },
      120_000,
    )
    await mortal.end('SIGKILL')
    expect(between).toBeLessThan(5_001)
    await mortal.start()
    const client = mortal.client()
    expect(await ended(client, id, 120_000)).toMatchObject({ state: 'completed', attempts: 2 })
    expect(await batchOf(client, id)).toMatchObject({ total: 5_001 })
    await client.post('/v1/queue/pause', {})
    const positions = (await childrenOf(client, id)).map(({ position }) => position)
    expect(positions).toEqual(Array.from({ length: 5_000 }, (_, index) => index + 1))
  }, 300_000)
})
