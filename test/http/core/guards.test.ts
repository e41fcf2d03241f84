import { startCore } from '../../support/core-server.ts'

const URL = 'https://video.example/watch'

describe('the order of checks', () => {
  test('is key, limit, permission, body: the first that fails answers, whatever else is wrong', async () => {
    await using core = await startCore({ requestLimit: 2 })
    await core.keys.adopt('weak', 'weak-value', ['get_info'])
    const post = (key: string | null, path: string, body: unknown) => core.call('POST', path, { key, body })
    expect(await post(null, '/get_video', 'broken')).toMatchObject({
      status: 401,
      body: { error: 'No API key provided' },
    })
    expect(await post('', '/get_video', 'broken')).toMatchObject({
      status: 401,
      body: { error: 'No API key provided' },
    })
    expect(await post('wrong', '/get_video', 'broken')).toMatchObject({
      status: 401,
      body: { error: 'Invalid API key' },
    })
    expect(await post('weak-value', '/get_video', 'broken')).toMatchObject({
      status: 403,
      body: { error: 'Insufficient permissions' },
    })
    expect(await post('weak-value', '/get_info', 'broken')).toMatchObject({ status: 400 })
    expect(await post('weak-value', '/get_info', { url: URL })).toMatchObject({
      status: 429,
      body: { error: 'Rate limit exceeded. Maximum 2 requests per 10 minutes.' },
    })
    expect((await post(core.admin, '/get_info', { url: URL })).status).toBe(200)
  })

  test('counts trying a task again like a new one', async () => {
    await using core = await startCore({ requestLimit: 2 })
    const { body } = await core.call('POST', '/get_info', { body: { url: URL } })
    const path = `/v1/tasks/${String(body['task_id'])}`
    expect((await core.call('POST', `${path}/cancel`)).status).toBe(200)
    expect((await core.call('POST', `${path}/retry`)).status).toBe(200)
    expect((await core.call('POST', `${path}/cancel`)).status).toBe(200)
    expect(await core.call('POST', `${path}/retry`)).toMatchObject({
      status: 429,
      body: { error: { code: 'rate_limited' } },
    })
    expect((await core.call('POST', '/get_info', { body: { url: URL } })).status).toBe(429)
  })

  test('reads little of a body where no limit bounds the calls', async () => {
    await using core = await startCore()
    const body = { permissions: Array(3_000).fill('get_info') }
    expect(await core.call('POST', '/check_permissions', { body })).toMatchObject({
      status: 413,
      body: { error: 'The body is too large: at most 16 KiB' },
    })
  })

  test('stops a key that was deleted or made anew at once', async () => {
    await using core = await startCore()
    const body = { name: 'phone', permissions: ['get_info'] }
    const { body: first } = await core.call('POST', '/create_key', { body })
    const old = String(first['key'])
    expect((await core.call('POST', '/get_info', { key: old, body: { url: URL } })).status).toBe(200)
    await core.call('POST', '/create_key', { body })
    expect((await core.call('POST', '/get_info', { key: old, body: { url: URL } })).status).toBe(401)
  })
})

describe('every answer', () => {
  test.each([
    ['GET', '/', 404],
    ['GET', '/nothing/here', 404],
    ['GET', '/get_video', 405],
    ['PUT', '/health', 405],
    ['DELETE', '/status/abcdefgh12345678', 405],
    ['POST', '/files/abcdefgh12345678/video.mp4', 405],
    ['DELETE', '/get_key/admin', 405],
    ['GET', '/status/abcdefgh12345678', 404],
    ['GET', '/status/%ff', 400],
    ['GET', '/files/abcdefgh12345678/video.mp4', 404],
    ['GET', '/files/', 404],
    ['GET', '/files/%ff/x', 404],
    ['GET', '/get_key/nobody', 404],
    ['DELETE', '/delete_key/nobody', 404],
    ['DELETE', '/delete_key/admin', 409],
  ])('%s %s is JSON with an error (%d)', async (method, path, status) => {
    await using core = await startCore()
    const answer = await core.call(method, path)
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    expect(typeof answer.body['error']).toBe('string')
    if ('message' in answer.body) expect(answer.body['message']).toBe(answer.body['error'])
    expect((await core.call('GET', '/get_keys')).body).toHaveProperty('admin')
  })

  test('tells of an unknown task and of another key’s in the same words', async () => {
    await using core = await startCore()
    await core.keys.adopt('other', 'other-value', ['get_info'])
    const { body } = await core.call('POST', '/get_info', { body: { url: URL } })
    const ofAdmin = await core.call('GET', `/status/${String(body['task_id'])}`, { key: 'other-value' })
    const unknown = await core.call('GET', '/status/abcdefgh12345678', { key: 'other-value' })
    expect([ofAdmin.status, ofAdmin.body]).toEqual([unknown.status, unknown.body])
    expect(unknown.body).toEqual({ status: 'error', message: 'Task not found', error: 'Task not found' })
  })
})

