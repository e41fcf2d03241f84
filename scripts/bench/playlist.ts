import { addBulkPlaylist } from '../../test/sim/youtube-catalog.ts'
import type { Bench } from './bench.ts'
import { type Figure, sideBySide, timed } from './figure.ts'

const ENTRIES = 5_000

/** The first page of a long list of the simulated YouTube, which has to be read whole by both. */
export async function infoPlaylist(bench: Bench): Promise<Figure> {
  const sim = await bench.sim()
  await using daemon = await bench.simDaemon()
  const client = daemon.client()
  const url = `https://www.youtube.com/playlist?list=${addBulkPlaylist(ENTRIES)}`
  const pair = await sideBySide(
    bench.quick ? 2 : 5,
    () =>
      timed(async () => {
        const { status, body } = await client.get(`/v1/info?limit=50&url=${encodeURIComponent(url)}`)
        if (status !== 200 || body['count'] !== ENTRIES) throw new Error(`GET /v1/info: ${JSON.stringify(body)}`)
      }),
    () => timed(() => bench.bare(['--flat-playlist', '-J', url], sim)),
  )
  const [ours, bare] = [pair.ours, pair.theirs].map((ms) => `${(ms / 1000).toFixed(3)} s`)
  return {
    name: 'info_playlist_5000',
    value: pair.ours / pair.theirs,
    unit: 'ratio',
    target: { most: 1.3 },
    note: `first page ${ours}, bare --flat-playlist -J ${bare}`,
  }
}
