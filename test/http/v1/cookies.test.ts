import fs from 'node:fs/promises'
import path from 'node:path'
import { waitFor } from '../../support/wait-for.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'

const SECRET = 'c00kie-s3cret'
const FAR = 4_000_000_000
const netscape = (domain: string, name: string, value = SECRET, expires = FAR) =>
  [domain, domain.startsWith('.') ? 'TRUE' : 'FALSE', '/', 'TRUE', String(expires), name, value].join('\t')
const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string

describe('cookies of sites', () => {
  let core: CoreServer
  let other: string

  beforeAll(async () => {
    core = await startCore()
    const admin = core.keys.authenticate(core.admin)
    if (admin === null) throw new Error('there is no admin')
    other = (await core.keys.create(admin, 'other', ['set_cookies'])).value
  })

  afterAll(() => core[Symbol.asyncDispose]())

  const jarsOf = async (key: string) => (await core.call('GET', '/v1/cookies', { key })).body['items']
  const detailsOf = (body: Readonly<Record<string, unknown>>) =>
    (body['error'] as { details: { field: string; message: string }[] }).details
  const put = (site: string, body: unknown, key = core.admin) => core.call('PUT', `/v1/cookies/${site}`, { key, body })

  test('come as a cookie file and are cut to the site; values are never shown again', async () => {
    const text = [
      '# Netscape HTTP Cookie File',
      netscape('.youtube.com', 'LOGIN_INFO'),
      `#HttpOnly_${netscape('www.youtube.com', 'PREF', SECRET, 0)}`,
      netscape('.google.com', 'SID', 'another-s3cret'),
      netscape('.youtube.com', 'OLD', SECRET, 1),
    ].join('\n')
    const answer = await put('www.youtube.com', { netscape: text })
    const jar = {
      site: 'youtube.com',
      cookies: 2,
      names: ['LOGIN_INFO', 'PREF'],
      created_at: ISO,
      updated_at: ISO,
      age_seconds: 0,
      expires_at: new Date(FAR * 1000).toISOString(),
      last_success_at: null,
      last_failure_at: null,
      last_failure: null,
    }
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ ...jar, kept: 2, dropped: 2 })
    expect(answer.text).not.toContain('s3cret')
    const list = await core.call('GET', '/v1/cookies')
    expect(list.body).toEqual({ items: [{ ...jar, age_seconds: expect.any(Number) as number }], next: null })
    expect(list.text).not.toContain('s3cret')
  })

  test('come one by one too, and stand for other names of the site', async () => {
    const cookies = [
      { name: 'auth_token', value: SECRET, domain: '.x.com', secure: true, http_only: true, expires: FAR },
      { name: 'auth_token', value: SECRET, domain: '.twitter.com' },
      { name: 'guest', value: SECRET, domain: '.example.com' },
    ]
    const answer = await put('twitter.com', { cookies })
    expect(answer.body).toMatchObject({ site: 'x.com', kept: 2, dropped: 1, names: ['auth_token'] })
    const { jars } = core.ctx
    const { id } = core.keys.authenticate(core.admin) ?? { id: '' }
    for (const url of ['https://x.com/a/status/1', 'https://mobile.twitter.com/a']) {
      expect((await jars.openFor(id, url))?.content).toHaveLength(2)
    }
    expect(await jars.openFor(id, 'https://notx.com/')).toBeNull()
  })

  test('are sealed in the database, each for its key and site', async () => {
    const state = path.join(core.rig.ground.dir, 'state')
    for (const name of await fs.readdir(state)) {
      expect((await fs.readFile(path.join(state, name))).includes(SECRET)).toBe(false)
    }
    const { db } = core.rig.ground.store
    const { sealed } = await db
      .selectFrom('cookie_jar')
      .select('sealed')
      .where('site', '=', 'x.com')
      .executeTakeFirstOrThrow()
    await db.updateTable('cookie_jar').set({ sealed }).where('site', '=', 'youtube.com').execute()
    const { id } = core.keys.authenticate(core.admin) ?? { id: '' }
    expect(await core.ctx.jars.openFor(id, 'https://www.youtube.com/watch?v=1')).toBeNull()
    expect((await put('youtube.com', { netscape: netscape('.youtube.com', 'SID') })).status).toBe(200)
  })

  const own = netscape('.youtube.com', 'SID')
  const withField = (more: object) => ({ cookies: [{ name: 'a', value: 'b', domain: '.youtube.com', ...more }] })

  test.each<[what: string, body: unknown, field: string]>([
    ['nothing', {}, 'netscape'],
    ['both forms', { netscape: 'x', cookies: [] }, 'netscape'],
    ['a number', { netscape: 5 }, 'netscape'],
    ['too large a file', { netscape: 'a'.repeat(300_000) }, 'netscape'],
    ['only cookies of other sites', { netscape: netscape('.google.com', 'SID') }, 'netscape'],
    ['a tab in a value', { netscape: `\n${own}\tb` }, 'netscape, line 2'],
    ['a line end in a value', { netscape: `${own}\rSet-Cookie: b` }, 'netscape, line 1'],
    ['none', { cookies: [] }, 'cookies'],
    ['one without a domain', { cookies: [{ name: 'a', value: 'b' }] }, 'cookies.0.domain'],
    ['a line end in one', withField({ value: `${SECRET}\n` }), 'cookies.0'],
    ['an unknown field', withField({ sameSite: 'Lax' }), 'cookies.0.sameSite'],
    ['a time in words', withField({ expires: 'soon' }), 'cookies.0.expires'],
    ['too many', { cookies: Array.from({ length: 501 }, () => ({ name: 'a', value: 'b', domain: 'c.d' })) }, 'cookies'],
    ['a header', { cookies: 'SID=1' }, 'cookies'],
    ['a path', { netscape: own, path: '/etc/passwd' }, 'path'],
  ])('that are %s are refused by name', async (_, body, field) => {
    const answer = await put('youtube.com', body)
    expect(answer.status).toBe(400)
    expect(detailsOf(answer.body)[0]?.field).toBe(field)
    expect(answer.text).not.toContain(SECRET)
  })

  test.each(['localhost', '127.0.0.1', 'com', '..%2F..%2Fetc', '%00', `${'a'.repeat(300)}.com`])(
    'of the host %s are refused',
    async (site) => {
      const answer = await put(site, { netscape: own })
      expect(answer.status).toBe(400)
      expect(detailsOf(answer.body)[0]?.field).toBe('site')
    },
  )

  test('of another key are not there', async () => {
    expect(await jarsOf(other)).toEqual([])
    expect((await core.call('DELETE', '/v1/cookies/youtube.com', { key: other })).status).toBe(404)
    expect((await put('youtube.com', { netscape: netscape('.youtube.com', 'MINE') }, other)).status).toBe(200)
    expect(await jarsOf(other)).toMatchObject([{ site: 'youtube.com', names: ['MINE'] }])
    expect(await jarsOf(core.admin)).toMatchObject([{ site: 'x.com' }, { site: 'youtube.com', names: ['SID'] }])
  })

  test('need a key, and its permission', async () => {
    const admin = core.keys.authenticate(core.admin)
    if (admin === null) throw new Error('there is no admin')
    const { value } = await core.keys.create(admin, 'nobody', ['get_video'])
    for (const [method, where] of [
      ['GET', '/v1/cookies'],
      ['PUT', '/v1/cookies/youtube.com'],
      ['DELETE', '/v1/cookies/youtube.com'],
    ] as const) {
      expect((await core.call(method, where, { key: null })).status).toBe(401)
      expect((await core.call(method, where, { key: value })).status).toBe(403)
    }
  })

  test('are of at most 50 sites', async () => {
    for (let n = 0; n < 49; n++) {
      const site = `site${n}.example`
      expect((await put(site, { netscape: netscape(`.${site}`, 'a') }, other)).status).toBe(200)
    }
    const one = await put('onemore.example', { netscape: netscape('.onemore.example', 'a') }, other)
    expect(one.body['error']).toMatchObject({ code: 'limit_exceeded' })
    expect((await put('site0.example', { netscape: netscape('.site0.example', 'b') }, other)).status).toBe(200)
  })

  test('go when they are deleted, and with their key', async () => {
    expect((await core.call('DELETE', '/v1/cookies/twitter.com')).body).toEqual({ site: 'x.com', deleted: true })
    expect((await core.call('DELETE', '/v1/cookies/twitter.com')).status).toBe(404)
    await core.keys.remove('other')
    const rows = await core.rig.ground.store.db.selectFrom('cookie_jar').select('site').execute()
    expect(rows).toEqual([{ site: 'youtube.com' }])
    const audit = await core.rig.ground.store.db
      .selectFrom('audit')
      .select(['action', 'target', 'detail'])
      .where('target', '=', 'x.com')
      .execute()
    expect(audit).toEqual([
      { action: 'cookies.set', target: 'x.com', detail: '2 cookies' },
      { action: 'cookies.deleted', target: 'x.com', detail: null },
    ])
  })
})

