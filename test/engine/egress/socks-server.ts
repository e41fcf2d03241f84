import { connect, type Socket } from 'node:net'
import { startTcp } from './support.ts'

export type SocksServer = AsyncDisposable &
  Readonly<{
    port: number
    /** `host:port` as each client asked for it. */
    asked: string[]
  }>

/** A SOCKS5 server (RFC 1928, 1929) that wants `user`/`pass` and takes every host to be 127.0.0.1. */
export async function startSocks(): Promise<SocksServer> {
  const asked: string[] = []
  const tcp = await startTcp((socket) => void serve(socket, asked).catch(() => socket.destroy()))
  return { port: tcp.port, asked, [Symbol.asyncDispose]: () => tcp[Symbol.asyncDispose]() }
}

async function serve(socket: Socket, asked: string[]): Promise<void> {
  const [, methodCount = 0] = await take(socket, 2)
  const methods = await take(socket, methodCount)
  if (!methods.includes(2)) return void socket.end(Buffer.from([5, 0xff]))
  socket.write(Buffer.from([5, 2]))
  const [, userLength = 0] = await take(socket, 2)
  const user = await take(socket, userLength)
  const [passwordLength = 0] = await take(socket, 1)
  const password = await take(socket, passwordLength)
  const isKnown = `${String(user)}:${String(password)}` === 'user:pass'
  socket.write(Buffer.from([1, isKnown ? 0 : 1]))
  if (!isKnown) return void socket.end()
  const [, , , kind] = await take(socket, 4)
  const [length = 0] = kind === 3 ? await take(socket, 1) : [kind === 1 ? 4 : 16]
  const host = await take(socket, length)
  const port = (await take(socket, 2)).readUInt16BE()
  asked.push(`${kind === 3 ? String(host) : host.join('.')}:${port}`)
  const target = connect({ host: '127.0.0.1', port })
  target.on('error', () => socket.destroy())
  target.once('connect', () => {
    socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]))
    socket.pipe(target).pipe(socket)
  })
}

async function take(socket: Socket, length: number): Promise<Buffer> {
  for (;;) {
    const chunk = length === 0 ? Buffer.alloc(0) : (socket.read(length) as Buffer | null)
    if (chunk !== null) return chunk
    await new Promise((resolve) => void socket.once('readable', resolve))
  }
}
