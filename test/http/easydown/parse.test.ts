import { sql } from 'kysely'
import { CreditHolds } from '../../../src/db/credit-holds.ts'
import { TaskError, type TaskErrorCode } from '../../../src/domain/errors.ts'
import type { Post } from '../../../src/domain/post.ts'
import type { PostsOptions } from '../../../src/tasks/posts.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { EMPTY_POST, FULL_POST } from '../../support/posts.ts'
import { waitFor } from '../../support/wait-for.ts'

const PATH = '/api/v1/parse'
const VIDEO = 'https://www.youtube.com/watch?v=dQw4w9WgXcQ'
const COUNTED = { isCounted: () => true }
const REEL = 'https://www.instagram.com/reel/C0abcdefghi/'

let core: CoreServer
let found: Post | TaskErrorCode | Promise<Post> | 'never' = FULL_POST
let reads = 0
const read: PostsOptions['read'] = async (_url, { signal }) => {
  reads++
  if (found === 'never')
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  if (typeof found === 'string') throw new TaskError(found, 'as the test wants it')
  return found
}

beforeAll(async () => {
  core = await startCore({}, {}, { read, infoCacheMs: 0 })
})
afterAll(() => core[Symbol.asyncDispose]())
beforeEach(() => {
  found = FULL_POST
  reads = 0
})

let made = 0
async function makeKey(terms: object = {}, on = core): Promise<Readonly<{ id: string; value: string }>> {
  const body = { name: `client-${++made}`, permissions: ['parse'], ...terms }
  const answer = await on.call('POST', '/v1/keys', { body })
  return answer.body as { id: string; value: string }
}

const bearer = (value: string) => ({ Authorization: `Bearer ${value}` })
const ask = (url: unknown, value: string = core.admin, more: object = {}, on = core) =>
  on.call('POST', PATH, { body: { url, ...more }, key: null, headers: bearer(value) })
const creditsOf = async (id: string) => (await core.call('GET', `/v1/keys/${id}`)).body['credits']

describe('a post', () => {
  test('is answered in the seed’s shape, with exactly its keys', async () => {
    const { status, body, headers } = await ask(VIDEO)
    expect(status).toBe(200)
    expect(body).toEqual({
      status: 200,
      data: {
        platform: 'youtube',
        title: 'A title',
        thumbnail: 'https://i.ytimg.com/vi/abc/hq.jpg',
        duration: 12.5,
        images: [{ url: 'https://i.ytimg.com/picture.jpg', width: 1080, height: 1350 }],
        videos: [
          {
            url: 'https://r1.googlevideo.com/mute',
            quality: '1080p',
            mimeType: 'video/mp4',
            width: 1920,
            height: 1080,
            hasAudio: false,
            source: 'direct',
          },
          expect.objectContaining({ url: 'https://r1.googlevideo.com/small', quality: '360p' }),
          expect.objectContaining({ url: 'https://r1.googlevideo.com/large', hasAudio: true }),
        ],
        audios: [
          {
            url: 'https://r1.googlevideo.com/sound',
            quality: '128kbps',
            mimeType: 'audio/mp4',
            bitrate: 128_000,
            source: 'adaptive',
          },
        ],
      },
      msg: 'success',
    })
    expect(headers.get('x-easydown-cache')).toBe('MISS')
    expect(headers.get('x-credits-charged')).toBe('0')
    expect(headers.get('x-credits-remaining')).toBeNull()
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(headers.get('access-control-expose-headers')).toMatch('X-Credits-Remaining')
  })

  test('is found in a text that was shared, and in an address without its scheme', async () => {
    const shared = '看看这个视频 https://www.bilibili.com/video/BV1xx411c7mD 复制打开'
    expect(await ask(shared)).toMatchObject({ body: { data: { platform: 'bilibili' } } })
    expect(await ask('youtu.be/dQw4w9WgXcQ')).toMatchObject({ body: { data: { platform: 'youtube' } } })
  })

  test('names the headers of its hosts where the operator wants that', async () => {
    await using other = await startCore({ easydownHeaders: true }, {}, { read })
    const { body } = await ask(VIDEO, other.admin, {}, other)
    expect(body['data']).toMatchObject({ videos: [{ headers: { Referer: 'https://www.youtube.com/' } }, {}, {}] })
  })

  test('can be had as links through the daemon', async () => {
    const { body } = await ask(VIDEO, core.admin, { proxy: true })
    const { videos, audios, images } = body['data'] as Record<string, { url: string }[]>
    for (const { url } of [...(videos ?? []), ...(audios ?? []), ...(images ?? [])])
      expect(url).toMatch(`${core.url}/api/media-proxy?platform=youtube&url=https%3A%2F%2F`)
  })

  test('is a hit the second time, and is charged all the same', async () => {
    await using cached = await startCore({}, {}, { read })
    const { value } = await makeKey({ credits: 5 }, cached)
    const first = await ask(VIDEO, value, {}, cached)
    const second = await ask(VIDEO, value, {}, cached)
    expect([first, second].map(({ headers }) => headers.get('x-easydown-cache'))).toEqual(['MISS', 'HIT'])
    expect([first, second].map(({ headers }) => headers.get('x-credits-remaining'))).toEqual(['4', '3'])
    expect([first, second].map(({ headers }) => headers.get('x-credits-charged'))).toEqual(['1', '1'])
    expect(reads).toBe(1)
  })
})

