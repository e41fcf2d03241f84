import { setTimeout as sleep } from 'node:timers/promises'
import { TaskError } from '../../src/domain/errors.ts'
import type { Attempt } from '../../src/tasks/runner.ts'
import { openGround, requestOf, SAMPLE_FILE, SAMPLE_RESULT, taskOf } from '../support/samples.ts'
import { microtasks, RunnerRig, startRig } from '../support/runner-rig.ts'
import { waitFor } from '../support/wait-for.ts'

describe('what waits', () => {
  test('runs exactly once each, at most as many at a time as there are workers: 8 slow tasks on 4 workers', async () => {
    let now = 0
    let most = 0
    const slowly: Attempt = async () => {
      most = Math.max(most, ++now)
      await sleep(60)
      now--
      return SAMPLE_RESULT
    }
    await using rig = await startRig(slowly)
    const ids = await Promise.all(Array.from({ length: 8 }, () => rig.add()))
    await waitFor('8 completed', async () => (await rig.inState('completed')) === 8)
    expect(rig.started.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
    expect(most).toBe(4)
    expect(rig.cleaned.toSorted()).toEqual(ids.toSorted())
    expect((await rig.ground.tasks.get(ids[0] ?? ''))?.file).toEqual(SAMPLE_FILE)
  })

  test('is neither lost nor doubled when 200 arrive at once', async () => {
    await using rig = await startRig(() => Promise.resolve(SAMPLE_RESULT))
    const ids = await Promise.all(Array.from({ length: 200 }, (_, index) => rig.add({ keyId: `key-${index % 7}` })))
    await waitFor('200 completed', async () => (await rig.inState('completed')) === 200)
    expect(rig.started.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
    expect(new Set(ids).size).toBe(200)
    await waitFor('an empty runner', () => rig.runner.runningCount === 0)
  })

  test('is looked for after every nudge, whatever moment of an earlier look that comes in', async () => {
    await using rig = await startRig()
    for (let moment = 0; moment < 150; moment++) {
      await microtasks(300)
      rig.runner.nudge()
      await microtasks(moment)
      const asked = rig.freeBytesAsked
      rig.runner.nudge()
      await microtasks(300)
      expect([moment, rig.freeBytesAsked > asked]).toEqual([moment, true])
    }
  })

  test('is served in turn: nine small keys need not wait for one that sent a hundred before them', async () => {
    await using rig = await startRig('hold', { maxWorkers: 2 })
    for (let n = 0; n < 100; n++) await rig.add({ keyId: 'greedy' })
    await rig.untilHeld(2)
    const small = Array.from({ length: 9 }, (_, n) => `small-${n}`)
    for (const keyId of small) await rig.add({ keyId })
    for (let n = 0; n < 10; n++) {
      rig.held[n]?.finish()
      await rig.untilHeld(n + 3)
    }
    const turns = rig.started.slice(2, 12).map(({ keyId }) => keyId)
    expect(turns.toSorted()).toEqual(['greedy', ...small].toSorted())
  })

  test('does not run beyond what one key may have at a time', async () => {
    await using rig = await startRig('hold', { maxRunningPerKey: 1 })
    for (const keyId of ['a', 'a', 'a', 'b', 'b']) await rig.add({ keyId })
    await rig.untilHeld(2)
    rig.held[0]?.finish()
    await rig.untilHeld(3)
    expect(rig.started.map(({ keyId }) => keyId)).toEqual(['a', 'b', 'a'])
    expect(rig.runner.runningCount).toBe(2)
  })

  test('does not run beyond what a key of its own may have, nor more than what holds for all', async () => {
    const own: Readonly<Record<string, number>> = { a: 1, b: 5 }
    const maxRunningOf = (keyId: string) => own[keyId] ?? null
    await using rig = await startRig('hold', { maxRunningPerKey: 2, maxWorkers: 9, maxRunningOf })
    for (const keyId of ['a', 'a', 'b', 'b', 'b', 'c', 'c', 'c']) await rig.add({ keyId })
    await rig.untilHeld(5)
    rig.held.find(({ task }) => task.keyId === 'a')?.finish()
    await rig.untilHeld(6)
    const startedOf = (id: string) => rig.started.filter(({ keyId }) => keyId === id).length
    expect([startedOf('a'), startedOf('b'), startedOf('c'), rig.runner.runningCount]).toEqual([2, 2, 2, 5])
  })
})

describe('a failure', () => {
  test('that passes is tried again, not before its delay, and counts', async () => {
    await using rig = await startRig()
    const before = Date.now()
    const id = await rig.add()
    await rig.untilHeld(1)
    rig.held[0]?.fail(new TaskError('network', 'the connection broke'))
    await rig.untilState(id, 'waiting')
    expect(await rig.row(id)).toMatchObject({ failures: 1, attempt: 1, error_code: 'network', wait_reason: 'network' })
    const { not_before: notBefore } = await rig.row(id)
    expect(notBefore).toBeGreaterThanOrEqual(before)
    expect(notBefore).toBeLessThanOrEqual(Date.now() + 5_000)
    await rig.ground.store.db.updateTable('task').set({ not_before: Date.now() }).execute()
    rig.runner.nudge()
    await rig.untilHeld(2)
    expect(rig.held[1]?.task).toMatchObject({ id, attempt: 2, failures: 1, waitReason: null })
    rig.held[1]?.finish()
    await rig.untilState(id, 'completed')
    expect(rig.cleaned).toEqual([id])
  })

  test('that stays ends the task with its own words', async () => {
    await using rig = await startRig()
    const id = await rig.add()
    await rig.untilHeld(1)
    rig.held[0]?.fail(new TaskError('private', 'the video is private'))
    await rig.untilState(id, 'error')
    expect(await rig.ground.tasks.get(id)).toMatchObject({ errorCode: 'private', errorMessage: 'the video is private' })
    await waitFor('its work folder to be removed', () => rig.cleaned.includes(id))
  })

  test('of ours does not show its text to clients', async () => {
    await using rig = await startRig('hold', { retryMaxWaitMs: 0 })
    const id = await rig.add()
    await rig.untilHeld(1)
    rig.held[0]?.fail(new TypeError('undefined is not /srv/secret/path'))
    await rig.untilState(id, 'error')
    expect(await rig.ground.tasks.get(id)).toMatchObject({ errorCode: 'unknown', errorMessage: 'internal error' })
  })

  test('is final when it may not be waited for so long, but a lack of space is nobody’s fault', async () => {
    await using rig = await startRig('hold', { retryMaxWaitMs: 60_000 })
    const long = await rig.add({ request: requestOf({ url: 'https://long.example/' }) })
    const full = await rig.add({ request: requestOf({ url: 'https://full.example/' }) })
    await rig.untilHeld(2)
    rig.held[0]?.fail(new TaskError('rate_limited', 'slow down', { retryAfter: 3600 }))
    rig.held[1]?.fail(new TaskError('no_space', 'no space left'))
    await rig.untilState(long, 'error')
    await rig.untilState(full, 'waiting')
    expect(await rig.row(full)).toMatchObject({ failures: 0, wait_reason: 'no_space' })
  })

  test('waits as long as the site asked for', async () => {
    await using rig = await startRig()
    const id = await rig.add()
    await rig.untilHeld(1)
    const before = Date.now()
    rig.held[0]?.fail(new TaskError('upstream_5xx', 'maintenance', { retryAfter: 1800, httpStatus: 503 }))
    await rig.untilState(id, 'waiting')
    expect((await rig.row(id)).not_before ?? 0).toBeGreaterThanOrEqual(before + 1_800_000)
  })

  test('that asks for peace holds back its own host only', async () => {
    await using rig = await startRig('hold', { maxWorkers: 1 })
    const at = (host: string) => ({ request: requestOf({ url: `https://${host}.example/` }) })
    const first = await rig.add(at('busy'))
    await rig.untilHeld(1)
    const second = await rig.add(at('BUSY'))
    const other = await rig.add(at('calm'))
    rig.held[0]?.fail(new TaskError('rate_limited', 'too many requests', { httpStatus: 429 }))
    await rig.untilHeld(2)
    expect(rig.held[1]?.task.id).toBe(other)
    expect(rig.runner.coolingSites()).toEqual(['busy.example'])
    rig.held[1]?.finish()
    await rig.untilState(other, 'completed')
    expect(await rig.row(first)).toMatchObject({ state: 'waiting', wait_reason: 'rate_limited' })
    expect(await rig.row(second)).toMatchObject({ state: 'waiting', attempt: 0 })
  })
})

describe('cancelling', () => {
  test('ends what runs and resolves when nothing of it runs any more', async () => {
    await using rig = await startRig()
    const id = await rig.add()
    await rig.untilHeld(1)
    expect(await rig.runner.cancel(id)).toBe(true)
    expect(rig.runner.runningCount).toBe(0)
    expect(await rig.ground.tasks.get(id)).toMatchObject({ state: 'cancelled', errorCode: 'cancelled' })
    expect(rig.cleaned).toEqual([id])
    expect(await rig.runner.cancel(id)).toBe(false)
  })

  test('is a cancellation whatever the attempt says of its end', async () => {
    const failing: Attempt = (_task, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new TaskError('network', 'the connection was closed')))
      })
    await using rig = await startRig(failing)
    const id = await rig.add()
    await waitFor('the attempt', () => rig.started.length === 1)
    await rig.runner.cancel(id)
    expect(await rig.ground.tasks.get(id)).toMatchObject({ state: 'cancelled', errorCode: 'cancelled' })
  })
})

