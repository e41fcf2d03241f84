import http from 'node:http'
import type { NewTask } from '../../../src/db/task-store.ts'
import { TaskError } from '../../../src/domain/errors.ts'
import type { TaskProgress } from '../../../src/domain/task.ts'
import { type Answer, type CoreServer, startCore } from '../../support/core-server.ts'
import { nextTaskId, requestOf, SAMPLE_RESULT } from '../../support/samples.ts'
import { waitFor } from '../../support/wait-for.ts'

type Item = Readonly<{ id: string; url: string; state: string }>
const itemsOf = ({ body }: Answer) => body['items'] as readonly Item[]
const errorOf = ({ body }: Answer) => body['error'] as { code: string; details: { field: string }[] }

async function keyIdOf(core: CoreServer, value = core.admin): Promise<string> {
  return core.keys.authenticate(value)?.id ?? ''
}

/** Tasks of the admin key, written as they would be found; returns their ids, oldest first. */
async function fill(core: CoreServer, tasks: readonly Partial<NewTask>[]): Promise<string[]> {
  const keyId = await keyIdOf(core)
  const rows = tasks.map((more) => ({
    id: nextTaskId(),
    keyId,
    keyName: 'admin',
    request: requestOf(),
    sent: {},
    createdAt: Date.now(),
    ...more,
  }))
  await core.rig.ground.tasks.addAll(rows)
  core.rig.runner.nudge()
  return rows.map(({ id }) => id)
}

/** Ends a task as an attempt would. */
async function complete(core: CoreServer, id: string, title: string | null = null): Promise<void> {
  const { tasks, store } = core.rig.ground
  await store.db
    .updateTable('task')
    .set({ state: 'processing', attempt: 1, started_at: 1 })
    .where('id', '=', id)
    .execute()
  await tasks.settle(id, 1, { kind: 'completed', ...SAMPLE_RESULT, title }, Date.now())
}

/** For what is refused: nothing is left behind. */
let shared: CoreServer
beforeAll(async () => {
  shared = await startCore()
})
afterAll(() => shared[Symbol.asyncDispose]())

/** The whole list, page by page. */
async function readAll(core: CoreServer, query: string): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = []
  let cursor = ''
  for (let pages = 1; ; pages++) {
    const answer = await core.call('GET', `/v1/tasks?${query}${cursor}`)
    expect(answer.status).toBe(200)
    ids.push(...itemsOf(answer).map(({ id }) => id))
    const next = answer.body['next'] as string | null
    if (next === null) return { ids, pages }
    cursor = `&cursor=${next}`
  }
}

