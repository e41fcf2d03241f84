import fc from 'fast-check'
import { KeyStore, type StoredKey } from '../../src/db/key-store.ts'
import { Refusal } from '../../src/domain/errors.ts'
import { NO_LIMITS } from '../../src/domain/key.ts'
import type { Outcome } from '../../src/domain/task.ts'
import { openGround, requestOf, SAMPLE_RESULT, taskOf, type Ground } from '../support/samples.ts'

const KEY: StoredKey = {
  id: 'key-a',
  name: 'key-a',
  permissions: [],
  createdAt: 0,
  expiresAt: null,
  disabledAt: null,
  limits: NO_LIMITS,
  hash: 'hash',
  sealed: 'sealed',
  old: null,
  lastUsedAt: null,
}

const FAR = 1e15

/** A database with one key that has so many credits. */
async function startWith(credits: number | null) {
  const ground = await openGround()
  const keys = new KeyStore(ground.store.db)
  await keys.put(KEY, credits)
  return { ground, keys, left: async () => (await keys.creditsOf([KEY.id])).get(KEY.id) ?? null }
}

/** Whether a call was done; false when there were no credits for it. */
async function isDone(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call()
    return true
  } catch (error) {
    if (error instanceof Refusal && error.code === 'no_credits') return false
    throw error
  }
}

const OUTCOMES: Readonly<Record<string, Outcome>> = {
  completed: { kind: 'completed', ...SAMPLE_RESULT },
  error: { kind: 'error', code: 'network', message: '' },
  cancelled: { kind: 'cancelled' },
  retry: { kind: 'retry', code: 'network', message: '', at: 0, counts: true },
}

type Step = Readonly<{
  do: 'add' | 'claim' | 'settle' | 'cancel' | 'retry' | 'remove' | 'recover'
  n: number
  how: string
}>

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    do: fc.constantFrom(
      ...(['add', 'add', 'claim', 'claim', 'settle', 'settle', 'cancel', 'retry', 'remove', 'recover'] as const),
    ),
    n: fc.nat({ max: 6 }),
    how: fc.constantFrom(...Object.keys(OUTCOMES)),
  }),
  { minLength: 5, maxLength: 30, size: 'max' },
)

/** Does one step with the tasks that were added so far. */
async function take({ tasks }: Ground, ids: string[], { do: what, n, how }: Step): Promise<void> {
  const id = ids[n % Math.max(1, ids.length)] ?? ''
  switch (what) {
    case 'add': {
      const task = taskOf({ request: requestOf({ kind: n === 0 ? 'info' : 'video' }) })
      if (await isDone(() => tasks.add(task))) ids.push(task.id)
      return
    }
    case 'claim':
      return void (await tasks.claim({ keyId: KEY.id, now: FAR, blockedHosts: [] }))
    case 'settle': {
      const attempt = (await tasks.get(id))?.attempt ?? 0
      return void (await tasks.settle(id, attempt, OUTCOMES[how] ?? { kind: 'cancelled' }, 1))
    }
    case 'cancel':
      return void (await tasks.cancelWaiting(id, 1))
    case 'retry':
      return void (await isDone(() => tasks.retryEnded(id)))
    case 'remove':
      return tasks.remove(id)
    case 'recover':
      return void (await tasks.recover(1, 2))
  }
}

test('credits never leak: what is left, reserved and spent is what there was, whatever happens to the tasks', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 4 }), steps, async (credits, path) => {
      const at = await startWith(credits)
      await using ground = at.ground
      const ids: string[] = []
      const spent = new Set<string>()
      for (const step of path) {
        await take(ground, ids, step)
        let reserved = 0
        for (const id of ids) {
          const task = await ground.tasks.get(id)
          if (!task || task.request.kind === 'info') continue
          if (task.state === 'completed') spent.add(id)
          else if (task.state === 'waiting' || task.state === 'processing') reserved++
        }
        expect((await at.left()) ?? NaN).toBe(credits - reserved - spent.size)
      }
    }),
    { numRuns: 40 },
  )
}, 60_000)

test('all of what is submitted together finds a credit, or nothing is taken on', async () => {
  const at = await startWith(2)
  await using ground = at.ground
  expect(await isDone(() => ground.tasks.addAll([taskOf(), taskOf(), taskOf()]))).toBe(false)
  expect(await ground.tasks.countWaiting()).toBe(0)
  expect(await at.left()).toBe(2)
  expect(await isDone(() => ground.tasks.addAll([taskOf(), taskOf()]))).toBe(true)
  expect(await at.left()).toBe(0)
})

test('tasks that were taken on while nothing was counted bring no credit back', async () => {
  const at = await startWith(null)
  await using ground = at.ground
  const free = taskOf()
  await ground.tasks.add(free)
  await at.keys.put(KEY, 5)
  const paid = taskOf()
  await ground.tasks.add(paid)
  expect(await at.left()).toBe(4)
  await ground.tasks.cancelWaiting(free.id, 1)
  expect(await at.left()).toBe(4)
  await at.keys.put(KEY, null)
  await at.keys.put(KEY, 5)
  await ground.tasks.cancelWaiting(paid.id, 1)
  expect(await at.left()).toBe(5)
})
