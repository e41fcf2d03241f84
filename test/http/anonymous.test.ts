import { once } from 'node:events'
import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { startCore, type CoreServer } from '../support/core-server.ts'

let near: CoreServer
let far: CoreServer
let opened: CoreServer
beforeAll(async () => {
  near = await startCore({ isLocalOnly: true })
  far = await startCore({ isLocalOnly: false })
  opened = await startCore({ isLocalOnly: false, anonymousAccess: ['picoshot'] })
  for (const { keys } of [near, far, opened]) await keys.ensureAnonymous()
})
afterAll(() => Promise.all([near, far, opened].map((core) => core[Symbol.asyncDispose]())))

/** What a call without a key is answered with: 400 from the face itself, 401 before it. */
async function statusOf(core: CoreServer, headers: OutgoingHttpHeaders): Promise<number | undefined> {
  const request = http.get(`${core.url}/api/media-proxy`, { headers, agent: false })
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  answer.resume()
  return answer.statusCode
}

describe('a call without a key', () => {
  test.each<[what: string, headers: OutgoingHttpHeaders]>([
    ['of a program', {}],
    ['to a name of this machine', { Host: 'localhost:8080' }],
    ['of a page on this machine', { Origin: 'http://localhost:3000' }],
    ['of a page on its address', { Origin: 'http://127.0.0.1:3000' }],
  ])('%s on this machine is let in where no other can call', async (_what, headers) => {
    expect([await statusOf(near, headers), await statusOf(far, headers)]).toEqual([400, 401])
  })

  test.each<[what: string, headers: OutgoingHttpHeaders]>([
    ['a name that was made to lead here', { Host: 'rebound.example:8080' }],
    ['a name that begins like this machine', { Host: 'localhost.example' }],
    ['a page of another site', { Origin: 'https://site.example' }],
    ['a page whose name begins like this machine', { Origin: 'http://localhost.example' }],
    ['a page of no site', { Origin: 'null' }],
    ['a proxy', { 'X-Forwarded-For': '127.0.0.1' }],
    ['a proxy that names itself', { Forwarded: 'for=127.0.0.1' }],
  ])('by way of %s is not one of this machine', async (_what, headers) => {
    expect([await statusOf(near, headers), await statusOf(opened, headers)]).toEqual([401, 400])
  })
})
