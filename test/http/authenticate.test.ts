import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { createApp } from '../../src/http/app.ts'
import { makeLocalToken } from '../../src/keys/local-token.ts'
import { startCore, type CoreServer } from '../support/core-server.ts'

/** The same app behind a reverse proxy that it believes. */
async function startBehindProxy(core: CoreServer) {
  const server = http.createServer(createApp(core.ctx, { trustProxy: true })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    statusOf: async (path: string, headers: Readonly<Record<string, string>>) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers })
      await answer.text()
      return answer.status
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('behind a proxy the address that it added counts, whatever the caller wrote before it', async () => {
  await using core = await startCore()
  await using proxied = await startBehindProxy(core)
  const { body } = await core.call('POST', '/v1/keys', {
    body: { name: 'office', permissions: [], limits: { cidrs: ['203.0.113.0/24'] } },
  })
  const key = { 'X-API-Key': String(body['value']) }
  const from = (addresses: string) => proxied.statusOf('/v1/me', { ...key, 'X-Forwarded-For': addresses })
  expect(await from('203.0.113.7')).toBe(200)
  expect(await from('198.51.100.9, 203.0.113.7')).toBe(200)
  expect(await from('203.0.113.7, 198.51.100.9')).toBe(403)
  expect(await from('203.0.113.7, nonsense')).toBe(403)
  expect(await proxied.statusOf('/v1/me', key)).toBe(403)
})

test('a token of the machine does not come through a proxy on it', async () => {
  await using core = await startCore()
  await using proxied = await startBehindProxy(core)
  const headers = { Authorization: `Bearer ${makeLocalToken(core.ctx.seal, Date.now())}` }
  expect(await proxied.statusOf('/v1/keys', headers)).toBe(200)
  expect(await proxied.statusOf('/v1/keys', { ...headers, 'X-Forwarded-For': '198.51.100.9' })).toBe(401)
  expect(await proxied.statusOf('/v1/keys', { ...headers, 'X-Forwarded-For': '127.0.0.1, 198.51.100.9' })).toBe(401)
})

test('nor through one that the daemon was not told of', async () => {
  await using core = await startCore()
  const headers = { Authorization: `Bearer ${makeLocalToken(core.ctx.seal, Date.now())}` }
  const statusWith = async (more: Record<string, string>) =>
    (await core.call('GET', '/v1/keys', { key: null, headers: { ...headers, ...more } })).status
  expect(await statusWith({})).toBe(200)
  expect(await statusWith({ 'X-Forwarded-For': '127.0.0.1' })).toBe(401)
  expect(await statusWith({ Via: '1.1 proxy' })).toBe(401)
})

test('a key is found in either header, and what is no key is said to be none', async () => {
  await using core = await startCore()
  const get = async (headers: Record<string, string>) => {
    const { status, body } = await core.call('GET', '/v1/me', { key: null, headers })
    return [status, (body['error'] as { code: string } | undefined)?.code]
  }
  expect(await get({ Authorization: `Bearer ${core.admin}` })).toEqual([200, undefined])
  expect(await get({ Authorization: `bearer ${core.admin}` })).toEqual([200, undefined])
  expect(await get({})).toEqual([401, 'key_missing'])
  expect(await get({ Authorization: `Basic ${core.admin}` })).toEqual([401, 'key_missing'])
  expect(await get({ Authorization: `Bearer ${core.admin} x` })).toEqual([401, 'key_missing'])
  expect(await get({ 'X-API-Key': 'x'.repeat(5000) })).toEqual([401, 'key_invalid'])
})
