import type { TestDaemon } from '../../test/support/daemon.ts'
import { Api, type Body } from './api.ts'
import type { Bench } from './bench.ts'
import { type Figure, sideBySide, timed } from './figure.ts'
import { BARE_MERGED, MERGED } from './tasks.ts'

/** Bare processes at a time: as many as the daemon runs tasks. */
const POOL = 4
/** One task at a time is looked at, until it has ended. */
const POLL_MS = 20

const WATCH = 'https://www.youtube.com/watch?v='

type Burst = Readonly<{
  name: string
  least: number
  daemon: TestDaemon
  /** The body of one task of kind `kind`, and the arguments of the bare process for the same. */
  kind: string
  url: () => string
  options: Body
  bare: (url: string) => Promise<unknown>
}>

export async function infoBurst(bench: Bench): Promise<Figure> {
  const origin = await bench.origin()
  await using daemon = await bench.daemon()
  return await burst(bench, {
    name: 'info_50_at_once',
    least: 4,
    daemon,
    kind: 'get_info',
    url: () => `${origin.url}/small.mp4?n=${bench.next()}`,
    options: {},
    bare: (url) => bench.bare(['-J', url]),
  })
}

export async function mergeBurst(bench: Bench): Promise<Figure> {
  const sim = await bench.sim()
  await using daemon = await bench.simDaemon()
  return await burst(bench, {
    name: 'merge_50_at_once',
    least: 2.2,
    daemon,
    kind: 'get_video',
    url: () => `${WATCH}simBulk${String(bench.next() % 250).padStart(4, '0')}`,
    options: MERGED,
    bare: (url) => bench.bare(['-q', ...BARE_MERGED, url], sim),
  })
}

/** Tasks a second from the first submission to the last completion. */
async function burst(bench: Bench, { name, least, daemon, kind, url, options, bare }: Burst): Promise<Figure> {
  const count = bench.quick ? 16 : 50
  const sizeOf = (round: number) => (round === 0 ? POOL : count) // the first is for warming up
  const rate = async (tasks: number, run: () => Promise<unknown>) => tasks / ((await timed(run)) / 1000)
  const pair = await sideBySide(
    bench.quick ? 1 : 3,
    (round) => rate(sizeOf(round), () => allAtOnce(daemon, kind, addresses(sizeOf(round), url), options)),
    (round) => rate(sizeOf(round), () => inPool(addresses(sizeOf(round), url), bare)),
  )
  return {
    name,
    value: pair.ours / pair.theirs,
    unit: 'ratio',
    target: { least },
    note: `${pair.ours.toFixed(2)} tasks/s, ${POOL} bare processes ${pair.theirs.toFixed(2)}`,
  }
}

const addresses = (count: number, url: () => string) => Array.from({ length: count }, url)

async function allAtOnce(daemon: TestDaemon, kind: string, urls: readonly string[], options: Body): Promise<void> {
  using api = new Api(daemon)
  const ids = await Promise.all(urls.map((url) => api.submit(kind, { url, ...options })))
  for (const id of ids) await api.finish(id, POLL_MS)
}

async function inPool(urls: readonly string[], bare: (url: string) => Promise<unknown>): Promise<void> {
  const left = [...urls]
  const work = async () => {
    for (let url = left.shift(); url !== undefined; url = left.shift()) await bare(url)
  }
  await Promise.all(Array.from({ length: POOL }, work))
}
