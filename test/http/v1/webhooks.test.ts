import { TaskError } from '../../../src/domain/errors.ts'
import { WEBHOOK_EVENTS, type WebhookEvent } from '../../../src/domain/task.ts'
import { webhookMessageSchema } from '../../../src/http/v1/webhook-view.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { Receiver, verified } from '../../support/receiver.ts'
import { nextTaskId, taskOf } from '../../support/samples.ts'
import { waitFor } from '../../support/wait-for.ts'

let core: CoreServer
let receiver: Receiver
let keyId = ''

beforeEach(async () => {
  core = await startCore()
  receiver = await Receiver.start()
  keyId = core.keys.authenticate(core.admin)?.id ?? ''
  await core.ctx.webhooks.start()
  await core.rig.runner.start()
})

afterEach(async () => {
  await core[Symbol.asyncDispose]()
  await receiver[Symbol.asyncDispose]()
})

const hook = (events: readonly WebhookEvent[] = WEBHOOK_EVENTS, url = receiver.url) => ({ url, events })

async function finishOne(url = receiver.url): Promise<string> {
  const before = core.rig.held.length
  const id = await core.rig.add({ keyId, webhook: hook(['task.completed'], url) })
  await core.rig.untilHeld(before + 1)
  core.rig.held[before]?.finish()
  return id
}

const secretOf = async () => String((await core.call('GET', '/v1/webhooks/secret')).body['secret'])

type Item = Readonly<Record<string, unknown> & { id: string }>

async function deliveries(query = ''): Promise<readonly Item[]> {
  const answer = await core.call('GET', `/v1/webhooks/deliveries${query}`)
  return answer.body['items'] as Item[]
}

const untilState = (state: string) =>
  waitFor(`a delivery to be ${state}`, async () => (await deliveries(`?state=${state}`))[0])

async function anotherKey(): Promise<string> {
  const caller = core.keys.authenticate(core.admin)
  if (!caller) throw new Error('the admin is missing')
  return (await core.keys.create(caller, 'other', ['get_video'])).value
}

