import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Refusal, TaskError } from '../../../src/domain/errors.ts'
import { progressEventSchema, removedEventSchema, taskEventSchema } from '../../../src/http/v1/event-frame.ts'
import { EventStreams } from '../../../src/http/v1/event-streams.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { keyOf, requestOf } from '../../support/samples.ts'
import { SseClient } from '../../support/sse.ts'
import { waitFor } from '../../support/wait-for.ts'

const PROGRESS = { phase: 'downloading', percent: 5, speed: 1, eta: 2, downloadedBytes: 3, totalBytes: 4 } as const

let core: CoreServer
let keyId = ''

beforeEach(async () => {
  core = await startCore()
  keyId = core.keys.authenticate(core.admin)?.id ?? ''
})

afterEach(async () => {
  await core[Symbol.asyncDispose]()
})

const open = (path: string, headers?: Readonly<Record<string, string>>, key: string | null = core.admin) =>
  SseClient.open(core.url + path, key, headers)

const add = () => core.rig.add({ keyId })

async function anotherKey(): Promise<Readonly<{ id: string; value: string }>> {
  const caller = core.keys.authenticate(core.admin)
  if (!caller) throw new Error('the admin is missing')
  const { key, value } = await core.keys.create(caller, 'other', ['get_video'])
  return { id: key.id, value }
}