describe('the limit of calls', () => {
  test('counts permissioned calls of each key, refused ones too, and no others', async () => {
    await using core = await startCore({ requestLimit: 3 })
    await core.keys.adopt('phone', 'phone-value', ['get_info'])
    const call = (method: string, path: string, body?: unknown) => core.call(method, path, { key: 'phone-value', body })
    for (let n = 0; n < 10; n++) {
      expect((await call('GET', '/status/abcdefgh12345678')).status).toBe(404)
      expect((await call('GET', '/files/abcdefgh12345678/info.json')).status).toBe(404)
      expect((await call('POST', '/check_permissions', { permissions: ['get_info'] })).status).toBe(200)
      expect((await call('GET', '/health')).status).toBe(200)
    }
    expect((await call('POST', '/get_info', { url: URL })).status).toBe(200)
    expect((await call('POST', '/get_info', {})).status).toBe(400)
    expect((await call('POST', '/get_video', {})).status).toBe(403)
    const refused = await call('POST', '/get_info', { url: URL })
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(590)
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(600)
    expect(refused.headers.get('ratelimit-limit')).toBe('3')
    expect(refused.headers.get('ratelimit-remaining')).toBe('0')
    expect((await core.call('POST', '/get_info', { body: { url: URL } })).status).toBe(200)
  })
})

test('permissions are granted to whoever holds all of them', async () => {
  await using core = await startCore()
  await core.keys.adopt('phone', 'phone-value', ['get_info', 'get_video'])
  const check = (permissions: unknown) =>
    core.call('POST', '/check_permissions', { key: 'phone-value', body: { permissions } })
  expect(await check(['get_info', 'get_video'])).toMatchObject({
    status: 200,
    body: { message: 'Permissions granted' },
  })
  expect(await check([])).toMatchObject({ status: 200 })
  for (const more of ['create_key', 'no_such_word']) {
    expect(await check(['get_info', more])).toMatchObject({
      status: 403,
      body: { message: 'Insufficient permissions', error: 'Insufficient permissions' },
    })
  }
  for (const wrong of [undefined, 'get_info', [5], null]) expect((await check(wrong)).status).toBe(400)
})

test('values of keys are not shown where the operator does not want it', async () => {
  await using core = await startCore({ revealKeys: false })
  expect(await core.call('GET', '/get_key/admin')).toMatchObject({ status: 403 })
  const all = await core.call('GET', '/get_keys')
  expect(all.body['admin']).toMatchObject({ key: null, name: 'admin' })
  expect(all.text).not.toContain(core.admin)
})

test('the value of a key is shown to nobody who can do less', async () => {
  await using core = await startCore()
  await core.keys.adopt('looker', 'looker-value', ['get_key', 'get_keys'])
  await core.keys.adopt('lesser', 'lesser-value', ['get_keys'])
  const asked = (path: string, key = 'looker-value') => core.call('GET', path, { key })
  expect(await asked('/get_key/admin')).toMatchObject({ status: 403 })
  expect(await asked('/get_key/looker')).toMatchObject({ status: 200, body: { key: 'looker-value' } })
  expect(await asked('/get_key/lesser')).toMatchObject({ status: 200, body: { key: 'lesser-value' } })
  const { body } = await asked('/get_keys')
  expect(body).toMatchObject({ admin: { key: null, name: 'admin' }, lesser: { key: 'lesser-value' } })
  expect((await asked('/get_keys', core.admin)).body).toMatchObject({ admin: { key: core.admin } })
})
