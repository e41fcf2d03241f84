import type { Socket } from 'node:net'
import type { Lane } from './lane.ts'
import type { Origin } from './origin.ts'

/** How long the origin may stay silent once the client has nothing more to say: most such clients are gone. */
const HALF_CLOSED_IDLE_MS = 10_000

/**
 * Joins a client that asked for CONNECT with its origin, until both have said all they had to say or one is gone.
 * `head` is what the client sent ahead.
 */
export function joinTunnel(client: Socket, origin: Origin, head: Buffer, lane: Lane): void {
  const { socket } = origin
  client.once('close', () => socket.destroy())
  socket.once('close', (hadError) => {
    // What was not yet written is dropped: an origin that broke off has not finished.
    if (hadError || !socket.readableEnded) client.destroy()
  })
  client.write('HTTP/1.1 200 Connection established\r\n\r\n')
  if (head.length > 0) socket.write(head)
  client.pipe(socket)
  client.once('end', () => client.setTimeout(Math.min(lane.options.idleMs, HALF_CLOSED_IDLE_MS)))
  origin.start((chunk) => {
    if (!lane.receive(chunk.length)) return false
    let isHeld = false
    client.write(chunk, () => {
      if (isHeld) origin.resume()
    })
    // The kernel has taken it all in most cases; else the bytes are needed until it has.
    isHeld = client.writableLength > 0
    return !isHeld
  })
  if (socket.readableEnded) client.end()
  else socket.once('end', () => client.end())
}
