import { once } from 'node:events'
import { readdir, readlink, writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pumpFile } from '../../../src/http/files/pump-file.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/wait-for.ts'

/** Several buffers and a rest; no two places in it look alike. */
const CONTENT = Buffer.from(Uint32Array.from({ length: 700_000 }, (_, index) => index).buffer)

describe('a file as the body of an answer', () => {
  const dir = tempDir()
  const file = path.join(dir.path, 'file.bin')
  let server: Server
  /** How the last call ended. */
  let outcome: Promise<string>

  beforeAll(async () => {
    await writeFile(file, CONTENT)
    server = createServer((request, response) => {
      const query = new URL(request.url ?? '', 'http://host').searchParams
      const length = Number(query.get('length'))
      response.setHeader('Content-Length', length)
      outcome = pumpFile(query.get('file') ?? file, { start: Number(query.get('start')), length }, response).then(
        () => 'done',
        (error: unknown) => {
          if (!response.headersSent) response.writeHead(404).end()
          return String(error)
        },
      )
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    await dir[Symbol.asyncDispose]()
  })

  const ask = async (start: number, length: number, name = file): Promise<IncomingMessage> => {
    const { port } = server.address() as AddressInfo
    const query = new URLSearchParams({ start: String(start), length: String(length), file: name })
    const [response] = (await once(get(`http://127.0.0.1:${port}/?${query.toString()}`), 'response')) as [
      IncomingMessage,
    ]
    return response
  }

  test.each([
    [0, CONTENT.length],
    [0, 1],
    [0, 0],
    [262_144, 262_144],
    [262_143, 524_290],
    [CONTENT.length - 3, 3],
  ])('from %d on, %d bytes arrive as they are', async (start, length) => {
    const body = await buffer(await ask(start, length))
    expect(body.equals(CONTENT.subarray(start, start + length))).toBe(true)
    await expect(outcome).resolves.toBe('done')
  })

  test('a client that leaves ends it, and the file is closed', async () => {
    const response = await ask(0, CONTENT.length)
    await once(response, 'readable')
    response.destroy()
    await expect(outcome).resolves.toBe('done')
    await waitFor('the file to be closed', async () => !(await openFiles()).includes(file))
  })

  test('an answer whose file ends too soon is cut off instead of left hanging', async () => {
    const response = await ask(0, CONTENT.length + 1)
    await expect(buffer(response)).rejects.toThrow('aborted')
    await expect(outcome).resolves.toContain('ends too soon')
  })

  test('a file that is not there is told before the answer has begun', async () => {
    const response = await ask(0, 10, path.join(dir.path, 'missing'))
    response.resume()
    expect(response.statusCode).toBe(404)
    await expect(outcome).resolves.toContain('ENOENT')
  })
})

async function openFiles(): Promise<string[]> {
  const names = await readdir('/proc/self/fd')
  return Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''))) // closed meanwhile
}
