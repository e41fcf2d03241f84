import { TaskError, type TaskErrorCode } from '../../../src/domain/errors.ts'
import type { Post } from '../../../src/domain/post.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { EMPTY_POST, FULL_POST, image, video } from '../../support/posts.ts'

const PATH = '/api/downloader'
const VIDEO = 'https://youtube.com/watch?v=dQw4w9WgXcQ'
const NOTHING = 'Content not available or failed to process. Please check the URL and try again.'
const UNAVAILABLE = 'Service temporarily unavailable. Please try again later.'
const UNSUPPORTED = 'Unsupported platform. Supported platforms: YouTube, Instagram, TikTok'

let core: CoreServer
let found: Post | TaskErrorCode = FULL_POST
const read = (): Promise<Post> =>
  typeof found === 'string' ? Promise.reject(new TaskError(found, 'as the test wants it')) : Promise.resolve(found)

beforeAll(async () => {
  core = await startCore({}, {}, { read, infoCacheMs: 0 })
  await core.keys.ensureAnonymous()
})
afterAll(() => core[Symbol.asyncDispose]())
beforeEach(() => {
  found = FULL_POST
})

const ask = (body: unknown, more: object = {}) => core.call('POST', PATH, { body, key: null, ...more })

describe('a post', () => {
  test('is answered in the seed’s shape, what a person wants first', async () => {
    const { status, body, headers } = await ask({ url: VIDEO, platform: 'YouTube', unknown: 1 })
    expect(status).toBe(200)
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(body).toEqual({
      success: true,
      platform: 'youtube',
      url: VIDEO,
      data: {
        title: 'A title',
        author: 'An author',
        thumbnail: 'https://i.ytimg.com/vi/abc/hq.jpg',
        media: [
          { type: 'video', url: 'https://r1.googlevideo.com/large', quality: 'hd' },
          { type: 'video', url: 'https://r1.googlevideo.com/small', quality: 'sd' },
          { type: 'image', url: 'https://i.ytimg.com/picture.jpg', quality: 'original' },
          { type: 'video', url: 'https://r1.googlevideo.com/mute', quality: '1080p_video_only' },
          { type: 'audio', url: 'https://r1.googlevideo.com/sound', quality: 'audio_only' },
        ],
      },
    })
  })

  test.each<[what: string, url: string, platform: string]>([
    ['of Instagram', 'https://instagram.com/p/ABC123/', 'instagram'],
    ['of TikTok', 'https://tiktok.com/@user/video/1234567890', 'tiktok'],
    ['with blanks around its address', ' https://youtu.be/dQw4w9WgXcQ ', 'youtube'],
  ])('%s is known by its address', async (_what, url, platform) => {
    expect(await ask({ url })).toMatchObject({ status: 200, body: { platform, url } })
  })

  test('of pictures has them in their order', async () => {
    found = { ...EMPTY_POST, images: [image('https://a.fbcdn.net/1'), image('https://a.fbcdn.net/2')] }
    const { body } = await ask({ url: 'https://www.instagram.com/p/ABC123/' })
    expect(body['data']).toEqual({
      title: '',
      author: '',
      thumbnail: '',
      media: [
        { type: 'image', url: 'https://a.fbcdn.net/1', quality: 'original' },
        { type: 'image', url: 'https://a.fbcdn.net/2', quality: 'original' },
      ],
    })
  })

  test('that stands upright is judged by its shorter side', async () => {
    const upright = { ...EMPTY_POST, videos: [video('https://v.tiktokcdn.com/1', { width: 576, height: 1024 })] }
    found = upright
    const { body } = await ask({ url: 'https://www.tiktok.com/@user/video/1234567890' })
    expect(body['data']).toMatchObject({ media: [{ quality: 'sd' }] })
  })

  test('can be had as links through the daemon', async () => {
    const { body } = await ask({ url: VIDEO, proxy: true })
    const [first] = (body['data'] as { media: { url: string }[] }).media
    const link = new URL(first?.url ?? '')
    expect(link.origin + link.pathname).toBe(`${core.url}/api/media-proxy`)
    expect(Object.fromEntries(link.searchParams)).toMatchObject({
      platform: 'youtube',
      url: 'https://r1.googlevideo.com/large',
      key: 'anonymous',
    })
  })

  test('is answered under the prefix too, whose links have it', async () => {
    const { body } = await core.call('POST', `/compat/picoshot${PATH}`, {
      body: { url: VIDEO, proxy: true },
      key: null,
    })
    const [first] = (body['data'] as { media: { url: string }[] }).media
    expect(first?.url).toMatch(`${core.url}/compat/picoshot/api/media-proxy?platform=youtube`)
  })
})

