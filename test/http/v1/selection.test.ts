import type { NewTask } from '../../../src/db/task-store.ts'
import { type Answer, type CoreServer, startCore } from '../../support/core-server.ts'
import { nextTaskId, requestOf } from '../../support/samples.ts'

let core: CoreServer
let keyId = ''
beforeAll(async () => {
  core = await startCore()
  keyId = core.keys.authenticate(core.admin)?.id ?? ''
  await core.keys.adopt('info-only', 'info-only-value', ['get_info'])
})
afterAll(() => core[Symbol.asyncDispose]())
beforeEach(() => core.rig.ground.store.db.deleteFrom('task').execute())

async function fill(count: number, more: Partial<NewTask> = {}): Promise<string[]> {
  const rows = Array.from({ length: count }, () => ({
    id: nextTaskId(),
    keyId,
    keyName: 'admin',
    request: requestOf(),
    sent: {},
    createdAt: Date.now(),
    ...more,
  }))
  await core.rig.ground.tasks.addAll(rows)
  return rows.map(({ id }) => id)
}

const act = (what: string, body: unknown, key = core.admin) => core.call('POST', `/v1/tasks/${what}`, { body, key })
const errorOf = ({ body }: Answer) => body['error'] as { code: string; details: { field: string }[] }

async function counts(): Promise<unknown> {
  return (await core.call('GET', '/v1/tasks?limit=1')).body['counts']
}

describe('tasks by their ids', () => {
  test('are dealt with each by itself, and those that could not be are told', async () => {
    const [one = '', two = ''] = await fill(2)
    const [theirs = ''] = await fill(1, { keyId: 'somebody', keyName: 'somebody' })
    await act('cancel', { ids: [two] })
    const answer = await act('cancel', { ids: [one, one, two, theirs, 'nothing'] })
    expect(answer).toMatchObject({ status: 200, body: { matched: 4, changed: 1, more: false, next: null } })
    expect(answer.body['failed']).toEqual([
      { id: two, code: 'conflict' },
      { id: theirs, code: 'task_not_found' },
      { id: 'nothing', code: 'task_not_found' },
    ])
    expect((await act('retry', { ids: [one, two] })).body).toMatchObject({ matched: 2, changed: 2, failed: [] })
    expect((await act('priority', { ids: [one, two], priority: 9 })).body).toMatchObject({ changed: 2 })
    expect((await core.rig.row(one)).priority).toBe(9)
    expect((await act('delete', { ids: [one, two] })).body).toMatchObject({ changed: 2 })
    expect(await counts()).toEqual({ waiting: 0, processing: 0, completed: 0, error: 0, cancelled: 0 })
  })

  test('are not tried again for a key that may not ask for them any more', async () => {
    const other = core.keys.authenticate('info-only-value')?.id ?? ''
    const [video = ''] = await fill(1, { keyId: other, keyName: 'info-only' })
    const [info = ''] = await fill(1, { keyId: other, keyName: 'info-only', request: requestOf({ kind: 'info' }) })
    await act('cancel', { ids: [video, info] }, 'info-only-value')
    expect((await act('retry', { ids: [video, info] }, 'info-only-value')).body).toMatchObject({
      changed: 1,
      failed: [{ id: video, code: 'forbidden' }],
    })
  })
})

