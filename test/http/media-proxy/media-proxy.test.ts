import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { waitFor } from '../../support/wait-for.ts'

const PATH = '/api/media-proxy'
const MEDIUM = Buffer.from('0123456789'.repeat(10))

let core: CoreServer
let server: http.Server
let origin: string
/** What the host was asked with last. */
let seen: http.IncomingHttpHeaders = {}
let open = 0
let asked = 0

const pages: Readonly<Record<string, (req: IncomingMessage, res: ServerResponse) => void>> = {
  '/video.mp4': (req, res) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(req.headers.range ?? '') ?? []
    if (from === undefined || to === undefined)
      return res.writeHead(200, { 'Content-Type': 'video/mp4', 'Content-Length': MEDIUM.length }).end(MEDIUM)
    const part = MEDIUM.subarray(Number(from), Number(to) + 1)
    const range = `bytes ${from}-${to}/${MEDIUM.length}`
    return res.writeHead(206, { 'Content-Type': 'video/mp4', 'Content-Range': range }).end(part)
  },
  '/page': (_req, res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end('<script>alert(1)</script>'),
  '/drawing.svg': (_req, res) => res.writeHead(200, { 'Content-Type': 'image/svg+xml' }).end('<svg/>'),
  '/bytes': (_req, res) => res.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end('x'),
  '/forbidden': (_req, res) => res.writeHead(403, { 'Content-Type': 'text/plain' }).end('no'),
  '/moved': (_req, res) => res.writeHead(302, { Location: '/video.mp4' }).end(),
  '/loop': (_req, res) => res.writeHead(302, { Location: '/loop' }).end(),
  '/off-list': (_req, res) => res.writeHead(302, { Location: origin.replace('127.0.0.1', 'localhost') }).end(),
  '/inside': (_req, res) => res.writeHead(302, { Location: 'http://169.254.169.254/latest/meta-data' }).end(),
  '/to-file': (_req, res) => res.writeHead(302, { Location: 'file:///etc/passwd' }).end(),
  '/credentials': (_req, res) => res.writeHead(302, { Location: origin.replace('//', '//user:password@') }).end(),
  '/endless': (_req, res) => {
    open++
    res.on('close', () => open--)
    res.writeHead(200, { 'Content-Type': 'video/mp4' })
    const piece = Buffer.alloc(65_536)
    const more = () => {
      while (!res.destroyed && res.write(piece));
    }
    res.on('drain', more)
    more()
  },
}

beforeAll(async () => {
  server = http.createServer((req, res) => {
    asked++
    seen = req.headers
    const page = pages[req.url ?? '']
    if (page) page(req, res)
    else res.writeHead(404).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  core = await startCore({ mediaProxyStreams: 2, maxMediaBytes: 8 * 2 ** 20 })
  await core.keys.ensureAnonymous()
})
afterAll(async () => {
  await core[Symbol.asyncDispose]()
  server.closeAllConnections()
  server.close()
})

const pathTo = (page: string, platform = 'instagram') =>
  `${PATH}?${new URLSearchParams({ platform, url: page.startsWith('/') ? origin + page : page }).toString()}`
const get = (page: string, more: object = {}) => core.call('GET', pathTo(page), { key: null, ...more })

describe('a medium', () => {
  test('is passed on with the headers that its host wants', async () => {
    const { status, text, headers } = await get('/video.mp4', { headers: { Cookie: 'a=b', Authorization: '' } })
    expect([status, text]).toEqual([200, MEDIUM.toString()])
    expect(seen).toMatchObject({
      referer: 'https://www.instagram.com/',
      'user-agent': 'Mozilla/5.0 AppleWebKit/537.36 Chrome/120 Safari/537.36',
    })
    expect(seen.cookie).toBeUndefined()
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'video/mp4',
      'content-length': '100',
      'accept-ranges': 'bytes',
      'cache-control': 'private, max-age=300',
      'x-content-type-options': 'nosniff',
    })
    expect(headers.get('content-security-policy')).toMatch('sandbox')
    expect(headers.get('content-disposition')).toBeNull()
  })

  test('is passed on in the part that is asked for', async () => {
    const { status, text, headers } = await get('/video.mp4', { headers: { Range: 'bytes=5-9' } })
    expect([status, text]).toEqual([206, '56789'])
    expect(headers.get('content-range')).toBe('bytes 5-9/100')
    expect(seen.range).toBe('bytes=5-9')
  })

  test('can be asked for its head', async () => {
    const { status, headers, text } = await core.call('HEAD', pathTo('/video.mp4'), { key: null })
    expect([status, headers.get('content-length'), text]).toEqual([200, '100', ''])
  })

  test('is passed on from where its host sends on to, on the list', async () => {
    expect(await get('/moved')).toMatchObject({ status: 200, text: MEDIUM.toString() })
  })

  test('of no particular type is a download', async () => {
    expect((await get('/bytes')).headers.get('content-disposition')).toBe('attachment')
  })

  test('is let go at its host when the client leaves', async () => {
    const gone = new AbortController()
    const answer = await fetch(core.url + pathTo('/endless'), { signal: gone.signal })
    expect(answer.status).toBe(200)
    expect(open).toBe(1)
    gone.abort()
    await waitFor('the host to be let go', () => open === 0)
  })

  test('waits at its host for a client that reads nothing', async () => {
    const before = process.memoryUsage().arrayBuffers
    const request = http.get(core.url + pathTo('/endless'))
    const [answer] = (await once(request, 'response')) as [IncomingMessage]
    answer.pause()
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 2 ** 20)
    request.destroy()
    await waitFor('the host to be let go', () => open === 0)
  })

  test('larger than may be is cut off', async () => {
    const answer = await fetch(core.url + pathTo('/endless'))
    await expect(answer.arrayBuffer()).rejects.toThrow()
    await waitFor('the host to be let go', () => open === 0)
  })
})