describe('an error', () => {
  const refused = (platform: string | null, url: string | null, error: string) => ({
    success: false,
    platform,
    url,
    error,
  })

  test.each<[what: string, body: unknown, expected: object]>([
    ['no JSON', '{"url":', refused(null, null, 'Invalid JSON body')],
    ['no object', '"text"', refused(null, null, 'Invalid JSON body')],
    ['nothing', {}, refused(null, null, 'URL is required')],
    ['an empty URL', { url: '  ' }, refused(null, '  ', 'URL is required')],
    ['a URL that is no text', { url: 7, platform: 'tiktok' }, refused('tiktok', null, 'URL is required')],
    ['no URL', { url: 'watch this' }, refused(null, 'watch this', 'Invalid URL format')],
    ['another scheme', { url: 'ftp://youtube.com/x' }, refused(null, 'ftp://youtube.com/x', 'Invalid URL format')],
    ['too long a URL', { url: `${VIDEO}&x=${'x'.repeat(2_100)}` }, refused(null, null, 'Invalid URL format')],
    [
      'another platform',
      { url: VIDEO, platform: 'vimeo' },
      refused('vimeo', VIDEO, 'Invalid platform. Must be one of: youtube, instagram, tiktok'),
    ],
    [
      'a platform that is no text',
      { url: VIDEO, platform: null },
      refused('youtube', VIDEO, 'Invalid platform. Must be one of: youtube, instagram, tiktok'),
    ],
    ['an unknown host', { url: 'https://invalid-url' }, refused(null, 'https://invalid-url', UNSUPPORTED)],
    [
      'a service not served',
      { url: 'https://x.com/a/status/1' },
      refused('twitter', 'https://x.com/a/status/1', UNSUPPORTED),
    ],
  ])('tells of %s with 400', async (_what, body, expected) => {
    const answer = await ask(body)
    expect(answer.body).toEqual(expected)
    expect(answer.status).toBe(400)
  })

  test.each<[what: string, body: Readonly<{ url: string; platform?: string }>, platform: string]>([
    ['the seed’s own example', { url: 'https://invalid-url', platform: 'youtube' }, 'youtube'],
    ['a profile', { url: 'https://www.instagram.com/somebody/' }, 'instagram'],
    ['a playlist', { url: 'https://www.youtube.com/playlist?list=PL0123456789' }, 'youtube'],
    ['another platform than was named', { url: VIDEO, platform: 'tiktok' }, 'tiktok'],
  ])('tells of %s with 422', async (_what, body, platform) => {
    const answer = await ask(body)
    expect(answer.body).toEqual(refused(platform, body.url, NOTHING))
    expect(answer.status).toBe(422)
  })

  test.each<TaskErrorCode>([
    'private',
    'not_found',
    'login_required',
    'geo_blocked',
    'no_media',
    'timeout',
    'unknown',
    'network',
  ])('of the site, %s, is 422', async (code) => {
    found = code
    expect(await ask({ url: VIDEO })).toMatchObject({ status: 422, body: refused('youtube', VIDEO, NOTHING) })
  })

  test('is 422 where there is nothing in the post', async () => {
    found = EMPTY_POST
    expect(await ask({ url: VIDEO })).toMatchObject({ status: 422, body: refused('youtube', VIDEO, NOTHING) })
  })

  test.each<TaskErrorCode>(['dependency_missing', 'crashed', 'no_space'])('of ours, %s, is 500', async (code) => {
    found = code
    expect(await ask({ url: VIDEO })).toMatchObject({ status: 500, body: refused('youtube', VIDEO, UNAVAILABLE) })
  })

  test('has the same shape for other methods, other paths and bodies that are too large', async () => {
    const get = await core.call('GET', PATH, { key: null })
    expect(get).toMatchObject({ status: 405, body: refused(null, null, 'Method not allowed') })
    expect(get.headers.get('allow')).toBe('POST')
    const lost = await core.call('POST', '/compat/picoshot/nothing', { key: null })
    expect(lost).toMatchObject({ status: 404, body: refused(null, null, 'Not found') })
    const large = await ask({ url: 'x'.repeat(1_100_000) })
    expect(large).toMatchObject({ status: 413, body: { success: false, url: null } })
    const form = await ask('url=x', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })
    expect(form).toMatchObject({ status: 400, body: refused(null, null, 'Invalid JSON body') })
  })
})

