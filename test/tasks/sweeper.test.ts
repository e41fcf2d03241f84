import fs from 'node:fs'
import path from 'node:path'
import type { NewTask } from '../../src/db/task-store.ts'
import type { Outcome } from '../../src/domain/task.ts'
import { Sweeper } from '../../src/tasks/sweeper.ts'
import { openGround, SAMPLE_FILE, SILENT, taskOf, type Ground } from '../support/samples.ts'
import { waitFor } from '../support/wait-for.ts'

const COMPLETED: Outcome = { kind: 'completed', files: [SAMPLE_FILE], title: null }

/** A task that ended at a given time, with its folder. */
async function ended(
  ground: Ground,
  finishedAt: number,
  outcome: Outcome = COMPLETED,
  own: Partial<NewTask> = {},
): Promise<string> {
  const task = { ...taskOf(), ...own }
  await ground.tasks.add(task)
  const claimed = await ground.tasks.claim({ keyId: task.keyId, now: Date.now(), blockedHosts: [] })
  await ground.tasks.settle(task.id, claimed?.attempt ?? 0, outcome, finishedAt)
  addFolder(ground, task.id)
  return task.id
}

function addFolder({ files }: Ground, id: string): void {
  fs.mkdirSync(path.join(files.root, id))
  fs.writeFileSync(files.pathOf(id, 'video.mp4'), 'x')
}

const exists = ({ files }: Ground, id: string) => fs.existsSync(path.join(files.root, id))

function sweep({ tasks, files }: Ground, retentionMs: number): Sweeper {
  return new Sweeper({ store: tasks, files, retentionMs, log: SILENT })
}

describe('a finished task', () => {
  test('goes with its file within five seconds of its time, not before', async () => {
    await using ground = await openGround()
    const due = Date.now() + 1_500
    const id = await ended(ground, due - 60_000)
    await using sweeper = sweep(ground, 60_000)
    await sweeper.start()
    let seenAt = 0
    await waitFor(
      'the task to go',
      async () => {
        const there = exists(ground, id)
        if (there) seenAt = Date.now()
        return !there && (await ground.tasks.get(id)) === null
      },
      10_000,
    )
    expect(seenAt).toBeGreaterThan(due - 100)
    expect(Date.now()).toBeLessThan(due + 5_000)
  })

  test('that has a time of its own goes when that is over, be it shorter or longer than the daemon’s', async () => {
    await using ground = await openGround()
    const ago = Date.now() - 60_000
    const [brief, usual, lasting] = [
      await ended(ground, ago, COMPLETED, { retentionMs: 30_000 }),
      await ended(ground, ago),
      await ended(ground, ago, COMPLETED, { retentionMs: 90_000 }),
    ]
    const long = sweep(ground, 600_000)
    await long.start()
    await waitFor('the brief one to go', async () => (await ground.tasks.get(brief)) === null)
    await long[Symbol.asyncDispose]()
    expect([usual, lasting].map((id) => exists(ground, id))).toEqual([true, true])
    await using short = sweep(ground, 1_000)
    await short.start()
    await waitFor('the usual one to go', async () => (await ground.tasks.get(usual)) === null)
    expect([exists(ground, brief), exists(ground, lasting)]).toEqual([false, true])
  })

  test('of a batch stays with the others until the time of all is over', async () => {
    await using ground = await openGround()
    const batch = { id: 'batch00000000001', keyId: taskOf().keyId, createdAt: 0, title: null, url: null, webhook: null }
    const [first, second] = [1, 2].map((position) => ({
      ...taskOf(),
      batchId: batch.id,
      position,
      retentionMs: 30_000,
    }))
    if (!first || !second) throw new Error('two tasks were made')
    await ground.tasks.addAll([first, second], { batch })
    const end = async (at: number) => {
      const claimed = await ground.tasks.claim({ keyId: first.keyId, now: Date.now(), blockedHosts: [] })
      await ground.tasks.settle(claimed?.id ?? '', claimed?.attempt ?? 0, COMPLETED, at)
    }
    const now = Date.now()
    await end(now - 60_000)
    expect(await ground.tasks.outlived(now, 10)).toEqual([])
    await end(now - 10_000)
    expect(await ground.tasks.outlived(now, 10)).toEqual([])
    expect(await ground.tasks.outlived(now + 21_000, 10)).toEqual([first.id, second.id])
    expect(await ground.tasks.finishedBefore(now + 1_000_000, 10)).toEqual([])
  })

  test('goes at the start when its time came while the daemon was off, in any number', async () => {
    await using ground = await openGround()
    const old = [await ended(ground, 1000), await ended(ground, 1000, { kind: 'cancelled' })]
    const young = await ended(ground, Date.now())
    await ground.store.db.transaction().execute(async (transaction) => {
      const insert = transaction.insertInto('task')
      const row = { key_id: 'k', key_name: 'k', kind: 'video', host: 'h', request: '{}', sent: '{}', state: 'error' }
      for (let n = 0; n < 450; n++)
        await insert.values({ ...row, id: `x${n}`, created_at: 0, finished_at: 5 }).execute()
    })
    await using sweeper = sweep(ground, 60_000)
    await sweeper.start()
    await waitFor('all of them to go', async () => (await ground.tasks.finishedBefore(Date.now(), 1000)).length === 1)
    expect(old.some((id) => exists(ground, id))).toBe(false)
    expect(exists(ground, young)).toBe(true)
  })

  test('that cannot be removed holds up none of the others', async () => {
    await using ground = await openGround()
    const stuck = await ended(ground, 1)
    const others = [await ended(ground, 2), await ended(ground, 3)]
    const { files } = ground
    const remove = files.remove.bind(files)
    files.remove = (id) => (id === stuck ? Promise.reject(new Error('EBUSY: resource busy')) : remove(id))
    await using sweeper = sweep(ground, 60_000)
    await sweeper.start()
    await waitFor('the others to go', async () => (await ground.tasks.existing([stuck, ...others])).size === 1, 5_000)
    expect(exists(ground, stuck)).toBe(true)
    files.remove = remove
    await waitFor('the last one to go', async () => (await ground.tasks.get(stuck)) === null, 5_000)
  })
})