describe('a call is refused', () => {
  test.each<[what: string, path: string]>([
    ['nothing', PATH],
    ['no platform', `${PATH}?url=https%3A%2F%2Fa.fbcdn.net%2F1`],
    ['no url', `${PATH}?platform=instagram`],
    ['an unknown platform', `${PATH}?platform=vimeo&url=https%3A%2F%2Fa.fbcdn.net%2F1`],
    ['two urls', `${PATH}?platform=instagram&url=https%3A%2F%2Fa.fbcdn.net%2F1&url=x`],
  ])('with %s', async (_what, path) => {
    expect(await core.call('GET', path, { key: null })).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    })
  })

  test.each([
    'https://example.com/video.mp4',
    'https://fbcdn.net.example.com/1',
    'https://evilfbcdn.net/1',
    'https://user:password@a.fbcdn.net/1',
    'http://localhost/1',
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]/',
    'http://2130706434/',
    'file:///etc/passwd',
    'data:video/mp4;base64,AAAA',
    'https://a.fbcdn.net@127.0.0.2/',
    'https://r1.googlevideo.com/of-another-service',
    'not an address',
  ])('for %s, and no host is asked', async (url) => {
    const before = asked
    expect(await get(url)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
    expect(asked).toBe(before)
  })

  test.each<[page: string, status: number]>([
    ['/forbidden', 403],
    ['/missing', 404],
    ['/page', 200],
    ['/drawing.svg', 200],
    ['/off-list', 0],
    ['/inside', 0],
    ['/to-file', 0],
    ['/credentials', 0],
    ['/loop', 0],
  ])('where the host answers with %s', async (page, status) => {
    const answer = await get(page)
    expect(answer).toMatchObject({ status: 502, body: { error: 'download_failed', status } })
  })

  test('with the methods it does not have, and answers preflights', async () => {
    const { status, body, headers } = await core.call('POST', PATH, { key: null })
    expect({ status, body }).toEqual({ status: 405, body: { error: 'method_not_allowed' } })
    expect(headers.get('allow')).toBe('GET')
    expect((await core.call('OPTIONS', PATH, { key: null })).status).toBe(204)
  })

  test('beyond the streams that a key may have at a time', async () => {
    const gone = new AbortController()
    const streams = [1, 2].map(() => fetch(core.url + pathTo('/endless'), { signal: gone.signal }))
    await Promise.all(streams)
    expect(await get('/video.mp4')).toMatchObject({ status: 429, body: { error: 'limit_exceeded' } })
    gone.abort()
    await waitFor('room for one more', async () => (await get('/video.mp4')).status === 200)
  })
})

describe('from elsewhere', () => {
  let far: CoreServer
  beforeAll(async () => {
    far = await startCore({ isLocalOnly: false })
    await far.keys.ensureAnonymous()
  })
  afterAll(() => far[Symbol.asyncDispose]())

  test('it takes a key that may parse', async () => {
    const ask = (key: string | null, headers = {}) => far.call('GET', pathTo('/video.mp4'), { key, headers })
    expect(await ask(null)).toMatchObject({ status: 401, body: { error: 'key_missing' } })
    expect(await ask(far.admin)).toMatchObject({ status: 200 })
    expect(await ask(null, { Authorization: `Bearer ${far.admin}` })).toMatchObject({ status: 200 })
    const { body } = await far.call('POST', '/v1/keys', { body: { name: 'other', permissions: ['get_video'] } })
    expect(await ask(String(body['value']))).toMatchObject({ status: 403, body: { error: 'forbidden' } })
  })

  test('or a link that a key signed, for that medium, for as long as the key works', async () => {
    const { proxyLinks } = await import('../../../src/http/media-proxy/links.ts')
    const { body } = await far.call('POST', '/v1/keys', { body: { name: 'signer', permissions: ['parse'] } })
    const key = far.keys.requireId(String(body['id']))
    const req = { baseUrl: '', protocol: 'http', get: () => new URL(far.url).host } as never
    const link = proxyLinks(far.ctx, key, req)
    const medium = { platform: 'instagram', url: `${origin}/video.mp4` } as const
    const ask = (url: string) => far.call('GET', url.slice(far.url.length), { key: null })

    const good = link(medium, null)
    expect(await ask(good)).toMatchObject({ status: 200, text: MEDIUM.toString() })
    for (const bad of [
      good.replace('video.mp4', 'bytes'),
      good.replace('platform=instagram', 'platform=tiktok'),
      good.replace(/expires=\d+/, 'expires=9999999999'),
      good.replace(key.id, 'anonymous'),
      good.slice(0, -1),
      link(medium, Date.now() - 5_000),
    ])
      expect(await ask(bad)).toMatchObject({ status: 401, body: { error: 'key_invalid' } })
    await far.call('POST', `/v1/keys/${key.id}/disable`)
    expect(await ask(good)).toMatchObject({ status: 401 })
  })
})
