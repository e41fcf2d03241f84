import { once } from 'node:events'
import http from 'node:http'
import { text } from 'node:stream/consumers'
import { waitFor } from '../../support/wait-for.ts'
import { ask, basic, closed, connectThrough, openLane, say, startEgress, startServer, startTcp } from './support.ts'

describe('what the proxy serves', () => {
  test('a plain request reaches the origin with its own path, headers and body', async () => {
    await using origin = await startServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        response.writeHead(201, 'Made', { 'Set-Cookie': ['a=1', 'b=2'], 'X-Egress-Denied': 'forged' })
        response.end(JSON.stringify({ headers: request.headers, body: Buffer.concat(chunks).toString() }))
      })
    })
    await using egress = await startEgress()
    using lane = openLane(egress)
    const answer = await ask(lane, `http://media.test:${origin.port}/a%2fb/../c?d=e|f`, {
      method: 'POST',
      headers: { cookie: 'a=b', connection: 'X-Hop, keep-alive', 'x-hop': '1', te: 'trailers', 'x-kept': 'yes' },
      body: 'hello',
    })
    expect(answer.status).toBe(201)
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(answer.headers['x-egress-denied']).toBeUndefined()
    expect(origin.log).toEqual(['POST /a%2fb/../c?d=e|f'])
    const seen = JSON.parse(answer.body) as { headers: Record<string, string>; body: string }
    expect(seen.body).toBe('hello')
    expect(seen.headers).toEqual({
      host: `media.test:${origin.port}`,
      cookie: 'a=b',
      'x-kept': 'yes',
      'content-length': '5',
      connection: 'close',
    })
  })

  test('a tunnel carries bytes both ways, with those sent ahead, and survives a half-close', async () => {
    await using origin = await startTcp((socket) => {
      void text(socket).then((words) => socket.end(`heard ${words}`))
    })
    await using egress = await startEgress()
    using lane = openLane(egress)
    const { status, socket } = await connectThrough(lane, `media.test:${origin.port}`, 'early ')
    expect(status).toBe(200)
    socket.end('late')
    expect(await text(socket)).toBe('heard early late')
  })

  test('a server that speaks first is heard in full', async () => {
    await using origin = await startTcp((socket) => socket.end('220 ready'))
    await using egress = await startEgress()
    using lane = openLane(egress)
    const { socket } = await connectThrough(lane, `media.test:${origin.port}`)
    expect(await text(socket.end())).toBe('220 ready')
  })

  test('one connection serves request after request, to one origin and another', async () => {
    const say = (word: string) => startServer((_, response) => response.end(word))
    await using one = await say('one')
    await using two = await say('two')
    await using egress = await startEgress()
    using lane = openLane(egress)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const reused: boolean[] = []
    for (const { port } of [one, two, one, two]) {
      reused.push(Object.keys(agent.freeSockets).length > 0)
      const answer = await ask(lane, `http://media.test:${port}/`, { agent })
      expect(answer.body).toBe(port === one.port ? 'one' : 'two')
    }
    expect(reused).toEqual([false, true, true, true])
    agent.destroy()
  })

  test('pipelined requests are answered in their order', async () => {
    await using origin = await startServer((request, response) => {
      const delay = request.url === '/slow' ? 100 : 0
      setTimeout(() => response.end(request.url), delay)
    })
    await using egress = await startEgress()
    using lane = openLane(egress)
    const credentials = `Host: x\r\nProxy-Authorization: ${basic(new URL(lane.proxyUrl))}\r\n`
    const get = (path: string, last = '') =>
      `GET http://media.test:${origin.port}${path} HTTP/1.1\r\n${credentials}${last}\r\n`
    const answer = await say(egress.port, `${get('/slow')}${get('/quick')}${get('/last', 'Connection: close\r\n')}`)
    expect(answer.match(/\/(?:slow|quick|last)/g)).toEqual(['/slow', '/quick', '/last'])
  })

  test.each([
    ['with a length', { 'content-length': '300000' }],
    ['in chunks', {}],
    ['until close', { connection: 'close', 'transfer-encoding': 'identity' }],
  ])('a body %s arrives whole', async (_, headers) => {
    const body = Buffer.alloc(300_000, 'abcdefghij')
    await using origin = await startServer((_, response) => {
      response.useChunkedEncodingByDefault = !('transfer-encoding' in headers)
      const { 'transfer-encoding': _te, ...sent } = headers as Record<string, string>
      response.writeHead(200, sent)
      response.write(body.subarray(0, 7))
      response.end(body.subarray(7))
    })
    await using egress = await startEgress()
    using lane = openLane(egress)
    const answer = await ask(lane, `http://media.test:${origin.port}/`)
    expect(answer.body.length).toBe(body.length)
    expect(answer.body === body.toString()).toBe(true)
    expect(lane.bytes).toBeGreaterThan(body.length)
  })

  test.each(['HEAD', 'GET'])('an answer without a body ends at its head: %s', async (method) => {
    await using origin = await startServer((_, response) => {
      response.writeHead(method === 'GET' ? 304 : 200, method === 'GET' ? {} : { 'content-length': '1000' })
      response.end()
    })
    await using egress = await startEgress()
    using lane = openLane(egress)
    const answer = await ask(lane, `http://media.test:${origin.port}/`, { method })
    expect(answer.body).toBe('')
    if (method === 'HEAD') expect(answer.headers['content-length']).toBe('1000')
  })

  test('interim answers are kept back', async () => {
    await using origin = await startTcp((socket) => {
      socket.once('data', () =>
        socket.end('HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
      )
    })
    await using egress = await startEgress()
    using lane = openLane(egress)
    expect(await ask(lane, `http://media.test:${origin.port}/`)).toMatchObject({ status: 200, body: 'ok' })
  })

  test('a second listening server is served like the first', async () => {
    await using origin = await startServer((_, response) => response.end('ok'))
    await using egress = await startEgress()
    await using extra = await startTcp(() => undefined)
    extra.server.removeAllListeners('connection')
    egress.serve(extra.server)
    using lane = openLane(egress)
    const proxyUrl = lane.proxyUrl.replace(/\d+$/, String(extra.port))
    expect(await ask(lane, `http://media.test:${origin.port}/`, { proxyUrl })).toMatchObject({
      status: 200,
      body: 'ok',
    })
    lane.revoke()
    await egress[Symbol.asyncDispose]()
  })
})

