import fs from 'node:fs/promises'
import path from 'node:path'
import { useRig } from '../support/rig.ts'
import { probe } from '../support/media.ts'

const rig = useRig()

const submit = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  rig.client().request('POST', '/v1/tasks', {
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...headers },
  })

/** As a script waits: one call after the other, each until something changes. */
async function follow(id: unknown): Promise<{ states: string[]; last: Readonly<Record<string, unknown>> }> {
  const states: string[] = []
  let etag = ''
  for (;;) {
    const headers = etag === '' ? {} : { 'If-None-Match': etag }
    const { status, body, headers: got } = await rig.client().get(`/v1/tasks/${String(id)}?wait=20`, headers)
    etag = got.get('etag') ?? ''
    if (status === 304) continue
    const state = String(body['state'])
    if (states.at(-1) !== state) states.push(state)
    if (['completed', 'error', 'cancelled'].includes(state)) return { states, last: body }
  }
}

test('a task is submitted, followed by long polls until it has ended, and its file fetched', async () => {
  const { status, body } = await submit({ url: `${rig.origin().url}/small.mp4`, quality: '480p', container: 'mkv' })
  expect(status).toBe(201)
  const { states, last } = await follow(body['id'])
  expect(states.at(-1)).toBe('completed')
  expect(last).toMatchObject({ error: null, progress: null, attempts: 1 })
  const { url, size, kind } = last['file'] as { url: string; size: number; kind: string }
  expect(kind).toBe('video')
  const file = await rig.client().download(url)
  expect((await fs.stat(file)).size).toBe(size)
  expect((await probe(file)).streams.some(({ type }) => type === 'video')).toBe(true)
  await fs.rm(path.dirname(file), { recursive: true })
})

test('a paused queue and the tokens of calls outlast the daemon', async () => {
  const client = () => rig.client()
  expect((await client().post('/v1/queue/pause', {})).body).toMatchObject({ paused: true })
  const body = { urls: [1, 2].map((n) => `${rig.origin().url}/small.mp4?n=${n}`), kind: 'audio' }
  const headers = { 'Idempotency-Key': 'before-the-restart' }
  const first = await submit(body, headers)
  expect(first.status).toBe(201)
  await rig.daemon().end('SIGTERM')
  await rig.daemon().start()
  expect((await client().get('/v1/queue')).body).toMatchObject({ paused: true, waiting: 2, processing: 0 })
  const again = await submit(body, headers)
  expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([201, first.body, 'true'])
  const tasks = first.body['tasks'] as { id: string }[]
  expect((await client().get(`/v1/tasks/${tasks[0]?.id ?? ''}`)).body).toMatchObject({ wait_reason: 'paused' })
  expect((await client().post('/v1/queue/resume', {})).body).toMatchObject({ paused: false })
  for (const { id } of tasks) expect((await follow(id)).last).toMatchObject({ state: 'completed', kind: 'audio' })
  const batch = await client().get(`/v1/batches/${String(first.body['batch_id'])}`)
  expect(batch.body).toMatchObject({ total: 2, counts: { completed: 2 } })
  expect(batch.body['finished_at']).not.toBeNull()
})
