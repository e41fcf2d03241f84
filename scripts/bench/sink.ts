import { once } from 'node:events'
import { connect } from 'node:net'

const READ_BYTES = 1 << 20
const TIMEOUT_MS = 60_000
const HEAD_END = '\r\n\r\n'

/**
 * Bytes a second at which a server sends the answer to a GET, for a client that throws everything away: read into one
 * buffer, so that the client costs as little as it can. Rejects unless it is a 200 of the announced length.
 */
export async function measureSink(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const { hostname, port, pathname, search, host } = new URL(url)
  let head = ''
  let received = 0
  const callback = (length: number, buffer: Uint8Array) => {
    if (!head.includes(HEAD_END)) head += Buffer.from(buffer.subarray(0, length)).toString('latin1')
    received += length
    return true
  }
  const onread = { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback }
  const socket = connect({ host: hostname, port: Number(port), noDelay: true, onread })
  await once(socket, 'connect')
  const startedAt = performance.now()
  const lines = Object.entries({ Host: host, Connection: 'close', ...headers }).map(
    ([name, text]) => `${name}: ${text}`,
  )
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`${url}: nothing came any more`)))
  socket.write(`${[`GET ${pathname}${search} HTTP/1.1`, ...lines].join('\r\n')}${HEAD_END}`)
  await once(socket, 'close')
  const seconds = (performance.now() - startedAt) / 1000
  const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1])
  const body = received - head.indexOf(HEAD_END) - HEAD_END.length
  if (!/^HTTP\/1\.1 200 /.test(head) || body !== length) throw new Error(`${url} sent ${body} of ${length} bytes`)
  return body / seconds
}
