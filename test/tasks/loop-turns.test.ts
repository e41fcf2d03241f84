import type { NewTask } from '../../src/db/task-store.ts'
import type { ApiKey } from '../../src/domain/key.ts'
import { Admission } from '../../src/tasks/admission.ts'
import { applyToSelection } from '../../src/tasks/selection.ts'
import { loopTurnsDuring } from '../support/loop-turns.ts'
import { startCore, type CoreServer } from '../support/core-server.ts'
import { wishOf } from '../support/playlists.ts'
import { nextTaskId, requestOf } from '../support/samples.ts'

let core: CoreServer
beforeAll(async () => {
  core = await startCore()
})
afterAll(() => core[Symbol.asyncDispose]())

function owner(): ApiKey {
  const key = core.keys.authenticate(core.admin)
  if (!key) throw new Error('there is no admin')
  return key
}

async function fill(count: number, more: Partial<NewTask> = {}): Promise<string[]> {
  const rows = Array.from({ length: count }, () => ({
    id: nextTaskId(),
    keyId: owner().id,
    keyName: 'admin',
    request: requestOf(),
    sent: {},
    createdAt: Date.now(),
    ...more,
  }))
  await core.rig.ground.tasks.addAll(rows)
  return rows.map(({ id }) => id)
}

describe('everybody else has turns while', () => {
  test('the order of hundreds of tasks is changed', async () => {
    const ids = await fill(100)
    const turns = await loopTurnsDuring(() =>
      applyToSelection(core.ctx, owner(), { ids }, { kind: 'priority', priority: 1 }),
    )
    expect(turns).toBeGreaterThan(10)
  })

  test('a playlist ends with hundreds of waiting tasks', async () => {
    const id = nextTaskId()
    const batch = { id, keyId: owner().id, createdAt: 1, title: null, url: null, webhook: null }
    const request = requestOf({ kind: 'playlist', playlist: wishOf() })
    const parent = { id, keyId: owner().id, keyName: 'admin', request, sent: {}, createdAt: 1, batchId: id }
    await core.rig.ground.tasks.addAll([parent], { batch })
    const { db } = core.rig.ground.store
    await db.updateTable('task').set({ state: 'completed', finished_at: 2 }).where('id', '=', id).execute()
    await fill(500, { batchId: id })
    expect(await loopTurnsDuring(() => core.ctx.tasks.cancel(owner(), id))).toBeGreaterThanOrEqual(4)
  })

  test('the files of a long batch are looked for', async () => {
    const batchId = nextTaskId()
    await fill(1_000, { batchId })
    const turns = await loopTurnsDuring(async () => {
      for await (const task of core.ctx.finished.completedOf(batchId)) expect(task.state).toBe('completed')
    })
    expect(turns).toBeGreaterThanOrEqual(4)
  })

  test('an archive is filled and emptied', async () => {
    const lines = Array.from({ length: 3_000 }, (_, index) => `site ${index}`)
    const { archive } = core.ctx
    expect(await loopTurnsDuring(() => archive.bring('key', lines, 1))).toBeGreaterThanOrEqual(5)
    expect(await loopTurnsDuring(() => archive.clear('key'))).toBeGreaterThanOrEqual(5)
  })

  test('the cookies of many sites are listed', async () => {
    for (let index = 0; index < 10; index++) {
      const site = `site${index}.example`
      await core.ctx.jars.put(owner(), site, { netscape: `.${site}\tTRUE\t/\tTRUE\t0\tname\tvalue` })
    }
    expect(await loopTurnsDuring(() => core.ctx.jars.list(owner()))).toBeGreaterThanOrEqual(10)
  })

  test('the entries of a playlist are judged by the sites of its key', async () => {
    const { keys, rig } = core
    const admission = new Admission({
      store: rig.ground.tasks,
      usage: core.ctx.usage,
      creditsOf: (ids) => keys.creditsOf(ids),
      limits: { maxQueue: 100_000, maxQueuedPerKey: 0, maxBytesPerKeyPerDay: 0 },
    })
    const key = { ...owner(), limits: { ...owner().limits, sites: ['video.example'] } }
    const requests = Array<ReturnType<typeof requestOf>>(3_000).fill(requestOf())
    expect(await loopTurnsDuring(() => admission.check(key, requests))).toBeGreaterThanOrEqual(5)
  })
})
