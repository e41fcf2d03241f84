import { waitFor } from '../../support/wait-for.ts'
import { ask, closed, connectThrough, openLane, startEgress, startServer, startTcp } from './support.ts'

/** Sends bytes for as long as somebody takes them. */
const startHose = () =>
  startTcp((socket) => {
    const chunk = Buffer.alloc(64 * 1_024)
    const more = () => {
      while (!socket.destroyed && socket.write(chunk));
    }
    socket.on('drain', more)
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      more()
    })
  })

test('a lane that takes more than its budget is cut, and stays closed', async () => {
  await using hose = await startHose()
  await using egress = await startEgress()
  using lane = openLane(egress, { maxBytes: 1 << 20 })
  using other = openLane(egress)
  const { socket } = await connectThrough(lane, `media.test:${hose.port}`)
  let received = 0
  socket.on('data', (chunk: Buffer) => (received += chunk.length)).write('go')
  await closed(socket)
  expect(lane.failure).toBe('too_large')
  expect(received).toBeLessThanOrEqual(1 << 20)
  expect(lane.bytes).toBeLessThan((1 << 20) + 512 * 1_024)
  const url = `http://media.test:${hose.port}/`
  expect(await ask(lane, url)).toMatchObject({ status: 403, headers: { 'x-egress-denied': 'too_large' } })
  const again = await connectThrough(lane, `media.test:${hose.port}`)
  again.socket.destroy()
  expect(again.status).toBe(403)
  expect(other.failure).toBeNull()
})

test('a lane may take what it is allowed later', async () => {
  await using hose = await startHose()
  await using egress = await startEgress()
  using lane = openLane(egress, { maxBytes: 1 << 20 })
  lane.allow(1 << 20)
  await expect(ask(lane, `http://media.test:${hose.port}/`)).rejects.toThrow()
  expect(lane.failure).toBe('too_large')
  expect(lane.bytes).toBeGreaterThan(2 << 20)
  expect(lane.bytes).toBeLessThan((2 << 20) + 512 * 1_024)
})

test('plain answers count against the budget too', async () => {
  await using hose = await startHose()
  await using egress = await startEgress()
  using lane = openLane(egress, { maxBytes: 1 << 20 })
  await expect(ask(lane, `http://media.test:${hose.port}/`)).rejects.toThrow()
  expect(lane.failure).toBe('too_large')
  expect(egress.stats.bytes).toBe(lane.bytes)
})

test('the bytes of a closed lane stay in the statistics', async () => {
  await using origin = await startServer((_, response) => response.end('x'.repeat(1_000)))
  await using egress = await startEgress()
  const lane = openLane(egress)
  await ask(lane, `http://media.test:${origin.port}/`)
  const { bytes } = lane
  lane.revoke()
  lane.revoke()
  expect(bytes).toBeGreaterThan(1_000)
  expect(egress.stats).toEqual({ denied: 0, connections: 1, bytes })
})

test('revoking a lane cuts what it has open', async () => {
  await using hose = await startHose()
  await using egress = await startEgress()
  const lane = openLane(egress)
  const { socket } = await connectThrough(lane, `media.test:${hose.port}`)
  lane.revoke()
  await closed(socket)
  expect(lane.failure).toBe('revoked')
})

test.each(['tunnel', 'plain'])('a silent %s is cut after idleMs', async (kind) => {
  await using origin = await startTcp(() => undefined)
  await using egress = await startEgress()
  using lane = openLane(egress, { idleMs: 300 })
  const start = performance.now()
  if (kind === 'plain') {
    await expect(ask(lane, `http://media.test:${origin.port}/`)).rejects.toThrow(/hang up|ECONNRESET/)
  } else {
    const { socket } = await connectThrough(lane, `media.test:${origin.port}`)
    await closed(socket)
  }
  expect(performance.now() - start).toBeGreaterThan(250)
  expect(performance.now() - start).toBeLessThan(3_000)
})

test('a lane has at most 64 connections; one that ends makes room', async () => {
  await using origin = await startTcp((socket) => void socket.resume().once('end', () => socket.end()))
  await using egress = await startEgress()
  using lane = openLane(egress)
  const open = () => connectThrough(lane, `media.test:${origin.port}`)
  const tunnels = await Promise.all(Array.from({ length: 64 }, open))
  expect(tunnels.map(({ status }) => status)).toEqual(Array(64).fill(200))
  const refused = await open()
  expect(refused.head).toMatch(/^HTTP\/1\.1 503 [^]*X-Egress-Error: busy/)
  tunnels[0]?.socket.destroy()
  await waitFor('room', async () => {
    const { status, socket } = await open()
    socket.destroy()
    return status === 200
  })
  for (const { socket } of tunnels) socket.destroy()
})

test('closing the egress cuts every connection', async () => {
  await using hose = await startHose()
  const egress = await startEgress()
  const lane = openLane(egress)
  const { socket } = await connectThrough(lane, `media.test:${hose.port}`)
  await egress[Symbol.asyncDispose]()
  await closed(socket)
})