describe('GET /v1/events', () => {
  it('tells every change of the key’s tasks, in order, with the task', async () => {
    using client = await open('/v1/events')
    expect(client.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    await core.rig.runner.start()
    const id = await add()
    await core.rig.untilHeld(1)
    core.rig.held[0]?.finish()
    await client.until('the end of the task', ({ changes }) => changes.includes(`${id} completed`))
    expect(client.changes).toEqual([`${id} waiting`, `${id} processing`, `${id} completed`])
    expect(client.events[0]?.type).toBe('ready')
    const last = taskEventSchema.parse(client.events.at(-1)?.data)
    expect(last.task).toMatchObject({ id, state: 'completed', file: { name: 'video.mp4' } })
  })

  it('tells how far running tasks are, without an id', async () => {
    using client = await open('/v1/events')
    const id = await add()
    await client.until('the task', ({ changes }) => changes.length > 0)
    for (const percent of [1, 2, 3]) core.ctx.events.report({ id, keyId, batchId: null }, { ...PROGRESS, percent })
    await client.until('progress', ({ events }) => events.some(({ type }) => type === 'progress'))
    const told = client.events.filter(({ type }) => type === 'progress')
    expect(told.map(({ id: eventId, data }) => [eventId, progressEventSchema.parse(data).percent])).toEqual([[null, 3]])
  })

  it('tells that a task was removed, also to a client that comes back', async () => {
    using client = await open('/v1/events')
    const id = await add()
    using mine = await open(`/v1/tasks/${id}/events`)
    expect((await core.call('DELETE', `/v1/tasks/${id}`)).status).toBe(200)
    const isRemoved = ({ events }: SseClient) => events.some(({ type }) => type === 'removed')
    await client.until('the end of the task', isRemoved)
    expect(client.events.at(-1)).toMatchObject({ type: 'removed', data: { task_id: id, batch_id: null } })
    await mine.until('the end of the stream', ({ isOver }) => isOver)
    using again = await open('/v1/events', { 'Last-Event-ID': '0' })
    await again.until('the end of the task', isRemoved)
    expect(removedEventSchema.parse(again.events.at(-1)?.data).task_id).toBe(id)
  })

  it('replays to a client that comes back what it missed, and nothing twice', async () => {
    const first = await open('/v1/events')
    const ids = [await add(), await add()]
    await first.until('two changes', ({ changes }) => changes.length === 2)
    const position = first.lastId
    first[Symbol.dispose]()
    for (let n = 0; n < 120; n++) ids.push(await add())
    using second = await open('/v1/events', { 'Last-Event-ID': position })
    ids.push(await add())
    await second.until('what was missed', ({ changes }) => changes.length >= 121)
    expect(second.changes).toEqual(ids.slice(2).map((id) => `${id} waiting`))
    using third = await open(`/v1/events?last_event_id=${second.lastId}`)
    ids.push(await add())
    await third.until('what is new', ({ changes }) => changes.length > 0)
    expect(third.changes).toEqual([`${ids.at(-1)} waiting`])
  })

  it('loses nothing between reading what was missed and what happens meanwhile', async () => {
    const ids: string[] = []
    const clients: SseClient[] = []
    for (let n = 0; n < 60; n++) {
      const adding = add()
      clients.push(await open('/v1/events', { 'Last-Event-ID': '0' }))
      ids.push(await adding)
    }
    for (const client of clients) {
      await client.until('all changes', ({ changes }) => changes.length >= ids.length)
      expect(client.changes).toEqual(ids.map((id) => `${id} waiting`))
      client[Symbol.dispose]()
    }
  })

  it('says `reset` where what was missed is not known any more', async () => {
    for (let n = 0; n < 3; n++) await add()
    await core.rig.ground.store.db.deleteFrom('task_event').where('seq', '<', 3).execute()
    using tooOld = await open('/v1/events', { 'Last-Event-ID': '1' })
    using fromElsewhere = await open('/v1/events', { 'Last-Event-ID': '999' })
    for (const client of [tooOld, fromElsewhere]) {
      await client.until('reset', ({ events }) => events.length > 0)
      expect(client.events).toEqual([{ type: 'reset', id: '3', data: { last_event_id: '3' } }])
    }
  })

  it('shows a key its own tasks only', async () => {
    const other = await anotherKey()
    using client = await open('/v1/events', {}, other.value)
    await client.until('ready', ({ events }) => events.length > 0)
    const id = await add()
    core.ctx.events.report({ id, keyId, batchId: null }, PROGRESS)
    const own = await core.rig.add({ keyId: other.id })
    await client.until('its task', ({ changes }) => changes.length > 0)
    core.ctx.events.report({ id: own, keyId: other.id, batchId: null }, PROGRESS)
    await client.until('progress', ({ events }) => events.some(({ type }) => type === 'progress'))
    expect(client.raw).not.toContain(id)
    expect(client.changes).toEqual([`${own} waiting`])
  })

  it('shows one batch where that is asked for', async () => {
    using client = await open('/v1/events?batch=b1')
    await add()
    const id = await core.rig.add({ keyId, batchId: 'b1' })
    await client.until('the change', ({ changes }) => changes.length > 0)
    expect(client.changes).toEqual([`${id} waiting`])
  })

  it('tells a reader that stopped reading everything once it reads on', async () => {
    const url = `https://video.example/${'x'.repeat(8_000)}`
    using client = await open('/v1/events')
    client.pause()
    const ids: string[] = []
    for (let n = 0; n < 1_500; n++) ids.push(await core.rig.add({ keyId, request: requestOf({ url }) }))
    client.resume()
    await client.until('everything', ({ changes }) => changes.length >= ids.length)
    expect(client.changes).toEqual(ids.map((id) => `${id} waiting`))
  })

  it('leaves nothing behind when its client is gone', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => open('/v1/events')))
    expect(core.ctx.streams.size).toBe(20)
    for (const client of clients) client[Symbol.dispose]()
    await waitFor('all streams to be gone', () => core.ctx.streams.size === 0)
    expect(core.ctx.events.listenerCount).toBe(0)
  })

  it('ends with its key', async () => {
    const other = await anotherKey()
    using client = await open('/v1/events', {}, other.value)
    await core.keys.remove('other')
    await client.until('the end of the stream', ({ isOver }) => isOver)
  })

  it('ends with the daemon, and is refused from then on', async () => {
    using client = await open('/v1/events')
    core.ctx.streams[Symbol.dispose]()
    await client.until('the end of the stream', ({ isOver }) => isOver)
    expect(await core.call('GET', '/v1/events')).toMatchObject({
      status: 503,
      body: { error: { code: 'shutting_down' } },
    })
  })

  it.each([
    ['/v1/events?last_event_id=x', {}, 'last_event_id'],
    ['/v1/events?last_event_id=-1', {}, 'last_event_id'],
    ['/v1/events?batches=1', {}, 'batches'],
    ['/v1/events?batch=', {}, 'batch'],
    ['/v1/events', { 'Last-Event-ID': 'abc' }, 'Last-Event-ID'],
    ['/v1/events', { 'Last-Event-ID': '1e99999' }, 'Last-Event-ID'],
  ])('refuses %s %j and names the field', async (path, headers, field) => {
    const answer = await core.call('GET', path, { headers })
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'invalid_request', details: [{ field }] } } })
  })

  it('is refused without a key', async () => {
    expect((await core.call('GET', '/v1/events', { key: null })).status).toBe(401)
  })
})

