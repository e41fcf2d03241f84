import { EventLog } from '../../src/db/event-log.ts'
import type { ProgressEvent, TaskEvent } from '../../src/domain/event.ts'
import { reporting, TaskEvents } from '../../src/tasks/events.ts'
import { openGround, SAMPLE_RESULT, SILENT, taskOf, type Ground } from '../support/samples.ts'
import { waitFor } from '../support/wait-for.ts'

const PROGRESS = {
  phase: 'downloading',
  percent: 5,
  speed: 1,
  eta: 2,
  downloadedBytes: 3,
  totalBytes: 4,
} as const

let ground: Ground
beforeEach(async () => {
  ground = await openGround()
})
afterEach(async () => {
  await ground[Symbol.asyncDispose]()
})

async function add(keyId: string): Promise<string> {
  const task = taskOf({ keyId })
  await ground.tasks.add(task)
  return task.id
}

it('a listener hears of its key or its task only, in order', async () => {
  const heard: Record<string, string[]> = { everything: [], keyA: [], task: [] }
  const note = (name: string) => (event: TaskEvent) => heard[name]?.push(`${event.taskId} ${event.state}`)
  using _everything = ground.events.listen(note('everything'))
  using _key = ground.events.listenTo({ keyId: 'a' }, { onEvent: note('keyA') })
  const first = await add('a')
  await waitFor('the beginning of the first', () => heard['everything']?.length === 1)
  using _task = ground.events.listenTo({ taskId: first }, { onEvent: note('task') })
  const second = await add('b')
  await ground.tasks.cancelWaiting(first, Date.now())
  await waitFor('the end of the first', () => heard['everything']?.length === 3)
  expect(heard).toEqual({
    everything: [`${first} waiting`, `${second} waiting`, `${first} cancelled`],
    keyA: [`${first} waiting`, `${first} cancelled`],
    task: [`${first} cancelled`],
  })
})

it('a thousand listeners to other keys cost nothing and leave nothing', async () => {
  let calls = 0
  const listening = Array.from({ length: 1000 }, (_, n) =>
    ground.events.listenTo({ keyId: `key ${n}` }, { onEvent: () => calls++, onProgress: () => calls++ }),
  )
  let own = 0
  using _own = ground.events.listenTo({ keyId: 'mine' }, { onEvent: () => own++ })
  await add('mine')
  await waitFor('the event', () => own === 1)
  expect([calls, ground.events.listenerCount]).toEqual([0, 1001])
  for (const each of listening) each[Symbol.dispose]()
  expect(ground.events.listenerCount).toBe(1)
})

it('of much progress the latest is told, to key and task, and none after the end', async () => {
  const heard: (readonly ProgressEvent[])[] = []
  const listener = { onEvent: () => undefined, onProgress: (events: readonly ProgressEvent[]) => heard.push(events) }
  using _key = ground.events.listenTo({ keyId: 'a' }, listener)
  using _task = ground.events.listenTo({ taskId: 't1' }, listener)
  for (let percent = 0; percent < 100; percent++) {
    for (const id of ['t1', 't2']) ground.events.report({ id, keyId: 'a', batchId: null }, { ...PROGRESS, percent })
    ground.events.report({ id: 't3', keyId: 'b', batchId: null }, PROGRESS)
  }
  await waitFor('both', () => heard.length === 2)
  expect(heard.map((events) => events.map(({ taskId, progress }) => [taskId, progress.percent]))).toEqual([
    [
      ['t1', 99],
      ['t2', 99],
    ],
    [['t1', 99]],
  ])
  const ended = await add('a')
  await waitFor('it to be known', async () => (await ground.events.range()).last === 1)
  ground.events.report({ id: ended, keyId: 'a', batchId: null }, PROGRESS)
  await ground.tasks.cancelWaiting(ended, Date.now())
  ground.events.report({ id: 't1', keyId: 'a', batchId: null }, PROGRESS)
  await waitFor('the next round', () => heard.length >= 4)
  expect(heard.flat().some(({ taskId }) => taskId === ended)).toBe(false)
})

it('an attempt that reports still tells its runner', async () => {
  const heard: ProgressEvent[] = []
  const told: unknown[] = []
  const task = { ...taskOf({ keyId: 'a' }), batchId: 'b' } as unknown as Parameters<Parameters<typeof reporting>[1]>[0]
  using _task = ground.events.listenTo(
    { taskId: task.id },
    { onEvent: () => undefined, onProgress: (events) => void heard.push(...events) },
  )
  const attempt = reporting(ground.events, (_task, { onProgress }) => {
    onProgress(PROGRESS)
    return Promise.resolve(SAMPLE_RESULT)
  })
  const { signal } = new AbortController()
  await attempt(task, { signal, interrupt: signal, onProgress: (progress) => told.push(progress) })
  await waitFor('progress', () => heard.length > 0)
  expect([told, heard]).toEqual([[PROGRESS], [{ taskId: task.id, keyId: 'a', batchId: 'b', progress: PROGRESS }]])
})

it('what happened is read again by key, and old events are forgotten', async () => {
  const ids = [await add('a'), await add('b'), await add('a')]
  const read = async (after: number) => (await ground.events.after(after, 10, 'a')).map(({ taskId }) => taskId)
  expect([await read(0), await read(1), await read(3)]).toEqual([[ids[0], ids[2]], [ids[2]], []])
  await new EventLog(ground.store.db).trim(1)
  expect(await ground.events.range()).toEqual({ first: 3, last: 3 })
})

it('nothing is told after it was closed', async () => {
  const events = await TaskEvents.open(new EventLog(ground.store.db), SILENT)
  let calls = 0
  events.listen(() => calls++)
  await add('a')
  events.poke()
  await events[Symbol.asyncDispose]()
  const before = calls
  await add('a')
  events.poke()
  expect(calls).toBe(before)
})