describe('a webhook', () => {
  it('is told the end of its task, signed by the Standard Webhooks scheme', async () => {
    const id = await finishOne()
    const got = await receiver.until(1)
    expect(got.headers).toMatchObject({ 'content-type': 'application/json' })
    const message = webhookMessageSchema.parse(verified(await secretOf(), got))
    expect(message).toMatchObject({ type: 'task.completed', data: { task_id: id, batch: null } })
    expect(message.data.task).toMatchObject({ id, state: 'completed', file: { name: 'video.mp4' } })
    const delivery = await untilState('delivered')
    expect(delivery).toMatchObject({ id: got.id, attempts: 1, last_status: 204, last_error: null, task_id: id })
  })

  it('is told the ends that it asked for, and no others', async () => {
    const waiting = await core.rig.add({ keyId, webhook: hook(['task.completed']), notBefore: Date.now() + 1e9 })
    const told = await core.rig.add({ keyId, webhook: hook(['task.cancelled']), notBefore: Date.now() + 1e9 })
    for (const id of [waiting, told]) await core.call('POST', `/v1/tasks/${id}/cancel`)
    await receiver.until(1)
    const failing = await core.rig.add({ keyId, webhook: hook(['task.failed']) })
    await core.rig.untilHeld(1)
    core.rig.held[0]?.fail(new TaskError('private', 'it is private'))
    await receiver.until(2)
    expect((await deliveries()).map(({ task_id: id, event }) => [id, event])).toEqual([
      [failing, 'task.failed'],
      [told, 'task.cancelled'],
    ])
  })

  it('is told once that a batch is through, with how it went', async () => {
    const batch = { id: 'batch1', keyId, createdAt: Date.now(), title: 'mix', url: null, webhook: hook() }
    const ids = [nextTaskId(), nextTaskId()]
    const tasks = ids.map((id) => taskOf({ id, keyId, batchId: batch.id }))
    await core.rig.ground.tasks.addAll(tasks, { batch })
    core.rig.runner.nudge()
    await core.rig.untilHeld(2)
    core.rig.held[0]?.finish()
    await core.call('POST', `/v1/tasks/${core.rig.held[1]?.task.id}/cancel`)
    const { data, type } = webhookMessageSchema.parse(verified(await secretOf(), await receiver.until(1)))
    expect([type, data.batch_id, data.task]).toEqual(['batch.completed', 'batch1', null])
    const counts = { waiting: 0, processing: 0, completed: 1, error: 0, cancelled: 1 }
    expect(data.batch).toMatchObject({ title: 'mix', counts })
    expect(receiver.received).toHaveLength(1)
  })

  it('is tried again after a failure, with the same id and body', async () => {
    receiver.answer = (n) => (n < 2 ? 500 : 200)
    await finishOne()
    await receiver.until(3)
    expect(new Set(receiver.received.map(({ id, body }) => id + body)).size).toBe(1)
    const { id } = await untilState('delivered')
    const { body } = await core.call('GET', `/v1/webhooks/deliveries/${id}`)
    expect(body).toMatchObject({ attempts: 3, last_status: 200, last_error: null })
    const log = body['log'] as { at: string; status: number; error: string | null }[]
    const failure = 'the receiver answered with 500'
    expect(log.map(({ status, error }) => [status, error])).toEqual([
      [500, failure],
      [500, failure],
      [200, null],
    ])
    expect(log.map(({ at }) => at)).toEqual(log.map(({ at }) => at).toSorted())
  })

  it('that goes on failing is given up, and says why', async () => {
    receiver.answer = () => 503
    await finishOne()
    expect(await untilState('failed')).toMatchObject({
      attempts: 4,
      last_status: 503,
      last_error: 'the receiver answered with 503',
      next_attempt_at: null,
    })
  })

  it('that answers with 410 is not asked again', async () => {
    receiver.answer = () => 410
    await finishOne()
    expect(await untilState('failed')).toMatchObject({ attempts: 1, last_status: 410 })
  })

  it('is not followed elsewhere', async () => {
    receiver.answer = () => ({ status: 307, headers: { location: '/elsewhere' } })
    await finishOne()
    expect(await untilState('failed')).toMatchObject({ last_status: 307 })
    expect(receiver.received.every(({ path }) => path === '/hook')).toBe(true)
  })

  it.each(['http://10.1.2.3/hook', 'http://169.254.169.254/latest', 'http://[::1]:80/', 'http://[::ffff:10.0.0.1]/'])(
    'at %s is refused and never tried again',
    async (url) => {
      await finishOne(url)
      const delivery = await waitFor('an attempt', async () =>
        (await deliveries()).find((item) => item['attempts'] !== 0),
      )
      expect(delivery).toMatchObject({ attempts: 1, last_status: null })
      expect(delivery['last_error']).toMatch(/ is (?!a host that has no address)/)
    },
  )

  it('of a dead host does not hold up others', async () => {
    const dead = await Receiver.start(() => 'never')
    for (let n = 0; n < 12; n++) await finishOne(dead.url)
    await finishOne()
    await receiver.until(1, 5_000)
    expect(dead.received.length).toBeLessThanOrEqual(2)
    await dead[Symbol.asyncDispose]()
  })
})

describe('the secret', () => {
  it('stays the same until it is replaced; then both sign for a day', async () => {
    const first = await core.call('GET', '/v1/webhooks/secret')
    expect(first).toMatchObject({ status: 200, body: { old_secret_until: null } })
    expect(first.body['secret']).toMatch(/^whsec_[A-Za-z0-9+/=]{44}$/)
    expect(await secretOf()).toBe(first.body['secret'])
    const second = await core.call('POST', '/v1/webhooks/secret/rotate')
    expect(second.body['secret']).not.toBe(first.body['secret'])
    const noted = await core.call('GET', '/v1/audit?limit=1')
    expect(noted.body['items']).toMatchObject([{ action: 'webhook_secret.rotated' }])
    const until = Date.parse(String(second.body['old_secret_until']))
    expect(Math.abs(until - Date.now() - 24 * 3_600_000)).toBeLessThan(60_000)
    await finishOne()
    const got = await receiver.until(1)
    for (const { body } of [first, second]) expect(verified(String(body['secret']), got)).toHaveProperty('type')
  })

  it('is one of each key, and not to be read in the database', async () => {
    const secret = await secretOf()
    const other = await core.call('GET', '/v1/webhooks/secret', { key: await anotherKey() })
    expect(other.body['secret']).not.toBe(secret)
    const rows = await core.rig.ground.store.db.selectFrom('webhook_secret').selectAll().execute()
    expect(rows).toHaveLength(2)
    expect(JSON.stringify(rows)).not.toContain(secret.slice(6))
  })

  it('and the deliveries go with the key', async () => {
    const key = await anotherKey()
    await core.call('GET', '/v1/webhooks/secret', { key })
    await core.keys.remove('other')
    expect(await core.rig.ground.store.db.selectFrom('webhook_secret').selectAll().execute()).toEqual([])
  })
})