describe('the list of tasks', () => {
  test('has every task once, newest first, whatever the size of a page', async () => {
    await using core = await startCore()
    const ids = await fill(
      core,
      Array.from({ length: 23 }, () => ({})),
    )
    for (const limit of [1, 7, 22, 23, 50]) {
      expect((await readAll(core, `limit=${limit}`)).ids).toEqual(ids.toReversed())
    }
  })

  test('is filtered by state, kind, batch, text and time, and counts all states', async () => {
    await using core = await startCore()
    const ids = await fill(core, [
      { createdAt: 1_000_000 },
      { request: requestOf({ kind: 'info', url: 'https://video.example/GRÜN' }), createdAt: 2_000_000 },
      { batchId: 'batch-1', position: 1, createdAt: 3_000_000 },
      { batchId: 'batch-1', position: 2, createdAt: 4_000_000 },
    ])
    const [first = '', second = '', third = '', fourth = ''] = ids
    await complete(core, third, 'Der Ärger mit dem Öl')
    const found = async (query: string) => (await readAll(core, query)).ids
    expect(await found('status=completed')).toEqual([third])
    expect(await found('status=waiting,completed&limit=1')).toEqual([fourth, third, second, first])
    expect(await found('status=waiting&status=completed')).toEqual([fourth, third, second, first])
    expect(await found('kind=info')).toEqual([second])
    expect(await found('batch=batch-1')).toEqual([fourth, third])
    expect(await found('batch=batch-1&status=waiting')).toEqual([fourth])
    expect(await found('batch=batch-2')).toEqual([])
    expect(await found(`text=${encodeURIComponent('grün')}`)).toEqual([second])
    expect(await found(`text=${encodeURIComponent('ÄRGER')}`)).toEqual([third])
    const at = (ms: number) => encodeURIComponent(new Date(ms).toISOString())
    expect(await found(`created_after=${at(2_000_000)}&created_before=${at(4_000_000)}`)).toEqual([third, second])
    const { body } = await core.call('GET', '/v1/tasks?kind=info')
    expect(body['counts']).toEqual({ waiting: 3, processing: 0, completed: 1, error: 0, cancelled: 0 })
  })

  test('goes on behind thousands of tasks that are not meant, some at a time', async () => {
    await using core = await startCore()
    const [wanted = ''] = await fill(core, [{ request: requestOf({ url: 'https://needle.example/' }) }])
    await fill(
      core,
      Array.from({ length: 2_500 }, () => ({})),
    )
    const { ids, pages } = await readAll(core, 'text=needle')
    expect(ids).toEqual([wanted])
    expect(pages).toBeGreaterThan(1)
    expect((await readAll(core, 'text=needle&status=waiting,error')).ids).toEqual([wanted])
  })

  test('shows a key its own tasks only', async () => {
    await using core = await startCore()
    await core.keys.adopt('other', 'other-value', ['get_info'])
    await fill(core, [{ batchId: 'batch-1' }])
    const answer = await core.call('GET', '/v1/tasks?batch=batch-1', { key: 'other-value' })
    expect(answer.body).toMatchObject({ items: [], next: null, counts: { waiting: 0 } })
    expect((await core.call('GET', '/v1/tasks', { key: null })).status).toBe(401)
  })

  test.each([
    ['status=flying', 'status.0'],
    ['status=', 'status.0'],
    ['kind=movie', 'kind.0'],
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=x', 'limit'],
    ['cursor=x', 'cursor'],
    ['text=', 'text'],
    ['created_after=yesterday', 'created_after'],
    ['fly=1', 'fly'],
  ])('with %s is refused by the field', async (query, field) => {
    const answer = await shared.call('GET', `/v1/tasks?${query}`)
    expect([answer.status, errorOf(answer).details[0]?.field]).toEqual([400, field])
  })
})

