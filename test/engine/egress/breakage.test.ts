import { connect, type Socket } from 'node:net'
import { waitFor } from '../../support/wait-for.ts'
import { basic, closed, openLane, startEgress, startTcp } from './support.ts'

/** What an origin may do once it was asked. */
const ORIGINS: Readonly<Record<string, (socket: Socket) => unknown>> = {
  closes: (socket) => socket.destroy(),
  resets: (socket) => socket.resetAndDestroy(),
  'is silent': () => undefined,
  'answers properly': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
  'answers and stays': (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
  'sends too much': (socket) => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${'x'.repeat(300_000)}`),
  'stops in the middle': (socket) =>
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n${'x'.repeat(400_000)}`),
  'resets in the middle': (socket) =>
    socket.write(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(400_000)}`, () => socket.resetAndDestroy()),
  'speaks another language': (socket) =>
    socket.end(Buffer.from(Array.from({ length: 512 }, (_, index) => index & 255))),
}

/** What a client may do once it has asked. */
const CLIENTS: Readonly<Record<string, (socket: Socket) => unknown>> = {
  reads: (socket) => socket.resume(),
  'reads nothing': (socket) => socket.pause(),
  'has nothing more to say': (socket) => socket.resume().end(),
  closes: (socket) => socket.destroy(),
  resets: (socket) => socket.resetAndDestroy(),
  'closes at the first byte': (socket) => socket.once('data', () => socket.destroy()),
}

const requests = (target: string, credentials: string): Readonly<Record<string, string>> => ({
  tunnel: `CONNECT ${target} HTTP/1.1\r\n${credentials}\r\nGET / HTTP/1.1\r\n\r\n`,
  plain: `GET http://${target}/ HTTP/1.1\r\n${credentials}\r\n`,
  pipelined: `GET http://${target}/ HTTP/1.1\r\n${credentials}\r\n`.repeat(20),
  upload: `POST http://${target}/ HTTP/1.1\r\nContent-Length: 500000\r\n${credentials}\r\n${'z'.repeat(400_000)}`,
})

test.each(Object.keys(ORIGINS))(
  'whatever the client does, an origin that %s leaves no connection behind',
  async (name) => {
    const open = new Set<Socket>()
    await using origin = await startTcp((socket) => {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
      socket.once('data', () => ORIGINS[name]?.(socket))
      socket.resume().once('end', () => socket.end())
    })
    await using egress = await startEgress()
    using lane = openLane(egress, { idleMs: 400 })
    const credentials = `Host: x\r\nProxy-Authorization: ${basic(new URL(lane.proxyUrl))}\r\n`
    const kinds = Object.values(requests(`media.test:${origin.port}`, credentials))
    const clients = kinds.flatMap((words) =>
      Object.values(CLIENTS).map((act) => {
        const socket = connect({ port: egress.port, host: '127.0.0.1' })
        socket.on('error', () => undefined)
        socket.write(words, () => act(socket))
        return socket
      }),
    )
    await waitFor('every connection to the origin to end', () => open.size === 0 && egress.stats.connections > 0, 5_000)
    await egress[Symbol.asyncDispose]()
    await Promise.all(clients.map(closed))
    await waitFor('the last one', () => open.size === 0)
  },
)