describe('progress', () => {
  test('is that of the running attempt, and gone with it', async () => {
    await using rig = await startRig()
    const id = await rig.add()
    await rig.untilHeld(1)
    expect(rig.runner.progressOf(id)).toBeNull()
    const progress = {
      phase: 'downloading',
      percent: 12.5,
      speed: 1,
      eta: 2,
      downloadedBytes: 3,
      totalBytes: 24,
    } as const
    rig.held[0]?.run.onProgress(progress)
    expect(rig.runner.progressOf(id)).toEqual(progress)
    rig.held[0]?.finish()
    await waitFor('the end', () => rig.runner.progressOf(id) === null)
  })
})

describe('stopping', () => {
  test('lets work finish within the grace time and recordings at once; the rest goes back uncounted', async () => {
    const attempt: Attempt = async (task, { signal, interrupt }) => {
      const { promise, resolve, reject } = Promise.withResolvers<typeof SAMPLE_RESULT>()
      if (task.request.kind === 'live_video') interrupt.addEventListener('abort', () => resolve(SAMPLE_RESULT))
      else if (task.keyId === 'quick') interrupt.addEventListener('abort', () => setTimeout(resolve, 30, SAMPLE_RESULT))
      signal.addEventListener('abort', () => reject(signal.reason as Error))
      return promise
    }
    const rig = new RunnerRig(await openGround(), attempt, { shutdownGraceMs: 400 })
    await using _ground = rig.ground
    await rig.runner.start()
    const recording = await rig.add({ request: requestOf({ kind: 'live_video', live: { start: 0, duration: 900 } }) })
    const quick = await rig.add({ keyId: 'quick' })
    const slow = await rig.add({ keyId: 'slow' })
    await waitFor('three attempts', () => rig.started.length === 3)
    const startedAt = performance.now()
    await rig.runner[Symbol.asyncDispose]()
    expect(performance.now() - startedAt).toBeLessThan(2_400)
    expect((await rig.ground.tasks.get(recording))?.state).toBe('completed')
    expect((await rig.ground.tasks.get(quick))?.state).toBe('completed')
    expect(await rig.row(slow)).toMatchObject({ state: 'waiting', wait_reason: 'shutdown', failures: 0, deaths: 0 })
    expect(rig.cleaned.toSorted()).toEqual([recording, quick].toSorted())
  })

  test('puts a task back uncounted although its attempt blames the network', async () => {
    const failing: Attempt = (_task, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new TaskError('network', 'the proxy is gone')))
      })
    const rig = new RunnerRig(await openGround(), failing, {})
    await using _ground = rig.ground
    await rig.runner.start()
    const id = await rig.add()
    await waitFor('the attempt', () => rig.started.length === 1)
    await rig.runner[Symbol.asyncDispose]()
    expect(await rig.row(id)).toMatchObject({ state: 'waiting', wait_reason: 'shutdown', failures: 0 })
  })

  test('is the end of claiming', async () => {
    const rig = new RunnerRig(await openGround(), 'hold', {})
    await using _ground = rig.ground
    await rig.runner.start()
    await rig.add()
    await rig.untilHeld(1)
    rig.held[0]?.finish()
    await rig.runner[Symbol.asyncDispose]()
    const asked = rig.freeBytesAsked
    const late = await rig.add()
    rig.runner.nudge()
    await microtasks(500)
    expect(rig.freeBytesAsked).toBe(asked)
    expect(await rig.row(late)).toMatchObject({ state: 'waiting', attempt: 0 })
  })
})