describe('one task', () => {
  test('is the same to who knows its ETag, until it changes', async () => {
    await using core = await startCore()
    const [id = ''] = await fill(core, [{}])
    const first = await core.call('GET', `/v1/tasks/${id}`)
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]+"$/)
    const again = await core.call('GET', `/v1/tasks/${id}`, { headers: { 'If-None-Match': `"x", W/${etag}` } })
    expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', etag])
    await complete(core, id)
    const changed = await core.call('GET', `/v1/tasks/${id}`, { headers: { 'If-None-Match': etag } })
    expect(changed).toMatchObject({
      status: 200,
      body: { state: 'completed', file: { name: 'video.mp4', url: `/files/${id}/video.mp4` }, error: null },
    })
  })

  test('that failed says why, and what can be done', async () => {
    await using core = await startCore()
    await core.rig.runner.start()
    const [id = ''] = await fill(core, [{}])
    await core.rig.untilHeld(1)
    core.rig.held[0]?.fail(new TaskError('private', 'the video is private'))
    await core.rig.untilState(id, 'error')
    expect((await core.call('GET', `/v1/tasks/${id}`)).body).toMatchObject({
      state: 'error',
      attempts: 1,
      error: { code: 'private', message: 'the video is private', hint: expect.stringContaining('cookies') as string },
    })
  })

  test.each(['GET', 'DELETE'])('of another key looks like one that is not there: %s', async (method) => {
    await using core = await startCore()
    await core.keys.adopt('other', 'other-value', ['get_info'])
    const [id = ''] = await fill(core, [{}])
    const theirs = await core.call(method, `/v1/tasks/${id}`, { key: 'other-value' })
    const nobodys = await core.call(method, '/v1/tasks/0000000000000000', { key: 'other-value' })
    expect([theirs.status, theirs.text]).toEqual([404, nobodys.text])
    expect(
      (await core.call('POST', `/v1/tasks/${id}/priority`, { key: 'other-value', body: { priority: 1 } })).status,
    ).toBe(404)
    expect((await core.call('GET', `/v1/tasks/${id}`)).status).toBe(200)
  })

  test('that waits can be moved to the front', async () => {
    await using core = await startCore()
    const [, last = ''] = await fill(core, [{}, {}])
    const moved = await core.call('POST', `/v1/tasks/${last}/priority`, { body: { priority: 5 } })
    expect(moved).toMatchObject({ status: 200, body: { priority: 5, queue_position: 1 } })
    const wrong = await core.call('POST', `/v1/tasks/${last}/priority`, { body: { priority: 500 } })
    expect([wrong.status, errorOf(wrong).details[0]?.field]).toEqual([400, 'priority'])
    await complete(core, last)
    expect((await core.call('POST', `/v1/tasks/${last}/priority`, { body: { priority: 5 } })).status).toBe(409)
  })

  test('is removed with its files; one that runs is ended first', async () => {
    await using core = await startCore()
    await core.rig.runner.start()
    const [id = ''] = await fill(core, [{}])
    await core.rig.untilHeld(1)
    expect(await core.call('DELETE', `/v1/tasks/${id}`)).toMatchObject({ status: 200, body: { id, deleted: true } })
    expect(core.rig.held[0]?.run.signal.aborted).toBe(true)
    expect((await core.call('GET', `/v1/tasks/${id}`)).status).toBe(404)
    expect((await core.call('DELETE', `/v1/tasks/${id}`)).status).toBe(404)
    const { body } = await core.call('GET', '/v1/tasks')
    expect(body['counts']).toMatchObject({ processing: 0, cancelled: 0 })
  })
})

