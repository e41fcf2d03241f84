import { execFile } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { sendZip, zipLength, zipParts, type ZipEntry } from '../../../src/http/files/zip.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/wait-for.ts'

const run = promisify(execFile)
const MODIFIED = Date.UTC(2026, 1, 3, 4, 5, 6)

/** What Python reads in a zip, and whether all checksums hold. */
const READ = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    print(json.dumps({'bad': z.testzip() if sys.argv[2] == 'test' else None, 'files': [
        [i.filename, i.file_size, i.compress_type, i.CRC, list(i.date_time), i.extract_version] for i in z.infolist()]}))
`

type Read = Readonly<{ bad: string | null; files: [string, number, number, number, number[], number][] }>

const read = async (zip: string, how: 'test' | 'list' = 'test'): Promise<Read> =>
  JSON.parse((await run('/usr/bin/python3', ['-c', READ, zip, how])).stdout) as Read

describe('a zip', () => {
  const dir = tempDir()
  let server: http.Server
  let entries: readonly ZipEntry[] = []
  let outcome: Promise<string>

  beforeAll(async () => {
    server = http
      .createServer((_request, response) => {
        response.setHeader('Content-Length', zipLength(entries))
        outcome = sendZip(entries, response).then(() => 'done', String)
      })
      .listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await dir[Symbol.asyncDispose]()
  })

  const ask = async (): Promise<IncomingMessage> => {
    const { port } = server.address() as AddressInfo
    const [response] = (await once(http.get(`http://127.0.0.1:${port}/`), 'response')) as [IncomingMessage]
    return response
  }

  const entryOf = (name: string, content: string | Buffer): ZipEntry => {
    const file = path.join(dir.path, `${fs.readdirSync(dir.path).length}.bin`)
    fs.writeFileSync(file, content)
    return { name, path: file, size: Buffer.byteLength(content), modifiedAt: MODIFIED }
  }

  const sparse = (name: string, size: number): ZipEntry => {
    const entry = entryOf(name, '')
    fs.truncateSync(entry.path, size)
    return { ...entry, size }
  }

  test('holds its files as they are, with names, times and checksums that tools agree with', async () => {
    const large = Buffer.from(Uint32Array.from({ length: 300_000 }, (_, index) => index).buffer)
    entries = [entryOf('01 - Žižkov 🎬 שלום.mp4', large), entryOf('02 - empty.txt', ''), entryOf('03.txt', 'three')]
    const body = await buffer(await ask())
    expect(body.length).toBe(zipLength(entries))
    await expect(outcome).resolves.toBe('done')
    const zip = path.join(dir.path, 'a.zip')
    fs.writeFileSync(zip, body)
    const { bad, files } = await read(zip)
    expect(bad).toBeNull()
    expect(files.map(([name, size, method]) => [name, size, method])).toEqual(
      entries.map(({ name, size }) => [name, size, 0]),
    )
    expect(files[0]?.[4]).toEqual([2026, 2, 3, 4, 5, 6])
    const { stdout } = await run('unzip', ['-t', zip])
    expect(stdout).toContain('No errors detected')
  })

  test('of thousands of files has the length that was announced', async () => {
    const one = entryOf('x', 'x')
    entries = Array.from({ length: 3000 }, (_, index) => ({ ...one, name: `${index} - a name of some length.mp4` }))
    const body = await buffer(await ask())
    expect(body.length).toBe(zipLength(entries))
    const zip = path.join(dir.path, 'many.zip')
    fs.writeFileSync(zip, body)
    const { bad, files } = await read(zip)
    expect([bad, files.length]).toEqual([null, 3000])
  })

  test('counts more than 65,534 files and passes 4 GiB in the 64-bit fields', () => {
    const small = { name: 'n', path: '', size: 0, modifiedAt: 0 }
    const at = (count: number) => zipLength(Array.from({ length: count }, () => small))
    expect(at(0xffff) - at(0xfffe)).toBe(at(2) - at(1) + 76)
    const one = (size: number) => zipLength([{ ...small, size }]) - size
    expect(one(0xfffffffe)).toBe(one(5) + 76) // the directory lies beyond 4 GiB
    expect(one(0xffffffff)).toBe(one(5) + 76 + 20 + 8 + 20)
  })

  test('of more than 4 GiB is read by other tools', async () => {
    const behind = entryOf('behind.txt', 'behind')
    const large = [sparse('large.bin', 2 ** 32 + 5), behind]
    const zip = path.join(dir.path, 'large.zip')
    // Laid out as it is sent, but for the zeros, which a sparse file has anyway.
    const handle = fs.openSync(zip, 'w')
    let position = 0
    const parts = zipParts(large)
    for (let part = parts.next(0); !part.done;) {
      const bytes = Buffer.isBuffer(part.value) ? part.value : Buffer.from(part.value === behind ? 'behind' : '')
      fs.writeSync(handle, bytes, 0, bytes.length, position)
      position += Buffer.isBuffer(part.value) ? bytes.length : part.value.size
      part = parts.next(crc32(bytes))
    }
    fs.closeSync(handle)
    expect(position).toBe(zipLength(large))
    const { files } = await read(zip, 'list')
    expect(files.map(([name, size]) => [name, size])).toEqual([
      ['large.bin', 2 ** 32 + 5],
      ['behind.txt', 6],
    ])
    expect((await run('unzip', ['-p', zip, 'behind.txt'])).stdout).toBe('behind')
    fs.rmSync(zip)
  })

  test('costs no memory, however large', async () => {
    entries = [sparse('first.bin', 2 ** 28), sparse('second.bin', 2 ** 28)]
    const before = process.memoryUsage.rss()
    let highest = before
    let received = 0
    const response = await ask()
    for await (const piece of response as AsyncIterable<Buffer>) {
      received += piece.length
      if (received % 2 ** 22 < piece.length) highest = Math.max(highest, process.memoryUsage.rss())
    }
    await expect(outcome).resolves.toBe('done')
    expect(highest - before).toBeLessThan(128 * 2 ** 20) // the client's pieces are in it, until they are collected
  })

  test('a client that leaves ends it, and no file stays open', async () => {
    entries = [sparse('first.bin', 2 ** 30), sparse('second.bin', 2 ** 30)]
    const response = await ask()
    await once(response, 'readable')
    response.destroy()
    await expect(outcome).resolves.toBe('done')
    await waitFor('the files to be closed', async () => {
      const open = await Promise.all(
        fs.readdirSync('/proc/self/fd').map((fd) => fs.promises.readlink(`/proc/self/fd/${fd}`).catch(() => '')), // closed meanwhile
      )
      return !open.some((name) => entries.some((entry) => entry.path === name))
    })
  })

  test('waits for a client that does not read', async () => {
    entries = [sparse('first.bin', 2 ** 30)]
    const response = await ask()
    await once(response, 'readable')
    const before = process.memoryUsage().rss
    await expect(
      Promise.race([outcome, waitFor('nothing', () => false, 300).catch(() => 'still sending')]),
    ).resolves.toBe('still sending')
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * 2 ** 20)
    response.destroy()
    await expect(outcome).resolves.toBe('done')
  })

  test.each([
    ['is gone', (entry: ZipEntry) => fs.rmSync(entry.path)],
    ['is shorter than it was', (entry: ZipEntry) => fs.truncateSync(entry.path, 1)],
    [
      'is a link now',
      (entry: ZipEntry) => {
        fs.rmSync(entry.path)
        fs.symlinkSync('/etc/passwd', entry.path)
      },
    ],
  ])('is cut off, not made wrong, when a file %s', async (_what, spoil) => {
    const spoilt = entryOf('second.txt', 'second')
    entries = [entryOf('first.txt', 'first'), spoilt]
    spoil(spoilt)
    const response = await ask()
    await expect(pipeline(response, fs.createWriteStream('/dev/null'))).rejects.toThrow('aborted')
    await expect(outcome).resolves.not.toBe('done')
  })
})
