import { Refusal, TaskError } from '../../src/domain/errors.ts'
import type { TaskService } from '../../src/tasks/service.ts'
import { keyOf, requestOf, SAMPLE_FILE } from '../support/samples.ts'
import { microtasks, startRig, type RunnerRig } from '../support/runner-rig.ts'
import { openTaskServices, type TaskLimits } from '../support/task-services.ts'

const ALICE = keyOf('alice')
const BOB = keyOf('bob')

type Desk = AsyncDisposable & { rig: RunnerRig; service: TaskService }

/** A service whose tasks run on one worker that holds them, or on none. */
async function openDesk(limits: TaskLimits = {}, options: { runs?: boolean; workers?: number } = {}): Promise<Desk> {
  const rig = await startRig('hold', { maxWorkers: options.workers ?? 1 })
  if (options.runs === false) rig.freeBytes = 0
  const { tasks: service } = await openTaskServices(rig, {
    limits,
    checkUrl: (url) => (url.includes('forbidden') ? 'url must be public' : null),
  })
  return { rig, service, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() }
}

async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  const error = await call.then(
    () => new Error('it was not refused'),
    (cause: unknown) => cause,
  )
  if (!(error instanceof Refusal)) throw error
  return error
}

const submit = ({ service }: Desk, key = ALICE) => service.submit(key, requestOf(), { video_format: 'bestvideo' })

describe('submitting', () => {
  test('answers with the id of a task that is stored as it was sent', async () => {
    await using desk = await openDesk({}, { runs: false })
    const id = await submit(desk)
    expect(id).toMatch(/^[A-Za-z0-9]{16}$/)
    expect(await desk.rig.ground.tasks.get(id)).toMatchObject({
      keyId: 'alice',
      state: 'waiting',
      request: requestOf(),
      sent: { video_format: 'bestvideo' },
    })
  })

  test('is refused when the address may not be fetched', async () => {
    await using desk = await openDesk()
    const call = desk.service.submit(ALICE, requestOf({ url: 'https://forbidden.example/' }), {})
    expect(await refusalOf(call)).toMatchObject({ code: 'invalid_request', message: 'url must be public' })
    expect(await desk.rig.ground.tasks.countWaiting()).toBe(0)
  })

  test('is refused once the queue is full, exactly there, also when many come at once', async () => {
    await using desk = await openDesk({ maxQueue: 10 }, { runs: false })
    const ends = await Promise.allSettled(Array.from({ length: 40 }, () => submit(desk)))
    expect(ends.filter(({ status }) => status === 'fulfilled').length).toBe(10)
    expect(await desk.rig.ground.tasks.countWaiting()).toBe(10)
    const refusal = await refusalOf(submit(desk))
    expect(refusal).toMatchObject({ code: 'queue_full', message: 'Queue is full' })
    expect(refusal.retryAfter).toBeGreaterThan(0)
  })

  test('is refused to a key that has its share, and to no other', async () => {
    await using desk = await openDesk({ maxQueuedPerKey: 2 }, { runs: false })
    const ends = await Promise.allSettled(Array.from({ length: 10 }, () => submit(desk)))
    expect(ends.filter(({ status }) => status === 'fulfilled').length).toBe(2)
    expect((await refusalOf(submit(desk))).code).toBe('limit_exceeded')
    await expect(submit(desk, BOB)).resolves.toMatch(/^\w{16}$/)
  })

  test('is refused to a key that had its bytes of the day, and allowed again when they are over', async () => {
    await using desk = await openDesk({ maxBytesPerKeyPerDay: 1000 })
    const id = await submit(desk)
    await desk.rig.untilHeld(1)
    desk.rig.held[0]?.finish()
    await desk.rig.untilState(id, 'completed')
    expect((await refusalOf(submit(desk))).code).toBe('limit_exceeded')
    await expect(submit(desk, BOB)).resolves.toBeDefined()
    await desk.rig.ground.store.db.updateTable('key_usage').set({ day: '2020-01-01' }).execute()
    await expect(submit(desk)).resolves.toBeDefined()
  })

  test('is refused when the disk is below its floor', async () => {
    await using desk = await openDesk({ minFreeBytes: Number.MAX_SAFE_INTEGER })
    expect(await refusalOf(submit(desk))).toMatchObject({ code: 'no_space', message: 'Not enough disk space' })
  })

  test('is refused once the service is closed, while what is there can still be seen', async () => {
    await using desk = await openDesk({}, { runs: false })
    const id = await submit(desk)
    desk.service.close()
    const refusal = await refusalOf(submit(desk))
    expect(refusal.code).toBe('shutting_down')
    expect(refusal.retryAfter).toBeGreaterThan(0)
    expect((await desk.service.view(ALICE, id)).task.state).toBe('waiting')
  })
})