test('what waits or runs never goes, however old it is', async () => {
  await using ground = await openGround()
  const waiting = taskOf({ createdAt: 1, keyId: 'a' })
  const running = taskOf({ createdAt: 1, keyId: 'b' })
  for (const task of [waiting, running]) await ground.tasks.add(task)
  await ground.tasks.claim({ keyId: 'b', now: 2, blockedHosts: [] })
  addFolder(ground, running.id)
  const gone = await ended(ground, 1)
  await using sweeper = sweep(ground, 0)
  await sweeper.start()
  await waitFor('the finished one to go', async () => (await ground.tasks.get(gone)) === null)
  expect((await ground.tasks.existing([waiting.id, running.id])).size).toBe(2)
  expect(exists(ground, running.id)).toBe(true)
})

test('folders that no task owns go at the start; what is not a task’s stays', async () => {
  await using ground = await openGround()
  const { files } = ground
  const own = await ended(ground, Date.now())
  const orphans = Array.from({ length: 600 }, (_, n) => `orphan${String(n).padStart(10, '0')}`)
  for (const id of orphans) fs.mkdirSync(path.join(files.root, id))
  await files.openWork('nobody0000000001', 3)
  const foreign = ['lost+found', 'Holiday pictures', 'notes.txt', '.nfs0001']
  for (const name of foreign) fs.mkdirSync(path.join(files.root, name))
  fs.writeFileSync(path.join(files.root, 'ReadMeFirst12345'), 'a file of the operator')
  await using sweeper = sweep(ground, 60_000)
  await sweeper.start()
  expect(fs.readdirSync(files.root).toSorted()).toEqual(['.work', 'ReadMeFirst12345', own, ...foreign].toSorted())
  expect(fs.readdirSync(path.join(files.root, '.work'))).toEqual([])
})

test('a sweeper that is disposed leaves alone what falls due afterwards', async () => {
  await using ground = await openGround()
  const sweeper = sweep(ground, 60_000)
  await sweeper.start()
  await sweeper[Symbol.asyncDispose]()
  const id = await ended(ground, 1)
  await new Promise((resolve) => setTimeout(resolve, 2_200)) // longer than the time between two sweeps
  expect(exists(ground, id)).toBe(true)
})