describe('an error', () => {
  const fault = (status: number, code: string | number, msg: string) => ({ status, data: null, msg, code })

  test.each([
    ['no header', {}, 'missing_token'],
    ['another kind of header', { 'X-API-Key': 'test' }, 'missing_token'],
    ['another scheme', { Authorization: 'Basic dGVzdA==' }, 'missing_token'],
    ['an unknown token', bearer('ed_live_unknown'), 'invalid_token'],
  ])('for %s is 401', async (_what, headers, code) => {
    const answer = await core.call('POST', PATH, { body: { url: VIDEO }, key: null, headers })
    expect(answer).toMatchObject({ status: 401, body: fault(401, code, 'Unauthorized') })
  })

  test('for a token that has expired says so, and the same token works again once the key was edited', async () => {
    const { id, value } = await makeKey({ expires_at: new Date(Date.now() + 150).toISOString() })
    await waitFor('the key to expire', async () => (await ask(VIDEO, value)).status === 401)
    expect((await ask(VIDEO, value)).body).toEqual(fault(401, 'token_expired', 'Unauthorized'))
    await core.call('PATCH', `/v1/keys/${id}`, { body: { expires_at: null } })
    expect(await ask(VIDEO, value)).toMatchObject({ status: 200 })
  })

  test('for a key that is limited to other platforms is 403', async () => {
    const { id, value } = await makeKey({ limits: { sites: ['instagram.com', 'x.com'] } })
    expect(await ask(VIDEO, value)).toMatchObject({
      status: 403,
      body: fault(403, 'platform_not_allowed', 'Platform not allowed'),
    })
    expect(await ask(REEL, value)).toMatchObject({ status: 200 })
    expect(await ask('https://twitter.com/a/status/123', value)).toMatchObject({ status: 200 })
    const rotated = await core.call('POST', `/v1/keys/${id}/rotate`, { body: {} })
    expect(await ask(REEL, value)).toMatchObject({ status: 401 })
    const fresh = String(rotated.body['value'])
    expect(await ask(REEL, fresh)).toMatchObject({ status: 200 })
    expect(await ask(VIDEO, fresh)).toMatchObject({ status: 403 })
    await core.call('PATCH', `/v1/keys/${id}`, { body: { limits: null } })
    expect(await ask(VIDEO, fresh)).toMatchObject({ status: 200 })
  })

  test('for a key without the permission is 403', async () => {
    const { value } = await makeKey({ permissions: ['get_video'] })
    expect(await ask(VIDEO, value)).toMatchObject({
      status: 403,
      body: fault(403, 'forbidden', 'Insufficient permissions'),
    })
  })

  test('for a key without credits is 402, and nothing is read', async () => {
    const { value } = await makeKey({ credits: 0 })
    expect(await ask(VIDEO, value)).toMatchObject({
      status: 402,
      body: fault(402, 'insufficient_credits', 'Insufficient credits'),
    })
    expect(reads).toBe(0)
  })

  test.each<[what: string, url: unknown]>([
    ['no address', 'nothing to see here'],
    ['nothing', undefined],
    ['an empty text', ''],
    ['a number', 7],
    ['too long a text', 'x'.repeat(5_000)],
    ['an unknown site', 'https://example.com/video/1'],
    ['a profile', 'https://www.instagram.com/somebody/'],
    ['a playlist', 'https://www.youtube.com/playlist?list=PL0123456789'],
    ['stories', 'https://www.instagram.com/stories/somebody/123/'],
  ])('for %s is 302 by HTTP 400', async (_what, url) => {
    const { status, body } = await ask(url)
    expect(body).toEqual(fault(302, 302, 'Unsupported URL'))
    expect(status).toBe(400)
  })

  test('for a body that is no JSON is 302, too', async () => {
    const headers = bearer(core.admin)
    for (const body of ['{"url":', '[1]', '"text"']) {
      const answer = await core.call('POST', PATH, { body, key: null, headers })
      expect(answer).toMatchObject({ status: 400, body: fault(302, 302, 'Unsupported URL') })
    }
  })

  test.each<TaskErrorCode>([
    'private',
    'not_found',
    'login_required',
    'geo_blocked',
    'drm',
    'no_media',
    'timeout',
    'unknown',
  ])('of the site, %s, is 304 by HTTP 200', async (code) => {
    found = code
    const { status, body } = await ask(VIDEO)
    expect(body).toEqual(fault(304, 304, 'No downloadable media'))
    expect(status).toBe(200)
  })

  test('is 304 where there is nothing in the post', async () => {
    found = EMPTY_POST
    expect(await ask(VIDEO)).toMatchObject({ status: 200, body: fault(304, 304, 'No downloadable media') })
  })

  test('of ours is 500', async () => {
    found = 'dependency_missing'
    expect(await ask(VIDEO)).toMatchObject({
      status: 500,
      body: fault(500, 'internal_error', 'Internal server error'),
    })
  })

  test('of a key that calls too often is 429', async () => {
    const { value } = await makeKey({ limits: { requests_per_minute: 1 } })
    await ask(VIDEO, value)
    const { status, body, headers } = await ask(VIDEO, value)
    expect({ status, body }).toEqual({ status: 429, body: fault(429, 'rate_limited', 'Too many requests') })
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  })

  test('has the same shape for other methods and other paths', async () => {
    const get = await core.call('GET', PATH, { key: null })
    expect(get).toMatchObject({ status: 405, body: fault(405, 'method_not_allowed', 'Method not allowed') })
    expect(get.headers.get('allow')).toBe('POST')
    const lost = await core.call('GET', '/compat/easydown/api/v1/nothing', { key: null })
    expect(lost).toMatchObject({ status: 404, body: fault(404, 'route_not_found', 'Not found') })
    const large = await ask('x'.repeat(1_100_000))
    expect(large).toMatchObject({ status: 413, body: { status: 413, data: null, code: 'body_too_large' } })
  })
})

