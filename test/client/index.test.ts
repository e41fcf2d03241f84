import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { createYtdlpdClient } from '../../src/client/index.ts'
import { createApp } from '../../src/http/app.ts'
import { startCore, type CoreServer } from '../support/core-server.ts'

/** The daemon's HTTP side, reached below a prefix as behind a proxy. */
async function behindPrefix(core: CoreServer): Promise<AsyncDisposable & { url: string }> {
  const app = createApp(core.ctx, { trustProxy: false })
  const server = http.createServer((req, res) => {
    req.url = req.url?.replace(/^\/media(?=\/)/, '') ?? ''
    app(req, res)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/media/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('submits a task, sees it and cancels it, with the key in every call', async () => {
  await using core = await startCore()
  await using server = await behindPrefix(core)
  const client = createYtdlpdClient({ baseUrl: server.url, apiKey: core.admin })
  const submitted = await client.POST('/get_video', { body: { url: 'https://video.example/watch' } })
  const id = submitted.data?.task_id ?? ''
  const seen = await client.GET('/status/{id}', { params: { path: { id } } })
  expect(seen.data).toMatchObject({ status: 'waiting', task_id: id, task_type: 'get_video' })
  const cancelled = await client.POST('/v1/tasks/{id}/cancel', { params: { path: { id } } })
  expect(cancelled.response.status).toBe(200)
})

test('hands over what a call was refused for', async () => {
  await using core = await startCore()
  await using server = await behindPrefix(core)
  const client = createYtdlpdClient({ baseUrl: server.url })
  const { data, error, response } = await client.POST('/v1/tasks/{id}/cancel', { params: { path: { id: 'x' } } })
  expect([data, response.status]).toEqual([undefined, 401])
  expect(error).toMatchObject({ error: { code: 'key_missing' } })
  expect((await client.GET('/ready')).data).toEqual({ ready: true, reasons: [] })
})