describe('a jar after a task', () => {
  let core: CoreServer
  let id: string
  const URL = 'https://www.youtube.com/watch?v=1'

  beforeAll(async () => {
    core = await startCore()
    id = core.keys.authenticate(core.admin)?.id ?? ''
  })
  beforeEach(async () => {
    const body = { netscape: netscape('.youtube.com', 'SID') }
    await core.call('PUT', '/v1/cookies/youtube.com', { body })
  })
  afterAll(() => core[Symbol.asyncDispose]())

  const open = async () => {
    const jar = await core.ctx.jars.openFor(id, URL)
    if (jar === null) throw new Error('there is no jar')
    return jar
  }

  test('has what the site renewed and nothing of other sites', async () => {
    const seen = [
      netscape('.youtube.com', 'SID', 'renewed'),
      netscape('.google.com', 'NID'),
      netscape('.youtube.com', 'YSC'),
    ]
    expect(await core.ctx.jars.renew(await open(), seen.join('\n'))).toBe(true)
    const { content, revision } = await open()
    expect(content.map(({ name, value }) => `${name}=${value}`)).toEqual(['SID=renewed', `YSC=${SECRET}`])
    expect(await core.ctx.jars.renew(await open(), seen.join('\n'))).toBe(false)
    expect((await open()).revision).toBe(revision)
  })

  test.each([
    ['an empty file', ''],
    ['a torn file', netscape('.youtube.com', 'SID', 'renewed').slice(0, 20)],
    ['a file without the login', '# Netscape HTTP Cookie File\n'],
    ['a login that was emptied', netscape('.youtube.com', 'SID', '')],
    ['too many cookies', Array.from({ length: 600 }, (_, n) => netscape('.youtube.com', `n${n}`)).join('\n')],
    ['too large a file', netscape('.youtube.com', 'SID', 'a'.repeat(600_000))],
  ])('is as before when the task left %s', async (_, left) => {
    expect(await core.ctx.jars.renew(await open(), left)).toBe(false)
    expect((await open()).content).toMatchObject([{ name: 'SID', value: SECRET }])
  })

  test('of two tasks at a time has what the first to end left', async () => {
    const [first, second] = [await open(), await open()]
    expect(await core.ctx.jars.renew(first, netscape('.youtube.com', 'SID', 'first'))).toBe(true)
    expect(await core.ctx.jars.renew(second, netscape('.youtube.com', 'SID', 'second'))).toBe(false)
    expect((await open()).content).toMatchObject([{ value: 'first' }])
  })

  test('that was replaced meanwhile stays as it was put, and is not told to have failed', async () => {
    const before = await open()
    await waitFor('the clock to move', () => Promise.resolve(Date.now() > before.createdAt || null))
    await core.call('DELETE', '/v1/cookies/youtube.com')
    await core.call('PUT', '/v1/cookies/youtube.com', { body: { netscape: netscape('.youtube.com', 'SID', 'mine') } })
    expect(await core.ctx.jars.renew(before, netscape('.youtube.com', 'SID', 'old'))).toBe(false)
    await core.ctx.jars.note(before, 'login_required')
    expect(await open()).toMatchObject({ content: [{ value: 'mine' }], lastFailureAt: null })
  })

  test('tells how tasks ended', async () => {
    await core.ctx.jars.note(await open(), 'bot_check')
    await core.ctx.jars.note(await open(), null)
    const { body } = await core.call('GET', '/v1/cookies')
    expect(body['items']).toMatchObject([{ last_success_at: ISO, last_failure_at: ISO, last_failure: 'bot_check' }])
  })
})
