/**
 * Measures the daemon beside what it is compared with, on this machine, in one run: `npm run bench -- [--json] [--quick]
 * [--only NAME]…`. Exits with 1 when a figure misses its target.
 */
import process from 'node:process'
import { parseArgs } from 'node:util'
import { Bench } from './bench/bench.ts'
import { mediaProxy, parseCached, parseUncached } from './bench/faces.ts'
import { type Figure, isMet } from './bench/figure.ts'
import { history } from './bench/history.ts'
import { cpuOfDownload, filesBesideNginx } from './bench/large.ts'
import { infoBurst, mergeBurst } from './bench/many.ts'
import { infoPlaylist } from './bench/playlist.ts'
import { memory, readyAfterKill } from './bench/state.ts'
import { statusPolls } from './bench/status.ts'
import { eventStreams } from './bench/streams.ts'
import { infoPlain, infoYouTube, mergeDash, mergeYouTube, postToCompleted } from './bench/tasks.ts'

type Measurement = (bench: Bench) => Promise<Figure | readonly Figure[]>

/** By the name of its figure, or what the names of its figures begin with. */
const MEASUREMENTS: Readonly<Record<string, Measurement>> = {
  status_polls: statusPolls,
  post_to_completed: postToCompleted,
  info_plain: infoPlain,
  info_youtube: infoYouTube,
  info_playlist_5000: infoPlaylist,
  info_50_at_once: infoBurst,
  merge_dash: mergeDash,
  merge_youtube: mergeYouTube,
  merge_50_at_once: mergeBurst,
  cpu_large_download: cpuOfDownload,
  files_throughput: filesBesideNginx,
  history,
  memory: memory,
  ready_after_kill: readyAfterKill,
  streams: eventStreams,
  parse_cached: parseCached,
  parse_uncached: parseUncached,
  media_proxy: mediaProxy,
}

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
})

const unknown = options.only.filter((name) => !(name in MEASUREMENTS))
if (unknown.length > 0) {
  console.error(`no figure is called ${unknown.join(', ')}; there are ${Object.keys(MEASUREMENTS).join(', ')}`)
  process.exit(2)
}

await using bench = await Bench.open(options.quick)
if (!options.json) console.log(row(['figure', 'value', 'target', '', '']))
for (const [name, measure] of Object.entries(MEASUREMENTS)) {
  if (options.only.length > 0 && !options.only.includes(name)) continue
  for (const figure of [await measure(bench)].flat()) {
    console.log(options.json ? toJson(figure) : toRow(figure))
    if (isMet(figure) === false) process.exitCode = 1
  }
}

function toJson(figure: Figure): string {
  const { name, value, unit, target, note } = figure
  const limit = 'most' in target ? target.most : target.least
  return JSON.stringify({ name, value, target: limit, unit, ok: isMet(figure), note })
}

function toRow(figure: Figure): string {
  const { name, value, unit, target, note } = figure
  const limit = 'most' in target ? `≤ ${target.most}` : `≥ ${target.least}`
  const met = { true: 'ok', false: 'MISSED', null: '-' }[String(isMet(figure)) as 'true' | 'false' | 'null']
  const suffix = unit === 'ratio' ? '' : ` ${unit}`
  return row([name, value === null ? '-' : value.toFixed(unit === 'MB' ? 1 : 3) + suffix, limit + suffix, met, note])
}

function row([name, value, limit, met, note]: readonly [string, string, string, string, string]): string {
  return `${name.padEnd(20)} ${value.padStart(10)}  ${limit.padEnd(10)} ${met.padEnd(7)} ${note}`.trimEnd()
}
