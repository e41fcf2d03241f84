import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { errorHandler } from '../../src/http/errors.ts'
import { createRateLimit } from '../../src/http/rate-limit.ts'
import { keyOf } from '../support/samples.ts'
import { waitFor } from '../support/wait-for.ts'

/** A server that lets each key call so often; the key is named in the path. */
async function startLimited(limit: number, windowMs: number) {
  const app = express()
  app.use('/:key', (req, res, next) => {
    Object.assign(res.locals, { key: keyOf(req.params.key) })
    next()
  })
  app.use(createRateLimit({ limit, windowMs, message: 'too many' }))
  app.use((_req, res) => void res.json({ ok: true }))
  app.use(errorHandler(({ message }) => ({ error: message })))
  const server = http.createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    call: async (key: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}/${key}`)
      await answer.text()
      return answer
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('each key has its calls in any window of time, not in fixed ones, and refused calls do not count', async () => {
  const windowMs = 1_500
  await using limited = await startLimited(3, windowMs)
  const accepted: number[] = []
  const startedAt = performance.now()
  await waitFor(
    'several windows',
    async () => {
      const sentAt = performance.now()
      const { status } = await limited.call('busy')
      if (status === 200) accepted.push(sentAt)
      else expect(status).toBe(429)
      return performance.now() - startedAt > 2.4 * windowMs
    },
    10_000,
  )
  expect(accepted.length).toBeGreaterThanOrEqual(6)
  expect(accepted.length).toBeLessThanOrEqual(9)
  for (const [n, at] of accepted.entries()) {
    const fourth = accepted[n + 3]
    if (fourth !== undefined) expect(fourth - at).toBeGreaterThan(windowMs - 100)
  }
})

test('the calls of one key take nothing from another, and many at once are counted exactly', async () => {
  await using limited = await startLimited(5, 60_000)
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => limited.call(n % 2 === 0 ? 'a' : 'b')))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(10)
  const refused = answers.find(({ status }) => status === 429)
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(50)
  expect((await limited.call('c')).status).toBe(200)
})
