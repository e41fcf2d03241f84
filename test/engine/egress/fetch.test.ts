import path from 'node:path'
import https from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { TaskError } from '../../../src/domain/errors.ts'
import { createEgressFetch, type EgressFetchOptions } from '../../../src/engine/egress/index.ts'
import { getCertificate } from '../../sim/certs.ts'
import { defaultCacheDir } from '../../sim/index.ts'
import { openLane, startEgress, startServer, startTcp, type TestEgressOptions } from './support.ts'

async function startFetch(options: TestEgressOptions = {}) {
  const egress = await startEgress(options)
  const fetch = createEgressFetch(egress)
  return {
    egress,
    fetch,
    /** The code that a fetch fails with. */
    codeOf: async (url: string, options?: EgressFetchOptions) => {
      const error: unknown = await fetch(url, options).then(
        () => null,
        (error: unknown) => error,
      )
      return error instanceof TaskError ? error.code : error
    },
    [Symbol.asyncDispose]: () => egress[Symbol.asyncDispose](),
  }
}

async function startSecure() {
  const { key, cert, caFile } = await getCertificate(path.join(defaultCacheDir(), 'certs'), ['DNS:media.test'])
  const server = https.createServer({ key, cert }, (request, response) => response.end(`secure ${request.url}`))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    caFile,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('a request and its answer pass unchanged, through a lane of its own', async () => {
  await using origin = await startServer((request, response) => {
    response.writeHead(418, { 'X-Seen': String(request.headers['x-a']), 'Set-Cookie': ['a=1', 'b=2'] })
    request.pipe(response)
  })
  await using client = await startFetch()
  const url = `http://media.test:${origin.port}/hook`
  const answer = await client.fetch(url, { method: 'POST', headers: { 'X-A': 'b' }, body: 'päck' })
  expect(answer.status).toBe(418)
  expect(answer.url).toBe(url)
  expect(answer.text()).toBe('päck')
  expect(answer.headers.get('x-seen')).toBe('b')
  expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  expect(client.egress.stats).toMatchObject({ connections: 1, denied: 0 })
})

test('https is verified against caFile', async () => {
  await using origin = await startSecure()
  const url = `https://media.test:${origin.port}/x`
  await using trusting = await startFetch({ caFile: origin.caFile })
  expect((await trusting.fetch(url)).text()).toBe('secure /x')
  await using other = await startFetch()
  expect(await other.codeOf(url)).toBe('tls_error')
})

test('the budget and the record of a lane that is given are used', async () => {
  await using origin = await startServer((_, response) => response.end('x'.repeat(1_000)))
  await using client = await startFetch()
  using lane = openLane(client.egress, { maxBytes: 1_500 })
  const url = `http://media.test:${origin.port}/`
  await client.fetch(url, { lane })
  expect(lane.bytes).toBeGreaterThan(1_000)
  expect(lane.hosts).toEqual(new Set(['media.test']))
  expect(await client.codeOf(url, { lane })).toBe('network')
  expect(await client.codeOf(url, { lane })).toBe('too_large')
})

describe('redirects', () => {
  const startRedirector = (to: (url: string) => string, status = 302) =>
    startServer((request, response) => {
      const target = to(request.url ?? '')
      if (target === '') return void response.end(JSON.stringify({ method: request.method, headers: request.headers }))
      response.writeHead(status, { Location: target }).end()
    })

  test('are followed, five at most', async () => {
    await using origin = await startRedirector((url) => (url === '/0' ? '' : `/${Number(url.slice(1)) - 1}`))
    await using client = await startFetch()
    const answer = await client.fetch(`http://media.test:${origin.port}/5`)
    expect([answer.status, answer.url]).toEqual([200, `http://media.test:${origin.port}/0`])
    expect(await client.codeOf(`http://media.test:${origin.port}/6`)).toBe('network')
    const manual = await client.fetch(`http://media.test:${origin.port}/5`, { redirect: 'manual' })
    expect([manual.status, manual.headers.get('location')]).toEqual([302, '/4'])
  })

  test.each([
    ['http://127.0.0.9:PORT/'],
    ['http://0x7f.9:PORT/'],
    ['http://inside.test:PORT/'],
    ['file:///etc/passwd'],
    ['ftp://media.test/'],
    ['gopher://media.test/'],
    ['data:text/plain,x'],
    ['http://user:pass@media.test/'],
  ])('to %s are refused', async (to) => {
    await using victim = await startServer((_, response) => response.end('secret'), '127.0.0.9')
    await using origin = await startRedirector(() => to.replace('PORT', String(victim.port)))
    await using client = await startFetch({ names: { 'inside.test': ['127.0.0.9'] } })
    expect(await client.codeOf(`http://media.test:${origin.port}/`)).toBe('egress_denied')
    expect(victim.connections()).toBe(0)
  })

  test('leave credentials behind and turn a POST into a GET as browsers do', async () => {
    await using second = await startRedirector(() => '')
    await using origin = await startRedirector(() => `http://other.test:${second.port}/`)
    await using client = await startFetch({
      allow: ['media.test', 'other.test'],
      names: { 'other.test': ['127.0.0.1'] },
    })
    const answer = await client.fetch(`http://media.test:${origin.port}/`, {
      method: 'POST',
      body: 'x',
      headers: { Cookie: 'a', Authorization: 'b', 'X-Kept': 'c', 'Content-Type': 'text/plain' },
    })
    const seen = JSON.parse(answer.text()) as { method: string; headers: Record<string, string> }
    expect(seen.method).toBe('GET')
    expect(seen.headers).toMatchObject({ 'x-kept': 'c' })
    expect(Object.keys(seen.headers)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(cookie|auth|content)/)]),
    )
  })
})

describe('failures', () => {
  test.each([
    ['http://127.0.0.9:8/', 'egress_denied'],
    ['https://inside.test/', 'egress_denied'],
    ['http://inside.test/', 'egress_denied'],
    ['http://missing.test/', 'dns'],
    ['https://missing.test/', 'dns'],
    ['http://media.test:1/', 'network'],
    ['https://media.test:1/', 'network'],
    ['ftp://media.test/', 'egress_denied'],
  ])('%s is told apart: %s', async (url, code) => {
    await using client = await startFetch({ names: { 'inside.test': ['10.0.0.1'] } })
    expect(await client.codeOf(url)).toBe(code)
  })

  test('a body beyond maxBytes leaves status and headers, and is not read on', async () => {
    await using hose = await startTcp((socket) => {
      const more = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
      }
      socket.on('drain', more)
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nETag: "x"\r\n\r\n')
        more()
      })
    })
    await using client = await startFetch()
    const answer = await client.fetch(`http://media.test:${hose.port}/`, { maxBytes: 1 })
    expect([answer.status, answer.headers.get('etag')]).toEqual([200, '"x"'])
    expect(() => answer.text()).toThrow(expect.objectContaining({ code: 'too_large' }))
    expect(client.egress.stats.bytes).toBeLessThan(32 << 20)
  })

  test('silence ends after timeoutMs, an abort at once with its reason', async () => {
    await using silent = await startTcp(() => undefined)
    await using client = await startFetch()
    const url = `http://media.test:${silent.port}/`
    expect(await client.codeOf(url, { timeoutMs: 100 })).toBe('network')
    const controller = new AbortController()
    const pending = client.codeOf(url, { signal: controller.signal })
    controller.abort(new TaskError('shutdown', 'enough'))
    expect(await pending).toBe('shutdown')
    expect(await client.codeOf(url, { signal: AbortSignal.abort() })).toBe('cancelled')
  })
})