describe('what the proxy refuses', () => {
  test.each([
    ['no credentials', ''],
    ['an unknown user', `Proxy-Authorization: Basic ${btoa('job-0:x')}\r\n`],
    ['another scheme', 'Proxy-Authorization: Bearer x\r\n'],
    ['broken base64', 'Proxy-Authorization: Basic %%%\r\n'],
  ])('%s', async (_, header) => {
    await using egress = await startEgress()
    const rest = `HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${header}\r\n`
    expect(await say(egress.port, `GET http://media.test/ ${rest}`)).toMatch(
      /^HTTP\/1\.1 407 [^]*Proxy-Authenticate: Basic/,
    )
    expect(await say(egress.port, `CONNECT media.test:80 ${rest}`)).toMatch(
      /^HTTP\/1\.1 407 [^]*Proxy-Authenticate: Basic/,
    )
  })

  test('the password of another lane, and of a lane that is gone', async () => {
    await using egress = await startEgress()
    using one = openLane(egress)
    const two = openLane(egress)
    const mixed = new URL(one.proxyUrl)
    mixed.password = new URL(two.proxyUrl).password
    expect((await ask(one, 'http://media.test/', { proxyUrl: mixed.href })).status).toBe(407)
    two.revoke()
    expect((await ask(two, 'http://media.test/')).status).toBe(407)
  })

  test('a 407 leaves the connection usable, so that a client may try again with credentials', async () => {
    await using origin = await startServer((_, response) => response.end('ok'))
    await using egress = await startEgress()
    using lane = openLane(egress)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const url = `http://media.test:${origin.port}/`
    expect((await ask(lane, url, { agent, headers: { 'proxy-authorization': 'Basic x' } })).status).toBe(407)
    expect(Object.keys(agent.freeSockets)).toHaveLength(1)
    expect((await ask(lane, url, { agent })).status).toBe(200)
    agent.destroy()
  })

  test.each([
    '/origin-form',
    'https://media.test/',
    'ftp://media.test/',
    'file:///etc/passwd',
    'http://',
    'http:///path',
    'http://user@media.test/',
    'http://user:pass@media.test/',
    'http://media.test:0/',
    'http://media.test:70000/',
    'http://media.test:8o/',
    'http://media.test\\@x/',
    'http://[::1/',
    '*',
  ])('%s', async (url) => {
    await using egress = await startEgress()
    using lane = openLane(egress)
    const answer = await ask(lane, url, { method: url === '*' ? 'OPTIONS' : 'GET' })
    expect(answer.status).toBe(400)
  })

  test.each([
    'media.test',
    'media.test:',
    ':443',
    'media.test:x',
    'media.test:0',
    'media.test:65536',
    'a@media.test:443',
    '::1:443',
    'http://media.test:80',
  ])('a tunnel to %s', async (authority) => {
    await using egress = await startEgress()
    using lane = openLane(egress)
    const { status, socket } = await connectThrough(lane, authority)
    socket.destroy()
    expect(status).toBe(400)
  })

  test('requests whose end could be read in two ways, methods for debugging, and bodies without a length', async () => {
    await using origin = await startServer((_, response) => response.end('ok'))
    await using egress = await startEgress()
    using lane = openLane(egress)
    const base = `http://media.test:${origin.port}/ HTTP/1.1\r\nProxy-Authorization: ${basic(new URL(lane.proxyUrl))}\r\nConnection: close\r\n`
    const statusOf = async (words: string) => (await say(egress.port, words)).slice(9, 12)
    const ends = 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    expect(await statusOf(`POST ${base}Host: x\r\n${ends}`)).toBe('400')
    expect(await statusOf(`POST ${base}Host: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc`)).toBe('400')
    expect(await statusOf(`GET ${base}Host: x\r\nHost: y\r\n\r\n`)).toBe('400')
    expect(await statusOf(`GET ${base}\r\n`)).toBe('400')
    expect(await statusOf(`GET ${base}Host: x\r\nA : b\r\n\r\n`)).toBe('400')
    expect(await statusOf(`GET ${base}Host: x\r\nA: b\r\n folded\r\n\r\n`)).toBe('400')
    expect(await statusOf(`GET ${base}Host: x\nA: b\r\n\r\n`)).toBe('400')
    expect(await statusOf(`TRACE ${base}Host: x\r\n\r\n`)).toBe('405')
    expect(await statusOf(`POST ${base}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toBe('411')
    expect(origin.log).toEqual([])
  })

  test('what the policy denies, naming the reason', async () => {
    await using victim = await startServer((_, response) => response.end('secret'), '127.0.0.9')
    await using egress = await startEgress()
    using lane = openLane(egress)
    const answer = await ask(lane, `http://127.0.0.9:${victim.port}/`)
    expect(answer).toMatchObject({ status: 403, headers: { 'x-egress-denied': 'private_address' } })
    expect(answer.body).toMatch(/127\.0\.0\.9 is an address that is not on the public internet/)
    const { head, socket } = await connectThrough(lane, `127.0.0.9:${victim.port}`)
    socket.destroy()
    expect(head).toMatch(/^HTTP\/1\.1 403 [^]*X-Egress-Denied: private_address/)
    expect(lane.denials).toHaveLength(2)
    expect(lane.denials[0]).toEqual({
      host: '127.0.0.9',
      port: victim.port,
      address: '127.0.0.9',
      reason: 'private_address',
    })
    expect(egress.stats.denied).toBe(2)
    expect(victim.connections()).toBe(0)
  })

  test('its own port, even where everything is open', async () => {
    await using egress = await startEgress({ allow: ['0.0.0.0/0'], allowPrivate: true })
    using lane = openLane(egress)
    const answer = await ask(lane, `http://127.0.0.1:${egress.port}/`)
    expect(answer).toMatchObject({ status: 403, headers: { 'x-egress-denied': 'own_port' } })
  })

  test('a name without an address, and an address without a server, each with its own answer', async () => {
    await using egress = await startEgress()
    using lane = openLane(egress)
    expect(await ask(lane, 'http://missing.test/')).toMatchObject({ status: 502, headers: { 'x-egress-error': 'dns' } })
    const gone = await startServer(() => undefined)
    await gone[Symbol.asyncDispose]()
    const answer = await ask(lane, `http://media.test:${gone.port}/`)
    expect(answer).toMatchObject({ status: 502, headers: { 'x-egress-error': 'connect' } })
    expect(lane.denials).toEqual([{ host: 'missing.test', port: 80, address: null, reason: 'dns' }])
    expect(egress.stats.denied).toBe(0)
    expect([...lane.hosts]).toEqual(['missing.test', 'media.test'])
  })
})

describe('when things break', () => {
  test.each([
    ['a length that is not reached', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'],
    ['chunks that do not end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n'],
    ['a broken chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n'],
  ])('%s cuts the client off', async (_, words) => {
    await using origin = await startTcp((socket) => void socket.once('data', () => socket.end(words)))
    await using egress = await startEgress()
    using lane = openLane(egress)
    await expect(ask(lane, `http://media.test:${origin.port}/`)).rejects.toThrow(/aborted|hang up|ECONNRESET/)
  })

  test.each([
    ['no answer at all', ''],
    ['nonsense', 'SSH-2.0-x\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(20_000)}`],
  ])('%s becomes 502', async (_, words) => {
    await using origin = await startTcp((socket) => void socket.once('data', () => socket.end(words)))
    await using egress = await startEgress()
    using lane = openLane(egress)
    const answer = await ask(lane, `http://media.test:${origin.port}/`)
    expect(answer).toMatchObject({ status: 502, headers: { 'x-egress-error': 'response' } })
  })

  test('a reset of the origin cuts the tunnel', async () => {
    await using origin = await startTcp(
      (socket) => void socket.write('half', () => setImmediate(() => socket.resetAndDestroy())),
    )
    await using egress = await startEgress()
    using lane = openLane(egress)
    const { socket } = await connectThrough(lane, `media.test:${origin.port}`)
    await closed(socket)
  })

  test('a client that leaves takes its origin connection with it', async () => {
    let open = 0
    await using origin = await startTcp((socket) => {
      open += 1
      socket.once('close', () => (open -= 1))
      socket.resume().once('end', () => socket.end())
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart')
    })
    await using egress = await startEgress()
    using lane = openLane(egress)
    const { socket } = await connectThrough(lane, `media.test:${origin.port}`)
    const plain = http.request({
      port: egress.port,
      path: `http://media.test:${origin.port}/`,
      headers: { 'proxy-authorization': basic(new URL(lane.proxyUrl)) },
    })
    plain.on('error', () => undefined).end()
    await once(plain, 'response')
    await waitFor('both connections', () => open === 2)
    plain.destroy()
    socket.destroy()
    await waitFor('their end', () => open === 0)
  })

  test('a reader that stops makes the origin stop: nothing piles up in between', async () => {
    let sent = 0
    await using origin = await startTcp((socket) => {
      const chunk = Buffer.alloc(1 << 20)
      const more = () => {
        while (!socket.destroyed && socket.write(chunk)) sent += chunk.length
        sent += chunk.length
      }
      socket.on('drain', more).resume()
      more()
    })
    await using egress = await startEgress()
    using lane = openLane(egress)
    const { socket } = await connectThrough(lane, `media.test:${origin.port}`)
    socket.pause()
    let before = -1
    await waitFor('the origin to stand still', async () => {
      const still = sent === before
      before = sent
      await new Promise((resolve) => setTimeout(resolve, 300))
      return still && sent === before
    })
    // What the kernel keeps for four sockets on loopback, and not a byte without end.
    expect(sent).toBeLessThan(64 << 20)
    expect(process.memoryUsage().external).toBeLessThan(256 << 20)
    socket.destroy()
  })

  test('the second address is used where the first refuses', async () => {
    await using origin = await startServer((_, response) => response.end('ok'), '127.0.0.1')
    await using egress = await startEgress({ names: { 'media.test': ['127.0.0.2', '::1', '127.0.0.1'] } })
    using lane = openLane(egress)
    expect((await ask(lane, `http://media.test:${origin.port}/`)).body).toBe('ok')
  })
})