describe('open streams', () => {
  it('are bounded for a key and for all', async () => {
    const streams = new EventStreams({ ...core.ctx, maxStreams: 3, maxStreamsPerKey: 2 })
    const keys = { a: keyOf('a'), b: keyOf('b') }
    const app = express().get('/:name', (req, res) => {
      const key = keys[req.params.name === 'a' ? 'a' : 'b']
      const refuse = (err: unknown) => res.status(400).end(err instanceof Refusal ? err.code : String(err))
      void streams.open(key, res, { filter: { taskId: null, batchId: null }, after: null }).catch(refuse)
    })
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const seen: string[] = []
    for (const name of ['a', 'a', 'a', 'b', 'b']) {
      const client = await SseClient.open(`${url}/${name}`, null)
      await client.until('an answer', ({ raw }) => raw !== '')
      seen.push(client.status === 200 ? 'open' : client.raw)
    }
    expect(seen).toEqual(['open', 'open', 'limit_exceeded', 'open', 'unavailable'])
    streams[Symbol.dispose]()
    await waitFor('all to end', () => streams.size === 0)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it('are not made by HEAD', async () => {
    expect((await core.call('HEAD', '/v1/events')).status).toBe(200)
    expect(core.ctx.streams.size).toBe(0)
  })
})

describe('GET /v1/tasks/:id/events', () => {
  it('begins with the task as it is and ends with it', async () => {
    await core.rig.runner.start()
    const id = await add()
    await core.rig.untilHeld(1)
    using client = await open(`/v1/tasks/${id}/events`)
    await client.until('the task', ({ changes }) => changes.length > 0)
    await add()
    core.rig.held[0]?.fail(new TaskError('private', 'it is private'))
    await client.until('the end of the stream', ({ isOver }) => isOver)
    expect(client.changes).toEqual([`${id} processing`, `${id} error`])
    expect(client.events.at(-1)?.data).toMatchObject({ error_code: 'private' })
  })

  it('is over at once for a task that has ended; a client that knows is told to stay away', async () => {
    const id = await add()
    await core.call('POST', `/v1/tasks/${id}/cancel`)
    using client = await open(`/v1/tasks/${id}/events`)
    await client.until('the end of the stream', ({ isOver }) => isOver)
    expect(client.changes).toEqual([`${id} cancelled`])
    using again = await open(`/v1/tasks/${id}/events`, { 'Last-Event-ID': client.lastId })
    expect(again.status).toBe(204)
    using late = await open(`/v1/tasks/${id}/events`, { 'Last-Event-ID': '0' })
    await late.until('the end of the stream', ({ isOver }) => isOver)
    expect(late.changes).toEqual([`${id} waiting`, `${id} cancelled`])
  })

  it('is not there for others, nor for ids that are none', async () => {
    const other = await anotherKey()
    const id = await add()
    for (const [path, key] of [
      [`/v1/tasks/${id}/events`, other.value],
      ['/v1/tasks/nothing/events', core.admin],
    ] as const) {
      expect(await core.call('GET', path, { key })).toMatchObject({
        status: 404,
        body: { error: { code: 'task_not_found' } },
      })
    }
  })
})
