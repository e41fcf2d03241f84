import { existsSync } from 'node:fs'
import type { TestDaemon } from '../../test/support/daemon.ts'
import { complete } from './api.ts'
import type { Bench } from './bench.ts'
import { type Figure, sideBySide, until } from './figure.ts'
import { startNginx } from './nginx.ts'
import { cpuSecondsOf, cpuSecondsOfEnded, treeOf } from './processes.ts'
import { measureSink } from './sink.ts'

const POLL_MS = 100

const sizeOf = (bench: Bench) => (bench.quick ? 256 : 1024)

/** Processor time of a large download, all processes of the daemon together, beside that of the bare process. */
export async function cpuOfDownload(bench: Bench): Promise<Figure> {
  const origin = await bench.origin()
  await using daemon = await bench.daemon()
  const url = () => `${origin.url}/big/${sizeOf(bench)}.mp4?n=${bench.next()}`
  await complete(daemon, 'get_video', { url: `${origin.url}/small.mp4` }, POLL_MS)
  const idle = (await treeOf(daemon.pid)).length
  const pair = await sideBySide(
    bench.quick ? 1 : 3,
    async () => {
      const before = await cpuSecondsOf(daemon.pid)
      await complete(daemon, 'get_video', { url: url() }, POLL_MS)
      await untilAlone(daemon, idle)
      return (await cpuSecondsOf(daemon.pid)) - before
    },
    async () => {
      const before = await cpuSecondsOfEnded()
      await bench.bare(['-q', url()])
      return (await cpuSecondsOfEnded()) - before
    },
  )
  return {
    name: 'cpu_large_download',
    value: pair.ours / pair.theirs,
    unit: 'ratio',
    target: { most: 1.15 },
    note: `${sizeOf(bench)} MiB: ${pair.ours.toFixed(2)} s of processor time, bare ${pair.theirs.toFixed(2)} s`,
  }
}

/** Time of a process counts for its parent once it was waited for, so everything has to have ended. */
function untilAlone(daemon: TestDaemon, idle: number): Promise<void> {
  const look = async () => (await treeOf(daemon.pid)).length <= idle
  return until('the processes of the task to end', look, { everyMs: 10, timeoutMs: 10_000 })
}

/** Bytes a second of a large file, beside nginx with the very same file. */
export async function filesBesideNginx(bench: Bench): Promise<Figure> {
  const figure = { name: 'files_throughput', unit: 'ratio', target: { least: 0.7 } } as const
  const program = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find(existsSync)
  if (program === undefined) return { ...figure, value: null, note: 'skipped: nginx not installed' }
  const origin = await bench.origin()
  await using daemon = await bench.daemon()
  const status = await complete(daemon, 'get_video', { url: `${origin.url}/big/${sizeOf(bench)}.mp4` }, POLL_MS)
  await using nginx = await startNginx(program, { root: daemon.downloads, folder: await bench.folder() })
  const path = String(status['file'])
  const { headers } = daemon.client()
  const pair = await sideBySide(
    bench.quick ? 3 : 9,
    () => measureSink(daemon.url + path, headers),
    () => measureSink(nginx.url + path.replace(/^\/files/, ''), {}),
  )
  const megabytes = (bytes: number) => Math.round(bytes / 1e6)
  const note = `${sizeOf(bench)} MiB: ${megabytes(pair.ours)} MB/s, nginx ${megabytes(pair.theirs)} MB/s`
  return { ...figure, value: pair.ours / pair.theirs, note }
}
