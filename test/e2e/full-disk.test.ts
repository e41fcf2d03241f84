import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { TestDaemon } from '../support/daemon.ts'
import { startOrigin, type Origin } from '../support/origin.ts'
import { waitFor } from '../support/wait-for.ts'

const MIB = 2 ** 20

let origin: Origin

beforeAll(async () => {
  origin = await startOrigin()
  for (const size of [8, 32]) await (await fetch(`${origin.url}/big/${size}.mp4`)).arrayBuffer()
})

afterAll(() => origin[Symbol.asyncDispose]())

/** A daemon whose downloads are on a disk of that size, which nobody else sees. */
async function startOnDisk(mebibytes: number): Promise<{ daemon: TestDaemon; disk: string }> {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'ytdlpd-test-'))
  const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  const mount = `mkdir "$0" && mount -t tmpfs -o size=${mebibytes}m tmpfs "$0" && exec "$@"`
  const launcher = ['unshare', ...asRoot, '--mount', 'sh', '-c', mount, path.join(dir, 'downloads')]
  const daemon = new TestDaemon(dir, { MIN_FREE_BYTES: '2M' }, launcher)
  try {
    await daemon.start()
    return { daemon, disk: `/proc/${daemon.pid}/root${daemon.downloads}` }
  } catch (error) {
    await daemon[Symbol.asyncDispose]()
    throw error
  }
}

const untilFull = (daemon: TestDaemon, id: string) =>
  waitFor(`${id} to find the disk full`, async () => (await daemon.client().status(id))['error_code'] === 'no_space')

test('a task that finds the disk full waits, and goes on by itself when there is space', async () => {
  const { daemon, disk } = await startOnDisk(24)
  await using _daemon = daemon
  const client = daemon.client()
  const ballast = path.join(disk, 'ballast')
  await fs.writeFile(ballast, Buffer.alloc(18 * MIB))
  const id = await client.submit('get_video', { url: `${origin.url}/big/8.mp4` })
  await untilFull(daemon, id)
  expect(await client.status(id)).toMatchObject({ status: 'waiting', wait_reason: 'no_space' })
  await fs.rm(ballast)
  const before = performance.now()
  expect(await client.finish(id)).toMatchObject({ status: 'completed' })
  expect(performance.now() - before).toBeLessThan(20_000)
})

test('a task too large for the disk does not keep it full for all others', async () => {
  const { daemon, disk } = await startOnDisk(24)
  await using _daemon = daemon
  const client = daemon.client()
  const giant = await client.submit('get_video', { url: `${origin.url}/big/32.mp4` })
  await untilFull(daemon, giant)
  await waitFor('its space', async () => (await fs.readdir(path.join(disk, '.work'))).length === 0)
  expect(await client.complete('get_video', { url: `${origin.url}/small.mp4` })).toMatchObject({ file_size: 157_406 })
  expect((await client.get('/health')).body).toMatchObject({ status: 'ok', disk: { full: false } })
})
