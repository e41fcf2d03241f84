import { randomBytes } from 'node:crypto'
import { WebhookStore } from '../../src/db/webhook-store.ts'
import { TaskError } from '../../src/domain/errors.ts'
import { DELIVERY_WAITS, nextWait, type DeliveryAnswer } from '../../src/domain/webhook.ts'
import { openSeal } from '../../src/keys/seal.ts'
import type { Post } from '../../src/tasks/webhook-post.ts'
import { WebhookSecrets } from '../../src/tasks/webhook-secrets.ts'
import { Webhooks } from '../../src/tasks/webhooks.ts'
import { openGround, SILENT, taskOf, type Ground } from '../support/samples.ts'
import { waitFor } from '../support/wait-for.ts'

const HOUR = 3_600_000

describe('the waits between attempts', () => {
  const asked = (retryAfterMs: number | null) => ({ isHopeless: false, retryAfterMs })
  const wait = (attempts: number, answer = asked(null), random = 0) =>
    nextWait(attempts, answer, { waits: DELIVERY_WAITS, random })

  it('begin with seconds, grow, and end within a day', () => {
    const all = DELIVERY_WAITS.map((_, n) => wait(n + 1) ?? 0)
    expect(all[0]).toBe(5_000)
    expect(all).toEqual(all.toSorted((a, b) => a - b))
    const sum = all.reduce((total, each) => total + each, 0)
    expect(sum).toBeGreaterThan(20 * HOUR)
    expect(sum).toBeLessThanOrEqual(24 * HOUR)
    expect(wait(DELIVERY_WAITS.length + 1)).toBeNull()
  })

  it('are drawn out by chance by a tenth at most', () => {
    expect(wait(1, asked(null), 1)).toBe(5_500)
  })

  it('are as long as the receiver asks, up to an hour, and never shorter than ours', () => {
    expect([wait(1, asked(60_000)), wait(1, asked(9 * HOUR)), wait(1, asked(1))]).toEqual([60_000, HOUR, 5_000])
  })

  it('are over where it is hopeless', () => {
    expect(wait(1, { isHopeless: true, retryAfterMs: null })).toBeNull()
  })
})