describe('tasks of a batch, or in some states', () => {
  test('are dealt with some at a time, until none is left', async () => {
    await fill(1_010)
    await fill(3, { request: requestOf({ kind: 'info' }) })
    await fill(2, { keyId: 'somebody', keyName: 'somebody' })
    let cursor: unknown
    const changed: unknown[] = []
    do {
      const { body } = await act('cancel', { status: ['waiting', 'completed'], kind: ['video'], cursor })
      changed.push(body['changed'])
      expect(body['more']).toBe(body['next'] !== null)
      cursor = body['next'] ?? undefined
    } while (cursor !== undefined)
    expect(changed).toEqual([500, 500, 10])
    expect(await counts()).toMatchObject({ waiting: 3, cancelled: 1_010 })
  }, 30_000)

  test('are those to which it can be done', async () => {
    const [first = '', second = ''] = await fill(2, { batchId: 'batch-1' })
    await fill(1)
    await act('cancel', { ids: [first] })
    expect((await act('cancel', { batch: 'batch-1' })).body).toEqual({
      matched: 1,
      changed: 1,
      failed: [],
      more: false,
      next: null,
    })
    expect((await act('cancel', { status: ['completed'] })).body).toMatchObject({ matched: 0 })
    expect((await act('delete', { batch: 'batch-1' })).body).toMatchObject({ matched: 2, changed: 2 })
    expect((await core.call('GET', `/v1/tasks/${second}`)).status).toBe(404)
    expect(await counts()).toMatchObject({ waiting: 1 })
  })

  test.each([
    ['cancel', {}, 'ids'],
    ['delete', { kind: ['video'] }, 'ids'],
    ['retry', { ids: [] }, 'ids'],
    ['retry', { ids: ['x'], batch: 'y' }, 'ids'],
    ['retry', { ids: Array(501).fill('x') }, 'ids'],
    ['cancel', { status: ['flying'] }, 'status.0'],
    ['cancel', { status: 'waiting' }, 'status'],
    ['priority', { ids: ['x'] }, 'priority'],
    ['priority', { ids: ['x'], priority: 1000 }, 'priority'],
    ['cancel', { ids: ['x'], priority: 1 }, 'priority'],
    ['cancel', { batch: 'x', cursor: '???' }, 'cursor'],
  ])('%s with %j is refused by the field', async (what, body, field) => {
    const answer = await act(what, body)
    expect([answer.status, errorOf(answer).details[0]?.field]).toEqual([400, field])
  })

  test('are nobody’s without a key', async () => {
    expect((await core.call('POST', '/v1/tasks/cancel', { key: null, body: { ids: ['x'] } })).status).toBe(401)
  })
})

describe('a playlist that is ended', () => {
  test('ends with what it made, whether or not its own task has ended', async () => {
    const id = nextTaskId()
    const wish = { kind: 'video', items: null, dateAfter: null, dateBefore: null } as const
    const rest = { minDuration: null, maxDuration: null, title: null, limit: null, skipDownloaded: false }
    const { tasks, store } = core.rig.ground
    const batch = { id, keyId, createdAt: 1, title: 'List', url: 'https://video.example/list', webhook: null }
    const request = requestOf({ kind: 'playlist', playlist: { ...wish, ...rest } })
    await tasks.addAll([{ id, keyId, keyName: 'admin', request, sent: {}, createdAt: 1, batchId: id }], { batch })
    await store.db.updateTable('task').set({ state: 'completed', finished_at: 2 }).where('id', '=', id).execute()
    await fill(450, { batchId: id })
    expect((await core.call('GET', `/v1/batches/${id}`)).body).toMatchObject({
      title: 'List',
      total: 451,
      counts: { waiting: 450, completed: 1 },
      finished_at: null,
    })
    expect((await core.call('POST', `/v1/tasks/${id}/cancel`)).status).toBe(200)
    const { body } = await core.call('GET', `/v1/batches/${id}`)
    expect(body).toMatchObject({ counts: { waiting: 0, completed: 1, cancelled: 450 } })
    expect(body['finished_at']).not.toBeNull()
    expect((await core.call('POST', `/v1/tasks/${id}/cancel`)).status).toBe(409)
    // What was cancelled with it comes back with it.
    expect((await core.call('POST', `/v1/tasks/${id}/retry`)).status).toBe(200)
    const { body: again } = await core.call('GET', `/v1/batches/${id}`)
    expect(again).toMatchObject({ counts: { waiting: 450, completed: 1, cancelled: 0 }, finished_at: null })
    expect((await core.call('POST', `/v1/tasks/${id}/retry`)).status).toBe(409)
  })

  test('is another key’s like one that is not there', async () => {
    await fill(1, { batchId: 'batch-1' })
    const theirs = await core.call('GET', '/v1/batches/batch-1', { key: 'info-only-value' })
    expect(theirs).toMatchObject({ status: 404, body: { error: { code: 'not_found', message: 'Batch not found' } } })
  })
})