describe('a task', () => {
  test('of another key looks like one that is not there, whatever is asked of it', async () => {
    await using desk = await openDesk({}, { runs: false })
    const id = await submit(desk)
    for (const call of [
      desk.service.view(BOB, id),
      desk.service.cancel(BOB, id),
      desk.service.retry(BOB, id),
      desk.service.view(ALICE, 'nothing-like-that'),
    ]) {
      expect(await refusalOf(call)).toMatchObject({ code: 'task_not_found', message: 'Task not found' })
    }
    expect((await desk.service.view(ALICE, id)).task.state).toBe('waiting')
    expect((await desk.service.view(null, id)).task.id).toBe(id)
  })

  test('that waits knows its place in the queue; one that runs has none, but its progress', async () => {
    await using desk = await openDesk()
    const ids = [await submit(desk)]
    await desk.rig.untilHeld(1)
    ids.push(await submit(desk), await submit(desk, BOB), await submit(desk))
    const [running = '', first = '', ofBob = '', last = ''] = ids
    expect(await desk.service.view(ALICE, first)).toMatchObject({ queuePosition: 1, progress: null })
    expect(await desk.service.view(BOB, ofBob)).toMatchObject({ queuePosition: 2 })
    expect(await desk.service.view(ALICE, last)).toMatchObject({ queuePosition: 3 })
    const progress = {
      phase: 'extracting',
      percent: null,
      speed: null,
      eta: null,
      downloadedBytes: null,
      totalBytes: null,
    } as const
    desk.rig.held[0]?.run.onProgress(progress)
    expect(await desk.service.view(ALICE, running)).toMatchObject({ queuePosition: null, progress })
    const late = await submit(desk)
    expect((await desk.service.view(ALICE, late)).queuePosition).toBe(4)
  })
})

describe('cancelling', () => {
  test('ends a task that waits and one that runs, and leaves nothing of it', async () => {
    await using desk = await openDesk()
    const running = await submit(desk)
    await desk.rig.untilHeld(1)
    await desk.rig.ground.files.openWork(running, 1)
    const waiting = await submit(desk)
    await desk.service.cancel(ALICE, waiting)
    await desk.service.cancel(ALICE, running)
    for (const id of [waiting, running]) expect((await desk.service.view(ALICE, id)).task.state).toBe('cancelled')
    expect(await desk.rig.ground.files.taskIds()).toEqual([])
    expect((await refusalOf(desk.service.cancel(ALICE, running))).code).toBe('conflict')
  })

  test('works at whatever moment of being claimed it comes in', async () => {
    await using desk = await openDesk({}, { workers: 4 })
    for (let moment = 0; moment < 150; moment++) {
      const id = await submit(desk)
      await microtasks(moment)
      await desk.service.cancel(ALICE, id)
      expect([moment, (await desk.service.view(ALICE, id)).task.state]).toEqual([moment, 'cancelled'])
    }
  })
})

describe('cancelling a task whose attempt is ending', () => {
  test('ends it for good when the attempt fails in a way that would have been tried again', async () => {
    await using desk = await openDesk()
    for (let moment = 0; moment < 40; moment++) {
      const id = await submit(desk)
      await desk.rig.untilHeld(moment + 1)
      const cancelling = desk.service.cancel(ALICE, id)
      await microtasks(moment)
      desk.rig.held[moment]?.fail(new TaskError('network', 'the connection broke'))
      await cancelling
      expect([moment, (await desk.service.view(ALICE, id)).task.state]).toEqual([moment, 'cancelled'])
    }
  })

  test('is refused exactly when the attempt completes the task all the same', async () => {
    await using desk = await openDesk()
    for (let moment = 0; moment < 40; moment++) {
      const id = await submit(desk)
      await desk.rig.untilHeld(moment + 1)
      const cancelling = desk.service.cancel(ALICE, id)
      await microtasks(moment)
      desk.rig.held[moment]?.finish()
      const end = await cancelling.then(
        () => 'cancelled',
        (error: unknown) => (error instanceof Refusal && error.code === 'conflict' ? 'completed' : error),
      )
      expect([moment, (await desk.service.view(ALICE, id)).task.state]).toEqual([moment, end])
    }
  })
})

describe('trying again', () => {
  test('takes up what ended without a file, as if it were new, and nothing else', async () => {
    await using desk = await openDesk()
    const id = await submit(desk)
    await desk.rig.untilHeld(1)
    expect((await refusalOf(desk.service.retry(ALICE, id))).code).toBe('conflict')
    await desk.service.cancel(ALICE, id)
    await desk.service.retry(ALICE, id)
    await desk.rig.untilHeld(2)
    expect(desk.rig.held[1]?.task).toMatchObject({ id, attempt: 2, failures: 0, errorCode: null, finishedAt: null })
    desk.rig.held[1]?.finish()
    await desk.rig.untilState(id, 'completed')
    expect((await desk.service.view(ALICE, id)).task.file).toEqual(SAMPLE_FILE)
    expect((await refusalOf(desk.service.retry(ALICE, id))).code).toBe('conflict')
  })

  test('is refused to a key that may not ask for such a task any more', async () => {
    await using desk = await openDesk({}, { runs: false })
    const id = await submit(desk)
    await desk.service.cancel(ALICE, id)
    expect((await refusalOf(desk.service.retry({ ...ALICE, permissions: ['get_info'] }, id))).code).toBe('forbidden')
  })

  test('has to find room like any other', async () => {
    await using desk = await openDesk({ maxQueue: 1 }, { runs: false })
    const id = await submit(desk)
    await desk.service.cancel(ALICE, id)
    await submit(desk)
    expect((await refusalOf(desk.service.retry(ALICE, id))).code).toBe('queue_full')
  })
})
