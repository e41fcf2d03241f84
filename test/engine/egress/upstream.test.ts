import path from 'node:path'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { createServer } from 'node:tls'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { EgressError, type Egress } from '../../../src/engine/egress/index.ts'
import { parseUpstream } from '../../../src/engine/egress/upstream.ts'
import { getCertificate } from '../../sim/certs.ts'
import { defaultCacheDir } from '../../sim/index.ts'
import { startSocks } from './socks-server.ts'
import { ask, connectThrough, openLane, startEgress, startServer, startTcp } from './support.ts'

/** Another proxy, which knows the name `far.test` and answers to `proxyUrl`. */
async function startFarProxy() {
  const egress = await startEgress({ allow: ['far.test'], names: { 'far.test': ['127.0.0.1'] } })
  const lane = openLane(egress)
  return { lane, url: new URL(lane.proxyUrl), [Symbol.asyncDispose]: () => egress[Symbol.asyncDispose]() }
}

const startOrigin = () => startServer((request, response) => response.end(`${request.method} ${request.url}`))

async function speakThrough(egress: Egress, authority: string): Promise<string> {
  using lane = openLane(egress)
  const { socket, head } = await connectThrough(lane, authority)
  return head.startsWith('HTTP/1.1 200') ? await text(socket) : head
}

describe('an http upstream', () => {
  test('gets plain requests in absolute form and tunnels by CONNECT, with its credentials', async () => {
    await using origin = await startOrigin()
    await using talker = await startTcp((socket) => socket.end('hello'))
    await using far = await startFarProxy()
    await using egress = await startEgress({ upstream: far.url.href })
    using lane = openLane(egress)
    const answer = await ask(lane, `http://far.test:${origin.port}/a?b`)
    expect(answer).toMatchObject({ status: 200, body: 'GET /a?b' })
    expect(await speakThrough(egress, `far.test:${talker.port}`)).toBe('hello')
    expect(far.lane.hosts).toEqual(new Set(['far.test']))
  })

  test('does not carry what the operator opened, and is not asked about what is local', async () => {
    await using origin = await startOrigin()
    await using far = await startFarProxy()
    await using egress = await startEgress({ upstream: far.url.href, allow: ['media.test', '127.0.0.8'] })
    using lane = openLane(egress)
    expect((await ask(lane, `http://media.test:${origin.port}/`)).status).toBe(200)
    for (const host of ['127.0.0.1', '127.1', 'localhost', 'a.localhost', '[::1]', 'printer.local', 'nas']) {
      expect((await ask(lane, `http://${host}:${origin.port}/`)).status).toBe(403)
    }
    expect((await ask(lane, `http://127.0.0.1:${far.url.port}/`)).status).toBe(403)
    await using eighth = await startServer((_, response) => response.end('direct'), '127.0.0.8')
    expect((await ask(lane, `http://127.0.0.8:${eighth.port}/`)).body).toBe('direct')
    expect(far.lane.hosts.size).toBe(0)
  })

  test('that refuses or is not there makes 502', async () => {
    await using far = await startFarProxy()
    await using wrong = await startEgress({ upstream: `http://a:b@127.0.0.1:${far.url.port}` })
    expect(await speakThrough(wrong, 'far.test:443')).toMatch(/^HTTP\/1\.1 502/)
    await far[Symbol.asyncDispose]()
    await using gone = await startEgress({ upstream: far.url.href })
    using lane = openLane(gone)
    expect((await ask(lane, 'http://far.test/')).status).toBe(502)
    expect(await speakThrough(gone, 'far.test:443')).toMatch(/^HTTP\/1\.1 502/)
  })
})

test('an https upstream is trusted by the certificates of caFile only', async () => {
  await using origin = await startOrigin()
  await using talker = await startTcp((socket) => socket.end('hello'))
  await using far = await startFarProxy()
  const { key, cert, caFile } = await getCertificate(path.join(defaultCacheDir(), 'certs'), ['IP:127.0.0.1'])
  const server = createServer({ key, cert }, (socket) => {
    const plain = connect({ port: Number(far.url.port), host: '127.0.0.1' })
    plain.on('error', () => socket.destroy())
    socket.on('error', () => plain.destroy())
    socket.pipe(plain).pipe(socket)
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(far.url.href.replace('http:', 'https:'))
  url.port = String((server.address() as AddressInfo).port)
  {
    await using egress = await startEgress({ upstream: url.href, caFile })
    using lane = openLane(egress)
    expect(egress.ca).toBe(await readFile(caFile, 'utf8'))
    expect((await ask(lane, `http://far.test:${origin.port}/`)).body).toBe('GET /')
    expect(await speakThrough(egress, `far.test:${talker.port}`)).toBe('hello')
    await using distrusting = await startEgress({ upstream: url.href })
    expect(await speakThrough(distrusting, `far.test:${talker.port}`)).toMatch(/^HTTP\/1\.1 502/)
  }
  server.close()
  await once(server, 'close')
})

describe('a SOCKS upstream', () => {
  test.each(['socks5', 'socks5h'])(
    'carries plain requests and tunnels, and resolves names itself: %s',
    async (scheme) => {
      await using origin = await startOrigin()
      await using talker = await startTcp((socket) => socket.end('hello'))
      await using socks = await startSocks()
      await using egress = await startEgress({ upstream: `${scheme}://user:pass@127.0.0.1:${socks.port}` })
      using lane = openLane(egress)
      expect((await ask(lane, `http://far.test:${origin.port}/a`)).body).toBe('GET /a')
      expect(await speakThrough(egress, `far.test:${talker.port}`)).toBe('hello')
      expect((await ask(lane, `http://[::ffff:10.0.0.1]:${origin.port}/`)).status).toBe(403)
      expect(socks.asked).toEqual([`far.test:${origin.port}`, `far.test:${talker.port}`])
    },
  )

  test('that does not take the credentials makes 502', async () => {
    await using socks = await startSocks()
    await using egress = await startEgress({ upstream: `socks5://user:wrong@127.0.0.1:${socks.port}` })
    expect(await speakThrough(egress, 'far.test:443')).toMatch(/^HTTP\/1\.1 502/)
  })
})

describe('PROXY_URL', () => {
  test.each([
    ['http://proxy.example:3128', { kind: 'http', host: 'proxy.example', port: 3128, username: '', password: '' }],
    ['https://u:p%40ss@proxy.example', { kind: 'https', port: 443, username: 'u', password: 'p@ss' }],
    ['socks5h://[fd00::1]', { kind: 'socks', host: 'fd00::1', port: 1080 }],
  ])('%s is read', (url, upstream) => {
    expect(parseUpstream(url)).toMatchObject(upstream)
  })

  test.each(['proxy.example:3128', 'ftp://proxy.example', 'socks4://proxy.example', '', 'http://'])(
    '%j is refused without being repeated',
    (url) => {
      expect(() => parseUpstream(url)).toThrow(EgressError)
      expect(() => parseUpstream(url)).toThrow(/^PROXY_URL must be an http:\/\/, /)
    },
  )

  test('a password with a stray % is refused with what to write, and without the password', () => {
    expect(() => parseUpstream('http://user:se%cret@proxy.example')).toThrow(EgressError)
    expect(() => parseUpstream('http://user:se%cret@proxy.example')).toThrow(/%25/)
    expect(() => parseUpstream('http://user:se%cret@proxy.example')).not.toThrow(/secret|se%cret/)
  })
})