describe('waiting for a task', () => {
  const progress: TaskProgress = {
    phase: 'downloading',
    percent: 50,
    speed: 1,
    eta: 1,
    downloadedBytes: 5,
    totalBytes: 10,
  }
  const listeners = (core: CoreServer) => core.rig.ground.events.listenerCount

  test('answers at once when it has ended, or is not what the ETag names', async () => {
    await using core = await startCore()
    const [done = '', waiting = ''] = await fill(core, [{}, {}])
    await complete(core, done)
    const startedAt = performance.now()
    expect((await core.call('GET', `/v1/tasks/${done}?wait=30`)).status).toBe(200)
    const headers = { 'If-None-Match': '"something-else"' }
    expect((await core.call('GET', `/v1/tasks/${waiting}?wait=30`, { headers })).status).toBe(200)
    expect(performance.now() - startedAt).toBeLessThan(10_000)
    expect(listeners(core)).toBe(0)
  })

  test('ends with the change of state, for all who wait', async () => {
    await using core = await startCore()
    const [id = ''] = await fill(core, [{}])
    const etag = (await core.call('GET', `/v1/tasks/${id}`)).headers.get('etag') ?? ''
    const polls = [{}, {}, { 'If-None-Match': etag }].map((headers) =>
      core.call('GET', `/v1/tasks/${id}?wait=60`, { headers }),
    )
    await waitFor('three listeners', () => listeners(core) === 3)
    await core.call('POST', `/v1/tasks/${id}/cancel`)
    for (const answer of await Promise.all(polls)) expect(answer.body).toMatchObject({ id, state: 'cancelled' })
    expect(listeners(core)).toBe(0)
  })

  test('ends with progress', async () => {
    await using core = await startCore()
    await core.rig.runner.start()
    const [id = ''] = await fill(core, [{}])
    await core.rig.untilHeld(1)
    const poll = core.call('GET', `/v1/tasks/${id}?wait=60`)
    await waitFor('a listener', () => listeners(core) === 1)
    const held = core.rig.held[0]
    if (!held) throw new Error('nothing runs')
    await waitFor('the first look, and then the news', () => {
      held.run.onProgress(progress)
      core.rig.ground.events.report(held.task, progress)
      return listeners(core) === 0
    })
    expect((await poll).body).toMatchObject({ state: 'processing', progress: { phase: 'downloading', percent: 50 } })
  })

  test('ends when it is moved in the queue, and when it is removed', async () => {
    await using core = await startCore()
    const [id = ''] = await fill(core, [{}])
    const poll = () => core.call('GET', `/v1/tasks/${id}?wait=60`)
    const until = (what: string, count: number) => waitFor(what, () => listeners(core) === count)
    const moved = poll()
    await until('a listener', 1)
    await core.call('POST', `/v1/tasks/${id}/priority`, { body: { priority: 7 } })
    expect((await moved).body).toMatchObject({ state: 'waiting', priority: 7 })
    await core.call('POST', `/v1/tasks/${id}/cancel`)
    const headers = { 'If-None-Match': (await core.call('GET', `/v1/tasks/${id}`)).headers.get('etag') ?? '' }
    const removed = core.call('GET', `/v1/tasks/${id}?wait=60`, { headers })
    await until('a listener', 1)
    await core.call('DELETE', `/v1/tasks/${id}`)
    expect((await removed).status).toBe(404)
  })

  test('is over in time: 304 to who knows the task, else the task', async () => {
    await using core = await startCore()
    const [id = ''] = await fill(core, [{}])
    const etag = (await core.call('GET', `/v1/tasks/${id}`)).headers.get('etag') ?? ''
    const headers = { 'If-None-Match': etag }
    const [known, unknown] = await Promise.all([
      core.call('GET', `/v1/tasks/${id}?wait=0.3`, { headers }),
      core.call('GET', `/v1/tasks/${id}?wait=0.3`),
    ])
    expect([known.status, known.text]).toEqual([304, ''])
    expect(unknown).toMatchObject({ status: 200, body: { id, state: 'waiting' } })
    expect(listeners(core)).toBe(0)
  })

  test('stops when the client has gone, or the task', async () => {
    await using core = await startCore()
    const [id = ''] = await fill(core, [{}])
    const { url } = core
    const request = http.get(`${url}/v1/tasks/${id}?wait=60`, { headers: { 'X-API-Key': core.admin } })
    request.on('error', () => undefined) // it is torn down below
    await waitFor('a listener', () => listeners(core) === 1)
    request.destroy()
    await waitFor('nobody to listen', () => listeners(core) === 0)
    const poll = core.call('GET', `/v1/tasks/${id}?wait=60`)
    await waitFor('a listener', () => listeners(core) === 1)
    await core.call('DELETE', `/v1/tasks/${id}`)
    expect([200, 404]).toContain((await poll).status) // as it was cancelled, or when it was gone already
  })

  test('is for so many calls of a key at a time', async () => {
    await using core = await startCore()
    const [id = ''] = await fill(core, [{}])
    const polls = Array.from({ length: 100 }, () => core.call('GET', `/v1/tasks/${id}?wait=60`))
    await waitFor('a hundred listeners', () => listeners(core) === 100)
    const refused = await core.call('GET', `/v1/tasks/${id}?wait=60`)
    expect([refused.status, errorOf(refused).code]).toEqual([429, 'limit_exceeded'])
    expect((await core.call('GET', `/v1/tasks/${id}`)).status).toBe(200)
    await core.call('POST', `/v1/tasks/${id}/cancel`)
    await Promise.all(polls)
    expect((await core.call('GET', `/v1/tasks/${id}?wait=60`)).status).toBe(200)
  })

  test.each(['61', '-1', 'x'])('for %s seconds is refused', async (wait) => {
    const answer = await shared.call('GET', `/v1/tasks/0000000000000000?wait=${wait}`)
    expect([answer.status, errorOf(answer).details[0]?.field]).toEqual([400, 'wait'])
  })

  test('for a task that is not there is refused at once', async () => {
    await using core = await startCore()
    expect((await core.call('GET', '/v1/tasks/0000000000000000?wait=60')).status).toBe(404)
    expect(listeners(core)).toBe(0)
  })
})