describe('the log of deliveries', () => {
  it('is paged, the newest first, and filtered', async () => {
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.unshift(await finishOne())
    await receiver.until(5)
    const seen: unknown[] = []
    let cursor = ''
    do {
      const { status, body } = await core.call('GET', `/v1/webhooks/deliveries?limit=2${cursor}`)
      expect(status).toBe(200)
      seen.push(...(body['items'] as Item[]).map(({ task_id: id }) => id))
      const next = body['next'] as string | null
      cursor = next === null ? '' : `&cursor=${next}`
    } while (cursor !== '')
    expect(seen).toEqual(ids)
    expect((await deliveries(`?task=${ids[2]}`)).map(({ task_id: id }) => id)).toEqual([ids[2]])
    expect(await deliveries('?state=failed')).toEqual([])
  })

  it('shows what was sent, and sends it again when asked', async () => {
    await finishOne()
    const got = await receiver.until(1)
    await untilState('delivered')
    const { body } = await core.call('GET', `/v1/webhooks/deliveries/${got.id}`)
    expect(body).toMatchObject({ id: got.id, body: got.body, state: 'delivered' })
    const again = await core.call('POST', `/v1/webhooks/deliveries/${got.id}/redeliver`)
    expect(again).toMatchObject({ status: 200, body: { id: got.id, state: 'waiting', attempts: 0 } })
    expect(await receiver.until(2)).toMatchObject({ id: got.id, body: got.body })
  })

  it('shows nothing of another key', async () => {
    await finishOne()
    const { id } = await receiver.until(1)
    const key = await anotherKey()
    expect((await core.call('GET', '/v1/webhooks/deliveries', { key })).body).toEqual({ items: [], next: null })
    for (const [method, path] of [
      ['GET', `/v1/webhooks/deliveries/${id}`],
      ['POST', `/v1/webhooks/deliveries/${id}/redeliver`],
    ] as const) {
      expect(await core.call(method, path, { key })).toMatchObject({
        status: 404,
        body: { error: { code: 'not_found' } },
      })
    }
    expect(receiver.received).toHaveLength(1)
  })
})

describe('POST /v1/webhooks/test', () => {
  const test = (body: unknown) => core.call('POST', '/v1/webhooks/test', { body })

  it('sends a signed ping and shows what came of it', async () => {
    const answer = await test({ url: receiver.url })
    expect(answer).toMatchObject({ status: 200, body: { delivered: true, status: 204, error: null } })
    expect(webhookMessageSchema.parse(verified(await secretOf(), await receiver.until(1))).type).toBe('ping')
    receiver.answer = () => 404
    expect((await test({ url: receiver.url })).body).toMatchObject({ delivered: false, status: 404 })
    expect(await deliveries()).toEqual([])
  })

  it('refuses private addresses by the policy of the daemon', async () => {
    for (const url of ['http://10.0.0.1/', 'http://192.168.1.1/x', 'http://[fd00::1]/']) {
      const { status, body } = await test({ url })
      expect([status, body['delivered'], body['status']]).toEqual([200, false, null])
      expect(body['error']).toMatch(/private|not/)
    }
  })

  it.each([
    [{}, 'url'],
    [{ url: 'ftp://a.example/' }, 'url'],
    [{ url: 'not an address' }, 'url'],
    [{ url: 5 }, 'url'],

    [{ url: 'https://a.example/', secret: 'x' }, 'secret'],
  ])('refuses %j and names the field', async (body, field) => {
    expect(await test(body)).toMatchObject({ status: 400, body: { error: { details: [{ field }] } } })
  })
})

it.each([
  ['?limit=0', 'limit'],
  ['?limit=201', 'limit'],
  ['?limit=x', 'limit'],
  ['?state=gone', 'state'],
  ['?cursor=abc', 'cursor'],
  ['?from=1', 'from'],
])('the log refuses %s and names the field', async (query, field) => {
  const answer = await core.call('GET', `/v1/webhooks/deliveries${query}`)
  expect(answer).toMatchObject({ status: 400, body: { error: { details: [{ field }] } } })
})

it.each([
  ['GET', '/v1/webhooks/secret'],
  ['POST', '/v1/webhooks/secret/rotate'],
  ['POST', '/v1/webhooks/test'],
  ['GET', '/v1/webhooks/deliveries'],
  ['GET', '/v1/webhooks/deliveries/x'],
  ['POST', '/v1/webhooks/deliveries/x/redeliver'],
])('%s %s is refused without a key', async (method, path) => {
  expect((await core.call(method, path, { key: null })).status).toBe(401)
})