describe('a start', () => {
  test('comes before any claim, so that nothing that runs is taken for a leftover', async () => {
    await using rig = new RunnerRig(await openGround(), 'hold', {})
    const id = await rig.add()
    await microtasks(500)
    expect(await rig.row(id)).toMatchObject({ state: 'waiting', attempt: 0 })
    await rig.runner.start()
    await rig.untilHeld(1)
    expect(await rig.row(id)).toMatchObject({ state: 'processing', attempt: 1, deaths: 0 })
    expect(rig.started).toHaveLength(1)
  })
})

describe('a start after a crash', () => {
  test('puts back what ran, and blames a task during which the daemon died three times', async () => {
    await using ground = await openGround()
    const { tasks } = ground
    const claim = () => tasks.claim({ keyId: 'key-a', now: Date.now(), blockedHosts: [] })
    const poison = taskOf()
    await tasks.add(poison)
    for (let death = 1; death <= 2; death++) {
      expect((await claim())?.id).toBe(poison.id)
      expect(await tasks.recover(Date.now(), 3)).toEqual({ requeued: 1, quarantined: 0 })
    }
    await claim()
    const unlucky = taskOf()
    await tasks.add(unlucky)
    await claim()

    const rig = new RunnerRig(ground, 'hold', {})
    await rig.runner.start()
    await rig.untilHeld(1)
    rig.held[0]?.finish()
    await rig.untilState(unlucky.id, 'completed')
    await rig.runner[Symbol.asyncDispose]()
    expect(await tasks.get(poison.id)).toMatchObject({ state: 'error', errorCode: 'crashed' })
    expect(rig.started.map(({ id }) => id)).toEqual([unlucky.id])
  })

  test('removes what attempts left of tasks that have ended, and keeps what waiting ones go on with', async () => {
    await using ground = await openGround()
    const { tasks } = ground
    const [ended, waiting, poison] = [taskOf(), taskOf(), taskOf()]
    for (const task of [poison, ended, waiting]) await tasks.add(task)
    for (let death = 1; death <= 3; death++) {
      await tasks.claim({ keyId: 'key-a', now: Date.now(), blockedHosts: [] })
      if (death < 3) await tasks.recover(Date.now(), 3)
    }
    await tasks.cancelWaiting(ended.id, Date.now())
    const leftWork = () => Promise.resolve([ended.id, waiting.id, poison.id])
    await using rig = new RunnerRig(ground, 'hold', { leftWork })
    await rig.runner.start()
    expect(rig.cleaned.toSorted()).toEqual([ended.id, poison.id].toSorted())
  })

  test('forgives deaths once an attempt has ended by itself', async () => {
    await using ground = await openGround()
    const { tasks } = ground
    const task = taskOf()
    await tasks.add(task)
    for (let life = 0; life < 4; life++) {
      const claimed = await tasks.claim({ keyId: 'key-a', now: Date.now(), blockedHosts: [] })
      await tasks.recover(Date.now(), 3)
      expect(claimed?.deaths).toBe(0)
      const again = await tasks.claim({ keyId: 'key-a', now: Date.now(), blockedHosts: [] })
      const outcome = { kind: 'retry', code: 'network', message: '', at: 0, counts: true } as const
      expect(await tasks.settle(task.id, again?.attempt ?? 0, outcome, Date.now())).toBe(true)
    }
    expect((await tasks.get(task.id))?.state).toBe('waiting')
  })
})

describe('a nearly full disk', () => {
  test('lets tasks wait, and they go on by themselves when there is space again', async () => {
    const rig = new RunnerRig(await openGround(), 'hold', {})
    await using _rig = rig
    rig.freeBytes = 999
    const id = await rig.add()
    await rig.runner.start()
    await waitFor('the runner to see it', () => rig.runner.diskIsFull)
    expect(await rig.row(id)).toMatchObject({ state: 'waiting', attempt: 0 })
    rig.freeBytes = 1000
    await rig.untilHeld(1)
    expect(rig.runner.diskIsFull).toBe(false)
  })

  test('that cannot even be asked stops nothing for good', async () => {
    const ground = await openGround()
    let broken = true
    const freeBytes = () => (broken ? Promise.reject(new Error('EIO')) : Promise.resolve(2000))
    await using rig = new RunnerRig(ground, 'hold', { freeBytes })
    await rig.runner.start()
    const id = await rig.add()
    await microtasks(200)
    expect(await rig.row(id)).toMatchObject({ state: 'waiting', attempt: 0 })
    broken = false
    await rig.untilHeld(1)
  })
})
