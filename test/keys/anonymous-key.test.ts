import { startCore, type CoreServer } from '../support/core-server.ts'

describe('the key for calls without a key', () => {
  let core: CoreServer
  beforeAll(async () => {
    core = await startCore()
    await core.keys.ensureAnonymous()
  })
  afterAll(() => core[Symbol.asyncDispose]())

  test('is there once, in the list, and has no value that could be shown or used', async () => {
    await core.keys.ensureAnonymous()
    const { items } = (await core.call('GET', '/v1/keys')).body as { items: { id: string; name: string }[] }
    expect(items.filter(({ id }) => id === 'anonymous')).toHaveLength(1)
    expect((await core.call('GET', '/get_keys')).body['anonymous']).toMatchObject({ key: null })
    expect((await core.call('GET', '/get_key/anonymous')).status).toBe(409)
    for (const key of ['none', 'anonymous', ' ']) expect((await core.call('GET', '/v1/me', { key })).status).toBe(401)
  })

  test('can be limited, given credits, switched off and on', async () => {
    const edit = (body: object) => core.call('PATCH', '/v1/keys/anonymous', { body })
    const limits = { requests_per_minute: 5, max_running: 1 }
    expect(await edit({ permissions: ['parse'], limits, credits: 10 })).toMatchObject({
      status: 200,
      body: { permissions: ['parse'], limits, credits: 10 },
    })
    await core.call('POST', '/v1/keys/anonymous/disable')
    expect(core.keys.anonymous()).toBeNull()
    await core.call('POST', '/v1/keys/anonymous/enable')
    expect(core.keys.anonymous()).toMatchObject({ id: 'anonymous', limits: { maxRunning: 1 } })
  })

  test('can neither get a value nor manage anything', async () => {
    const refusals = [
      await core.call('POST', '/v1/keys/anonymous/rotate', { body: {} }),
      await core.call('POST', '/create_key', { body: { name: 'anonymous', permissions: [] } }),
      await core.call('PATCH', '/v1/keys/anonymous', { body: { permissions: ['create_key'] } }),
      await core.call('PATCH', '/v1/keys/anonymous', { body: { permissions: ['set_cookies'] } }),
    ]
    expect(refusals.map(({ status }) => status)).toEqual([409, 409, 409, 409])
  })

  test('leaves a key alone that somebody had called the same', async () => {
    await using other = await startCore()
    const { body } = await other.call('POST', '/v1/keys', { body: { name: 'anonymous', permissions: ['get_video'] } })
    await other.keys.ensureAnonymous()
    expect((await other.call('GET', '/v1/me', { key: String(body['value']) })).status).toBe(200)
    expect(other.keys.anonymous()).toMatchObject({ id: 'anonymous', name: 'anonymous-built-in' })
  })
})
