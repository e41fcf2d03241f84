import { PERMISSIONS, type Permission } from '../../../src/domain/permissions.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { waitFor } from '../../support/wait-for.ts'

const URL = 'https://video.example/watch'

type Json = Readonly<Record<string, unknown>>

/** Makes a key through the API and returns it with its value. */
async function makeKey(core: CoreServer, name: string, more: Json = {}, caller = core.admin) {
  const answer = await core.call('POST', '/v1/keys', {
    key: caller,
    body: { name, permissions: ['get_video', 'get_info'], ...more },
  })
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`)
  return { id: String(answer.body['id']), value: String(answer.body['value']), body: answer.body }
}

const submit = (core: CoreServer, key: string, url = URL) => core.call('POST', '/get_video', { key, body: { url } })
const codeOf = (body: Json) => (body['error'] as Json)['code']
const fieldsOf = (body: Json) => ((body['error'] as Json)['details'] as { field: string }[]).map(({ field }) => field)
const adminId = (core: CoreServer) => core.keys.require('admin').key.id
const isoIn = (ms: number) => new Date(Date.now() + ms).toISOString()

describe('a key of the native API', () => {
  test('is made, shown without its value, edited with the same value, rotated and deleted', async () => {
    await using core = await startCore()
    const expires = isoIn(3_600_000)
    const made = await makeKey(core, 'bot', {
      expires_at: expires,
      credits: 5,
      limits: { sites: ['www.YouTube.com', 'youtu.be'], cidrs: ['127.0.0.1', '10.1.2.3/8'], tasks_per_day: 3 },
    })
    expect(made.value).toMatch(/^[\w-]{43}$/)
    expect(made.body).toMatchObject({ state: 'active', credits: 5, expires_at: expires, last_used_at: null })
    expect(made.body['limits']).toMatchObject({
      sites: ['youtube.com'],
      cidrs: ['127.0.0.1/32', '10.0.0.0/8'],
      tasks_per_day: 3,
      max_queued: null,
    })
    const shown = await core.call('GET', `/v1/keys/${made.id}`)
    expect(shown.body).toEqual(Object.fromEntries(Object.entries(made.body).filter(([name]) => name !== 'value')))
    const edited = await core.call('PATCH', `/v1/keys/${made.id}`, {
      body: { name: 'robot', permissions: ['get_info'], limits: null, expires_at: null, credits: null },
    })
    expect(edited.body).toMatchObject({ name: 'robot', permissions: ['get_info'], expires_at: null, credits: null })
    const me = await core.call('GET', '/v1/me', { key: made.value })
    expect(me.body['key']).toMatchObject({ id: made.id, name: 'robot' })
    const rotated = await core.call('POST', `/v1/keys/${made.id}/rotate`)
    expect(rotated.status).toBe(200)
    expect((await core.call('GET', '/v1/me', { key: made.value })).status).toBe(401)
    const value = String(rotated.body['value'])
    expect((await core.call('GET', '/v1/me', { key: value })).status).toBe(200)
    expect((await core.call('DELETE', `/v1/keys/${made.id}`)).body).toEqual({ id: made.id, name: 'robot' })
    expect((await core.call('GET', '/v1/me', { key: value })).status).toBe(401)
    expect(codeOf((await core.call('GET', `/v1/keys/${made.id}`)).body)).toBe('key_not_found')
  })

  test('keeps its old value for as long as was asked for', async () => {
    await using core = await startCore()
    const made = await makeKey(core, 'bot')
    const rotated = await core.call('POST', `/v1/keys/${made.id}/rotate`, { body: { grace_seconds: 60 } })
    for (const value of [made.value, String(rotated.body['value'])])
      expect((await core.call('GET', '/v1/me', { key: value })).status).toBe(200)
    await core.call('POST', `/v1/keys/${made.id}/rotate`)
    for (const value of [made.value, String(rotated.body['value'])])
      expect((await core.call('GET', '/v1/me', { key: value })).status).toBe(401)
  })

  test('says at every face why it does not work: only to whoever has its value', async () => {
    await using core = await startCore()
    const { id, value } = await makeKey(core, 'bot')
    expect((await core.call('POST', `/v1/keys/${id}/disable`)).body).toMatchObject({ state: 'disabled' })
    expect(await core.call('GET', '/v1/me', { key: value })).toMatchObject({
      status: 401,
      body: { error: { code: 'key_invalid', message: 'This API key is disabled' } },
    })
    expect(await submit(core, value)).toMatchObject({ status: 401, body: { error: 'This API key is disabled' } })
    expect(await submit(core, `${value}x`)).toMatchObject({ status: 401, body: { error: 'Invalid API key' } })
    await core.call('POST', `/v1/keys/${id}/enable`)
    expect((await submit(core, value)).status).toBe(200)
    await core.call('PATCH', `/v1/keys/${id}`, { body: { expires_at: isoIn(30) } })
    const { text } = await waitFor('the key to expire', async () => {
      const answer = await core.call('GET', '/v1/me', { key: value })
      return answer.status === 401 && answer
    })
    expect(text).toContain('This API key expired at')
  })

  test('is listed in pages of which none has a value', async () => {
    await using core = await startCore()
    const values: string[] = []
    for (let n = 0; n < 5; n++) values.push((await makeKey(core, `key ${n}`)).value)
    const names: string[] = []
    let cursor = ''
    do {
      const { status, text, body } = await core.call('GET', `/v1/keys?limit=4${cursor && `&cursor=${cursor}`}`)
      expect(status).toBe(200)
      for (const value of [...values, core.admin]) expect(text).not.toContain(value)
      const page = body as { items: { name: string }[]; next: string | null }
      names.push(...page.items.map(({ name }) => name))
      cursor = page.next ?? ''
    } while (cursor !== '')
    expect(new Set(names)).toEqual(new Set(['admin', ...values.map((_, n) => `key ${n}`)]))
    expect(names).toHaveLength(6)
  })
})

describe('nobody gets more than it has', () => {
  test('a key gives, edits, rotates, switches and deletes nothing beyond its own permissions', async () => {
    await using core = await startCore()
    const managing: Permission[] = ['create_key', 'delete_key', 'get_video']
    const maker = await makeKey(core, 'maker', { permissions: managing })
    const strong = await makeKey(core, 'strong', { permissions: ['get_audio'] })
    const as = (method: string, path: string, body?: unknown) => core.call(method, path, { key: maker.value, body })
    const attempts = [
      await as('POST', '/v1/keys', { name: 'child', permissions: ['get_audio'] }),
      await as('PATCH', `/v1/keys/${maker.id}`, { permissions: [...PERMISSIONS] }),
      await as('PATCH', `/v1/keys/${strong.id}`, { permissions: ['get_video'] }),
      await as('POST', `/v1/keys/${strong.id}/rotate`),
      await as('POST', `/v1/keys/${strong.id}/disable`),
      await as('DELETE', `/v1/keys/${strong.id}`),
      await as('POST', `/v1/keys/${adminId(core)}/rotate`),
      await as('GET', '/v1/keys'),
      await as('GET', `/v1/keys/${strong.id}`),
      await as('GET', `/v1/keys/${strong.id}/usage`),
      await as('GET', '/v1/audit'),
    ]
    expect(attempts.map(({ status }) => status)).toEqual(attempts.map(() => 403))
    expect((await as('POST', '/v1/keys', { name: 'child', permissions: ['get_video'] })).status).toBe(201)
    expect((await core.call('GET', '/v1/me', { key: strong.value })).status).toBe(200)
  })

  test('an equal key cannot take the key admin over', async () => {
    await using core = await startCore()
    const twin = await makeKey(core, 'twin', { permissions: [...PERMISSIONS] })
    const path = `/v1/keys/${adminId(core)}`
    for (const [method, where] of [
      ['POST', `${path}/rotate`],
      ['POST', `${path}/disable`],
      ['PATCH', path],
    ] as const) {
      const body = method === 'PATCH' ? { permissions: [] } : undefined
      expect((await core.call(method, where, { key: twin.value, body })).status).toBe(403)
    }
  })

  test('what a key made is bound as it is itself, and a counted key makes none', async () => {
    await using core = await startCore()
    const permissions = ['create_key', 'get_video']
    const bound = await makeKey(core, 'bound', {
      permissions,
      limits: { sites: ['a.example'], cidrs: ['127.0.0.0/8'] },
      expires_at: isoIn(60_000),
    })
    const child = (limits: Json, more: Json = {}) =>
      core.call('POST', '/v1/keys', {
        key: bound.value,
        body: { name: 'child', permissions: ['get_video'], limits, expires_at: isoIn(30_000), ...more },
      })
    const own = { sites: ['a.example'], cidrs: ['127.0.0.0/8'] }
    expect((await child({})).status).toBe(403)
    expect((await child({ ...own, sites: ['a.example', 'b.example'] })).status).toBe(403)
    expect((await child(own, { expires_at: isoIn(3_600_000) })).status).toBe(403)
    expect((await child(own, { expires_at: null })).status).toBe(403)
    const atCore = { name: 'child', permissions: ['get_video'] }
    expect((await core.call('POST', '/create_key', { key: bound.value, body: atCore })).status).toBe(403)
    expect((await child(own)).status).toBe(201)
    for (const more of [{ credits: 5 }, { limits: { tasks_per_day: 5 } }]) {
      const counted = await makeKey(core, `counted ${JSON.stringify(more).length}`, { permissions, ...more })
      const body = { name: 'more', permissions: ['get_video'] }
      for (const path of ['/v1/keys', '/create_key'])
        expect((await core.call('POST', path, { key: counted.value, body })).status).toBe(403)
      const self = await core.call('PATCH', `/v1/keys/${counted.id}`, {
        key: counted.value,
        body: { credits: null, limits: null },
      })
      expect(self.status).toBe(403)
    }
  })

  test('the last key that can make keys stays one, whatever is tried', async () => {
    await using core = await startCore()
    const path = `/v1/keys/${adminId(core)}`
    const attempts = [
      await core.call('DELETE', path),
      await core.call('POST', `${path}/disable`),
      await core.call('PATCH', path, { body: { permissions: ['get_video'] } }),
      await core.call('PATCH', path, { body: { expires_at: isoIn(60_000) } }),
      await core.call('PATCH', path, { body: { credits: 0 } }),
      await core.call('PATCH', path, { body: { limits: { requests_per_minute: 0 } } }),
    ]
    expect(attempts.map(({ status }) => status)).toEqual(attempts.map(() => 409))
    const brief = await makeKey(core, 'brief', { permissions: [...PERMISSIONS], expires_at: isoIn(60_000) })
    expect((await core.call('DELETE', path)).status).toBe(409)
    expect((await core.call('DELETE', `/v1/keys/${brief.id}`)).status).toBe(200)
  })
})

describe('limits', () => {
  test('of sites hold for the site, its subdomains and its other names, and for nothing that only looks like it', async () => {
    await using core = await startCore()
    const { value } = await makeKey(core, 'bot', { limits: { sites: ['youtube.com'] } })
    for (const url of ['https://www.youtube.com/watch?v=1', 'https://youtu.be/1', 'https://a.b.youtube.com/x'])
      expect([url, (await submit(core, value, url)).status]).toEqual([url, 200])
    for (const url of [
      'https://notyoutube.com/x',
      'https://youtube.com.evil.example/x',
      'https://evil.example/youtube.com',
      'https://com/x',
    ])
      expect([url, (await submit(core, value, url)).status]).toEqual([url, 403])
  })

  test('of addresses go by the connection, not by what the caller writes', async () => {
    await using core = await startCore()
    const here = await makeKey(core, 'here', { limits: { cidrs: ['127.0.0.0/8'] } })
    const elsewhere = await makeKey(core, 'elsewhere', { limits: { cidrs: ['203.0.113.0/24', '::/0'] } })
    expect((await core.call('GET', '/v1/me', { key: here.value })).status).toBe(200)
    const headers = { 'X-Forwarded-For': '203.0.113.7', Forwarded: 'for=203.0.113.7', 'X-Real-IP': '203.0.113.7' }
    for (const path of ['/v1/me', '/v1/keys', '/get_keys', '/status/x'])
      expect((await core.call('GET', path, { key: elsewhere.value, headers })).status).toBe(403)
  })

  test('of waiting tasks, of tasks a day and of calls a minute are said and end', async () => {
    await using core = await startCore()
    const queued = await makeKey(core, 'queued', { limits: { max_queued: 2 } })
    const daily = await makeKey(core, 'daily', { limits: { tasks_per_day: 2 } })
    const brisk = await makeKey(core, 'brisk', { limits: { requests_per_minute: 2 } })
    for (const { value } of [queued, daily, brisk]) {
      expect((await submit(core, value)).status).toBe(200)
      const second = await submit(core, value)
      expect(second.status).toBe(200)
      const third = await submit(core, value)
      expect(third.status).toBe(429)
      expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0)
      // A place in the queue comes back, a day's task or a call does not.
      const cancel = await core.call('POST', `/v1/tasks/${String(second.body['task_id'])}/cancel`, { key: value })
      expect(cancel.status).toBe(200)
    }
    expect((await submit(core, queued.value)).status).toBe(200)
    expect((await submit(core, daily.value)).status).toBe(429)
    expect((await core.call('GET', '/v1/me', { key: brisk.value })).status).toBe(200)
  })

  test('of credits let exactly so many tasks in, however many come at once, and take back what brought nothing', async () => {
    await using core = await startCore()
    const { id, value } = await makeKey(core, 'prepaid', { credits: 3 })
    const left = async () => (await core.call('GET', `/v1/keys/${id}`)).body['credits']
    const answers = await Promise.all(Array.from({ length: 20 }, () => submit(core, value)))
    const accepted = answers.filter(({ status }) => status === 200)
    expect(accepted).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(17)
    expect(await left()).toBe(0)
    expect((await core.call('POST', '/get_info', { key: value, body: { url: URL } })).status).toBe(200)
    const path = `/v1/tasks/${String(accepted[0]?.body['task_id'])}`
    const act = async (what: string) => (await core.call('POST', `${path}/${what}`, { key: value })).status
    expect(await act('cancel')).toBe(200)
    expect(await left()).toBe(1)
    expect(await act('cancel')).toBe(409)
    expect(await left()).toBe(1)
    expect(await act('retry')).toBe(200)
    expect(await left()).toBe(0)
    expect(await act('cancel')).toBe(200)
    expect((await submit(core, value)).status).toBe(200)
    expect(await act('retry')).toBe(402)
    expect(await left()).toBe(0)
  })
})

describe('use and audit', () => {
  test('usage is counted by day, and shown to the key itself and to who may see keys', async () => {
    await using core = await startCore()
    const { id, value } = await makeKey(core, 'bot')
    const other = await makeKey(core, 'other')
    await submit(core, value)
    const day = new Date().toISOString().slice(0, 10)
    const today = { day, accepted: 1, completed: 0, failed: 0, bytes: 0 }
    for (const key of [value, core.admin]) {
      const { body } = await core.call('GET', `/v1/keys/${id}/usage`, { key })
      expect(body).toMatchObject({ key_id: id, to: day, days: [today], waiting: 1, running: 0 })
    }
    expect((await core.call('GET', `/v1/keys/${id}/usage`, { key: other.value })).status).toBe(403)
    expect((await core.call('GET', '/v1/me', { key: value })).body).toMatchObject({ today, waiting: 1, running: 0 })
    expect((await core.call('GET', `/v1/keys/${id}/usage?from=2020-01-01&to=2020-01-31`)).body['days']).toEqual([])
    for (const query of ['from=2020-01-01&to=2022-01-01', 'from=2020-02-02&to=2020-01-01', 'from=yesterday', 'day=1'])
      expect((await core.call('GET', `/v1/keys/${id}/usage?${query}`)).status).toBe(400)
  })

  test('the audit has what was deleted: tasks and archive', async () => {
    await using core = await startCore()
    const id = await core.rig.add({ keyId: core.keys.authenticate(core.admin)?.id ?? '' })
    await core.call('DELETE', `/v1/tasks/${id}`)
    await core.call('POST', '/v1/archive', { body: { lines: ['youtube a', 'youtube b', 'youtube c'] } })
    await core.call('DELETE', `/v1/archive/${encodeURIComponent('youtube a')}`)
    await core.call('DELETE', '/v1/archive')
    await core.call('DELETE', '/v1/archive') // there is nothing left
    const { body } = await core.call('GET', '/v1/audit')
    expect((body['items'] as Json[]).map((entry) => [entry['action'], entry['target'], entry['detail']])).toEqual([
      ['archive.deleted', null, '2 media'],
      ['archive.deleted', 'youtube a', null],
      ['tasks.deleted', id, null],
    ])
  })

  test('the audit says who did what from where, newest first, and no secret', async () => {
    await using core = await startCore()
    const { id, value } = await makeKey(core, 'bot', { credits: 2 })
    await core.call('POST', `/v1/keys/${id}/disable`)
    const rotated = await core.call('POST', `/v1/keys/${id}/rotate`)
    const { body: made } = await core.call('POST', '/create_key', { body: { name: 'old', permissions: [] } })
    await core.call('DELETE', '/delete_key/old')
    const first = await core.call('GET', '/v1/audit?limit=3')
    const second = await core.call('GET', `/v1/audit?cursor=${String(first.body['next'])}`)
    const entries = [...(first.body['items'] as Json[]), ...(second.body['items'] as Json[])]
    expect(entries.map((entry) => [entry['action'], entry['target'], entry['key_name']])).toEqual([
      ['key.deleted', 'old', 'admin'],
      ['key.created', 'old', 'admin'],
      ['key.rotated', 'bot', 'admin'],
      ['key.disabled', 'bot', 'admin'],
      ['key.created', 'bot', 'admin'],
    ])
    expect(entries[0]?.['address']).toMatch(/127\.0\.0\.1$/)
    for (const secret of [value, rotated.body['value'], made['key'], core.admin])
      expect(first.text + second.text).not.toContain(String(secret))
  })
})

describe('bad input', () => {
  test('is refused with the name of the field', async () => {
    await using core = await startCore()
    const cases: readonly (readonly [Json, string])[] = [
      [{ permissions: [] }, 'name'],
      [{ name: ' x', permissions: [] }, 'name'],
      [{ name: 'a/b', permissions: [] }, 'name'],
      [{ name: 'x'.repeat(65), permissions: [] }, 'name'],
      [{ name: 'x', permissions: ['fly'] }, 'permissions.0'],
      [{ name: 'x' }, 'permissions'],
      [{ name: 'x', permissions: [], admin: true }, 'admin'],
      [{ name: 'x', permissions: [], credits: -1 }, 'credits'],
      [{ name: 'x', permissions: [], credits: 1e308 }, 'credits'],
      [{ name: 'x', permissions: [], credits: 1.5 }, 'credits'],
      [{ name: 'x', permissions: [], expires_at: 'soon' }, 'expires_at'],
      [{ name: 'x', permissions: [], expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
      [{ name: 'x', permissions: [], limits: { max_running: 0 } }, 'limits.max_running'],
      [{ name: 'x', permissions: [], limits: { tasks_per_day: -5 } }, 'limits.tasks_per_day'],
      [{ name: 'x', permissions: [], limits: { bytes_per_day: 2 ** 60 } }, 'limits.bytes_per_day'],
      [{ name: 'x', permissions: [], limits: { sites: ['http://a.example/'] } }, 'limits.sites.0'],
      [{ name: 'x', permissions: [], limits: { cidrs: ['10.0.0.0/33'] } }, 'limits.cidrs.0'],
      [{ name: 'x', permissions: [], limits: { cidrs: ['10.1/8'] } }, 'limits.cidrs.0'],
      [{ name: 'x', permissions: [], limits: { speed: 1 } }, 'limits.speed'],
    ]
    for (const [body, field] of cases) {
      const answer = await core.call('POST', '/v1/keys', { body })
      expect([body, answer.status, [...new Set(fieldsOf(answer.body))]]).toEqual([body, 400, [field]])
    }
    expect((await core.call('PATCH', `/v1/keys/${adminId(core)}`, { body: {} })).status).toBe(400)
    const tooLong = { grace_seconds: 86_401 }
    expect((await core.call('POST', `/v1/keys/${adminId(core)}/rotate`, { body: tooLong })).status).toBe(400)
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'page=2'])
      expect((await core.call('GET', `/v1/keys?${query}`)).status).toBe(400)
    expect((await core.call('GET', '/v1/audit?cursor=-1')).status).toBe(400)
  })

  test('a name is taken once, ids of others are not found, and nothing is shown without a key', async () => {
    await using core = await startCore()
    await makeKey(core, 'bot')
    for (const name of ['bot', 'admin'])
      expect((await core.call('POST', '/v1/keys', { body: { name, permissions: [] } })).status).toBe(409)
    for (const id of ['bot', 'x'.repeat(21), '..%2f', "'%20or%201=1"]) {
      expect([id, (await core.call('GET', `/v1/keys/${id}`)).status]).toEqual([id, 404])
      expect([id, (await core.call('DELETE', `/v1/keys/${id}`)).status]).toEqual([id, 404])
    }
    for (const path of ['/v1/keys', '/v1/me', '/v1/audit', '/v1/keys/x/usage'])
      expect((await core.call('GET', path, { key: null })).status).toBe(401)
  })
})
