import { text } from 'node:stream/consumers'
import type { Egress, LaneRoute } from '../../../src/engine/egress/index.ts'
import { startSocks } from './socks-server.ts'
import { ask, connectThrough, openLane, startEgress, startServer, startTcp } from './support.ts'

const routed = (egress: Egress, route: Partial<LaneRoute>) =>
  openLane(egress, { route: { upstream: null, open: [], ...route } })
const startOrigin = () => startServer((_, response) => response.end('here'))

describe('a lane with a route of its own', () => {
  test('goes by its own proxy, as no other lane does', async () => {
    await using origin = await startOrigin()
    await using talker = await startTcp((socket) => socket.end('hello'))
    await using socks = await startSocks()
    await using egress = await startEgress()
    using lane = routed(egress, { upstream: `socks5://user:pass@127.0.0.1:${socks.port}` })
    expect((await ask(lane, `http://far.test:${origin.port}/`)).body).toBe('here')
    const { socket, head } = await connectThrough(lane, `far.test:${talker.port}`)
    expect(head).toMatch(/^HTTP\/1\.1 200/)
    expect(await text(socket)).toBe('hello')
    expect(socks.asked).toEqual([`far.test:${origin.port}`, `far.test:${talker.port}`])
    using other = openLane(egress)
    expect((await ask(other, `http://media.test:${origin.port}/`)).body).toBe('here')
    expect((await ask(other, `http://far.test:${origin.port}/`)).status).toBe(502)
    expect(socks.asked).toHaveLength(2)
  })

  test('goes by its own proxy instead of the general one, and still not to what is private', async () => {
    await using origin = await startOrigin()
    await using general = await startSocks()
    await using own = await startSocks()
    const url = (port: number) => `socks5://user:pass@127.0.0.1:${port}`
    await using egress = await startEgress({ upstream: url(general.port) })
    using lane = routed(egress, { upstream: url(own.port) })
    await ask(lane, `http://far.test:${origin.port}/`)
    expect([general.asked.length, own.asked.length]).toEqual([0, 1])
    for (const host of ['127.0.0.1', 'localhost', '10.0.0.1', '[::1]', 'nas']) {
      expect((await ask(lane, `http://${host}:${origin.port}/`)).status).toBe(403)
    }
    expect(lane.denials).toHaveLength(5)
  })

  test('reaches the one private port that it was opened for, which no other lane does', async () => {
    await using provider = await startOrigin()
    await using neighbour = await startOrigin()
    await using egress = await startEgress()
    using lane = routed(egress, { open: [`127.0.0.1:${provider.port}`] })
    expect((await ask(lane, `http://127.0.0.1:${provider.port}/`)).body).toBe('here')
    expect((await ask(lane, `http://127.0.0.1:${neighbour.port}/`)).status).toBe(403)
    expect((await ask(lane, `http://localhost:${provider.port}/`)).status).toBe(403)
    using other = openLane(egress)
    expect((await ask(other, `http://127.0.0.1:${provider.port}/`)).status).toBe(403)
    expect(neighbour.log).toEqual([])
  })

  test('reaches no port of the daemon, whatever was opened', async () => {
    await using own = await startOrigin()
    await using egress = await startEgress({ ownPorts: () => new Set([own.port]) })
    using lane = routed(egress, { open: [`127.0.0.1:${own.port}`, `127.0.0.1:${egress.port}`] })
    for (const port of [own.port, egress.port]) {
      expect((await ask(lane, `http://127.0.0.1:${port}/`)).status).toBe(403)
    }
    expect(lane.denials.map(({ reason }) => reason)).toEqual(['own_port', 'own_port'])
    expect(own.connections()).toBe(0)
  })
})