describe('credits', () => {
  test('are taken for what brings something, and for nothing else', async () => {
    const { id, value } = await makeKey({ credits: 3 })
    const { headers } = await ask(VIDEO, value)
    expect(headers.get('x-credits-charged')).toBe('1')
    expect(headers.get('x-credits-remaining')).toBe('2')
    for (const code of ['private', 'no_media', 'dependency_missing'] as const) {
      found = code
      expect((await ask(VIDEO, value)).headers.get('x-credits-charged')).toBeNull()
    }
    found = EMPTY_POST
    await ask(VIDEO, value)
    await ask('https://example.com/', value)
    expect(await creditsOf(id)).toBe(2)
  })

  test('cannot be overdrawn by calls at the same time', async () => {
    const { id, value } = await makeKey({ credits: 3 })
    const { promise, resolve } = Promise.withResolvers<Post>()
    found = promise
    const calls = Array.from({ length: 8 }, (_, index) => ask(`https://youtu.be/AAAAAAAAAA${index}`, value))
    const refused = Promise.all(calls.map(async (call) => (await call).status))
    await waitFor('a credit to be held', async () => (await creditsOf(id)) === 0)
    resolve(FULL_POST)
    expect((await refused).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 402, 402, 402, 402, 402])
    expect(await creditsOf(id)).toBe(0)
  })

  test('come back when the client leaves before there is an answer', async () => {
    const { id, value } = await makeKey({ credits: 1 })
    found = 'never'
    const gone = new AbortController()
    const call = fetch(`${core.url}${PATH}`, {
      method: 'POST',
      headers: { ...bearer(value), 'Content-Type': 'application/json' },
      body: JSON.stringify({ url: VIDEO }),
      signal: gone.signal,
    })
    await waitFor('a credit to be held', async () => (await creditsOf(id)) === 0)
    gone.abort()
    await expect(call).rejects.toThrow()
    await waitFor('the credit to come back', async () => (await creditsOf(id)) === 1)
  })

  test('that a daemon held when it died come back with the next, once', async () => {
    const { id } = await makeKey({ credits: 4 })
    const { db } = core.rig.ground.store
    const holds = await CreditHolds.open(db, COUNTED)
    const [spent, , ,] = [await holds.hold(id), await holds.hold(id), await holds.hold(id)]
    await spent?.spend()
    expect(await creditsOf(id)).toBe(1)
    await CreditHolds.open(db, COUNTED)
    await CreditHolds.open(db, COUNTED)
    expect(await creditsOf(id)).toBe(3)
  })

  test('are neither given back twice nor after they were spent', async () => {
    const { id } = await makeKey({ credits: 2 })
    const { db } = core.rig.ground.store
    const holds = await CreditHolds.open(db, COUNTED)
    const [first, second] = [await holds.hold(id), await holds.hold(id)]
    await first?.release()
    await first?.release()
    await second?.spend()
    await second?.release()
    expect(await creditsOf(id)).toBe(1)
    const left = await sql<{ n: number }>`select count(*) as n from credit_hold`.execute(db)
    expect(left.rows[0]?.n).toBe(0)
  })

  test('that were held while they counted bring none back once they count anew', async () => {
    const { id } = await makeKey({ credits: 2 })
    const holds = await CreditHolds.open(core.rig.ground.store.db, COUNTED)
    const hold = await holds.hold(id)
    await core.call('PATCH', `/v1/keys/${id}`, { body: { credits: null } })
    await core.call('PATCH', `/v1/keys/${id}`, { body: { credits: 10 } })
    await hold?.release()
    expect(await creditsOf(id)).toBe(10)
  })
})

test('what can be read is told without a key', async () => {
  const { status, body } = await core.call('GET', '/api/v1/capabilities', { key: null })
  expect(status).toBe(200)
  const { commonEndpoint, platforms } = body['data'] as { commonEndpoint: string; platforms: { id: string }[] }
  expect(commonEndpoint).toBe(PATH)
  expect(platforms.map(({ id }) => id)).toHaveLength(9)
  const under = await core.call('GET', '/compat/easydown/api/v1/capabilities', { key: null })
  expect(under.body['data']).toMatchObject({ commonEndpoint: '/compat/easydown/api/v1/parse' })
})