describe('the deliverer', () => {
  const TAKEN: DeliveryAnswer = { status: 200, error: null, retryAfterMs: null, isHopeless: false }
  const SILENCE: DeliveryAnswer = { status: null, error: 'no answer', retryAfterMs: null, isHopeless: false }
  let ground: Ground
  beforeEach(async () => {
    ground = await openGround()
  })
  afterEach(async () => {
    await ground[Symbol.asyncDispose]()
  })

  const createWith = (post: (post: Post) => Promise<DeliveryAnswer>, waits: readonly number[] = [20, 20]) => {
    const store = new WebhookStore(ground.store.db)
    const secrets = new WebhookSecrets(store, openSeal(`${ground.dir}/state`))
    const describe = async ({ taskId }: Readonly<{ taskId: string | null }>) => ({
      exists: (await ground.tasks.get(taskId ?? '')) !== null,
    })
    return new Webhooks({ store, secrets, post, describe, events: ground.events, log: SILENT, waits })
  }

  async function endOne(url = 'https://hooks.example/a'): Promise<string> {
    const task = taskOf({ webhook: { url, events: ['task.cancelled'] } })
    await ground.tasks.add(task)
    await ground.tasks.cancelWaiting(task.id, Date.now())
    return task.id
  }

  const rows = () => ground.store.db.selectFrom('webhook_delivery').selectAll().orderBy('seq').execute()
  const untilRow = (what: string, state: string) =>
    waitFor(what, async () => (await rows()).find((row) => row.state === state))

  it('tells what an earlier daemon left, as the task was before it is swept away', async () => {
    const id = await endOne()
    const posts: Post[] = []
    await using webhooks = createWith((post) => {
      posts.push(post)
      return Promise.resolve(TAKEN)
    })
    await webhooks.start()
    await ground.tasks.remove(id)
    await untilRow('the delivery', 'delivered')
    expect(JSON.parse(posts[0]?.body ?? '')).toMatchObject({ type: 'task.cancelled', data: { exists: true } })
  })

  it('cut off in mid-attempt leaves the message for the next, with the same id', async () => {
    const ids: (string | undefined)[] = []
    await endOne()
    const first = createWith(
      ({ headers, signal }) =>
        new Promise((_resolve, reject) => {
          ids.push(headers['webhook-id'])
          signal.addEventListener('abort', () => reject(new TaskError('cancelled', 'given up')))
        }),
    )
    await first.start()
    await waitFor('the attempt', () => ids.length === 1)
    await first[Symbol.asyncDispose]()
    expect(await rows()).toMatchObject([{ state: 'waiting', attempts: 0 }])
    await using second = createWith(({ headers }) => {
      ids.push(headers['webhook-id'])
      return Promise.resolve(TAKEN)
    })
    await second.start()
    await untilRow('the delivery', 'delivered')
    expect(ids[1]).toBe(ids[0])
  })

  it('lets attempts under way finish when it stops', async () => {
    await endOne()
    let answer: (given: DeliveryAnswer) => void = () => undefined
    const webhooks = createWith(() => new Promise((resolve) => (answer = resolve)))
    await webhooks.start()
    await waitFor('the attempt', async () => {
      answer(TAKEN)
      return (await rows())[0]?.state === 'delivered'
    })
    await webhooks[Symbol.asyncDispose]()
  })

  it('sends no more than two at a time to a host and eight in all', async () => {
    for (let host = 0; host < 6; host++) for (let n = 0; n < 4; n++) await endOne(`https://h${host}.example/${n}`)
    const running = new Map<string, number>()
    let most = 0
    let mostOfHost = 0
    await using webhooks = createWith(async ({ url }) => {
      const { host } = new URL(url)
      running.set(host, (running.get(host) ?? 0) + 1)
      mostOfHost = Math.max(mostOfHost, running.get(host) ?? 0)
      most = Math.max(
        most,
        [...running.values()].reduce((sum, each) => sum + each, 0),
      )
      await new Promise((resolve) => setImmediate(resolve))
      running.set(host, (running.get(host) ?? 0) - 1)
      return TAKEN
    })
    await webhooks.start()
    await waitFor('all', async () => (await rows()).every(({ state }) => state === 'delivered'))
    expect([most, mostOfHost]).toEqual([8, 2])
  })

  it('leaves a host in peace that gave no answer, and tells the others meanwhile', async () => {
    for (let n = 0; n < 5; n++) await endOne(`https://dead.example/${n}`)
    for (let n = 0; n < 5; n++) await endOne(`https://good.example/${n}`)
    let toDead = 0
    await using webhooks = createWith(
      ({ url }) => {
        if (!url.includes('dead')) return Promise.resolve(TAKEN)
        toDead++
        return Promise.resolve(SILENCE)
      },
      [HOUR, HOUR],
    )
    await webhooks.start()
    await waitFor('the others', async () => (await rows()).filter(({ state }) => state === 'delivered').length === 5)
    expect(toDead).toBeLessThanOrEqual(2)
  })

  it('tells a host all there is once it answers again', async () => {
    for (let n = 0; n < 5; n++) await endOne()
    let attempts = 0
    await using webhooks = createWith(() => Promise.resolve(++attempts <= 3 ? SILENCE : TAKEN), [20, 20, 20, 20, 20])
    await webhooks.start()
    await waitFor('all', async () => (await rows()).every(({ state }) => state === 'delivered'))
  })

  it('goes on after a fault of its own, and does not ask at once again and again', async () => {
    await endOne()
    let attempts = 0
    await using webhooks = createWith(() => {
      attempts++
      throw new Error('a fault')
    })
    await webhooks.start()
    await waitFor('the attempt', () => attempts > 0)
    await endOne('https://other.example/')
    await waitFor('the other attempt', () => attempts > 1)
    expect(attempts).toBe(2)
    expect((await rows()).map(({ state }) => state)).toEqual(['waiting', 'waiting'])
  })

  it('the log forgets what is old, and all but the newest of each key', async () => {
    const store = new WebhookStore(ground.store.db)
    const insert = (keyId: string, createdAt: number) =>
      ground.store.db
        .insertInto('webhook_delivery')
        .values({
          ...{ id: randomBytes(8).toString('hex'), key_id: keyId, event: 'task.completed', url: 'https://a.example/' },
          ...{ state: 'delivered', created_at: createdAt },
        })
        .execute()
    for (let n = 0; n < 10; n++) await insert('a', n)
    for (let n = 0; n < 3; n++) await insert('b', n)
    await store.trim(1, 4)
    const left = (await rows()).map((row) => `${row.key_id}${row.created_at}`)
    expect(left).toEqual(['a6', 'a7', 'a8', 'a9', 'b1', 'b2'])
  })
})