test('a preflight is answered without a key', async () => {
  const { status, headers } = await core.call('OPTIONS', PATH, { key: null })
  expect(status).toBe(204)
  expect(headers.get('access-control-allow-origin')).toBe('*')
  expect(headers.get('access-control-allow-methods')).toMatch('POST')
  expect(headers.get('access-control-allow-headers')).toMatch('Content-Type')
})

test('thirty calls a minute come through from one address', async () => {
  await using limited = await startCore({ picoshotLimit: 3 }, {}, { read })
  await limited.keys.ensureAnonymous()
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => limited.call('POST', PATH, { body: { url: VIDEO }, key: null })),
  )
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 429])
  const refused = answers.find(({ status }) => status === 429)
  expect(refused?.body['error']).toBe('Too many requests. Please try again later.')
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
})

describe('without a key', () => {
  test('nobody comes in where others than this machine can reach the daemon', async () => {
    await using open = await startCore({ isLocalOnly: false }, {}, { read })
    await open.keys.ensureAnonymous()
    const body = { url: VIDEO }
    const without = await open.call('POST', PATH, { body, key: null })
    expect(without).toMatchObject({ status: 401, body: { success: false, platform: null, url: null } })
    expect(await open.call('POST', PATH, { body })).toMatchObject({ status: 200 })
    const bearer = { Authorization: `Bearer ${open.admin}` }
    expect(await open.call('POST', PATH, { body, key: null, headers: bearer })).toMatchObject({ status: 200 })
  })

  test('nobody comes in through a proxy that the daemon was not told of, or by a foreign name', async () => {
    for (const headers of [{ 'X-Forwarded-For': '203.0.113.7' }, { Host: 'rebound.example' }])
      expect(await ask({ url: VIDEO }, { headers })).toMatchObject({ status: 401 })
  })

  test('everybody comes in where the operator says so, while the key anonymous may', async () => {
    await using open = await startCore({ isLocalOnly: false, anonymousAccess: ['picoshot'] }, {}, { read })
    await open.keys.ensureAnonymous()
    const call = () => open.call('POST', PATH, { body: { url: VIDEO }, key: null })
    expect(await call()).toMatchObject({ status: 200 })
    await open.call('PATCH', '/v1/keys/anonymous', { body: { permissions: [] } })
    expect(await call()).toMatchObject({ status: 403 })
    await open.call('POST', '/v1/keys/anonymous/disable')
    expect(await call()).toMatchObject({ status: 401 })
  })

  test('a wrong key is not taken for none', async () => {
    expect(await ask({ url: VIDEO }, { key: 'wrong' })).toMatchObject({ status: 401, body: { success: false } })
  })
})
