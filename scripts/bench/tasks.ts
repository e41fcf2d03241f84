import { complete } from './api.ts'
import type { Bench } from './bench.ts'
import { type Figure, sideBySide, timed } from './figure.ts'

/** Finer than what is measured, and seldom enough to cost next to nothing. */
const POLL_MS = 5

const WATCH = 'https://www.youtube.com/watch?v='

/** One video and one sound of a small video, joined: what most people ask for. */
export const TRACKS = { video: 'bestvideo[height<=360]', audio: 'bestaudio' } as const
export const MERGED = { video_format: TRACKS.video, audio_format: TRACKS.audio }
export const BARE_MERGED = ['-f', `${TRACKS.video}+${TRACKS.audio}`, '--merge-output-format', 'mp4']

const seconds = (ms: number) => `${(ms / 1000).toFixed(3)} s`

type Comparison = Readonly<{
  name: string
  most: number
  ours: (round: number) => Promise<unknown>
  bare: (round: number) => Promise<unknown>
}>

async function compare(bench: Bench, { name, most, ours, bare }: Comparison): Promise<Figure> {
  const pair = await sideBySide(
    bench.quick ? 3 : 9,
    (round) => timed(() => ours(round)),
    (round) => timed(() => bare(round)),
  )
  const note = `${seconds(pair.ours)}, bare ${seconds(pair.theirs)}`
  return { name, value: pair.ours / pair.theirs, unit: 'ratio', target: { most }, note }
}

export async function postToCompleted(bench: Bench): Promise<Figure> {
  const origin = await bench.origin()
  await using daemon = await bench.daemon()
  const url = () => `${origin.url}/small.mp4?n=${bench.next()}`
  return await compare(bench, {
    name: 'post_to_completed',
    most: 1.25,
    ours: () => complete(daemon, 'get_video', { url: url() }, POLL_MS),
    bare: () => bench.bare(['-q', url()]),
  })
}

export async function infoPlain(bench: Bench): Promise<Figure> {
  const origin = await bench.origin()
  await using daemon = await bench.daemon()
  const url = () => `${origin.url}/small.mp4?n=${bench.next()}`
  return await compare(bench, {
    name: 'info_plain',
    most: 0.15,
    ours: () => complete(daemon, 'get_info', { url: url() }, POLL_MS),
    bare: () => bench.bare(['-J', url()]),
  })
}

export async function infoYouTube(bench: Bench): Promise<Figure> {
  const sim = await bench.sim()
  await using daemon = await bench.simDaemon()
  const url = `${WATCH}dQw4w9WgXcQ`
  return await compare(bench, {
    name: 'info_youtube',
    most: 0.35,
    ours: () => complete(daemon, 'get_info', { url }, POLL_MS),
    bare: () => bench.bare(['-J', url], sim),
  })
}

/** Two tracks in pieces from a server on this machine. */
export async function mergeDash(bench: Bench): Promise<Figure> {
  const origin = await bench.origin()
  await using daemon = await bench.daemon()
  const url = () => `${origin.url}/dash/manifest.mpd?n=${bench.next()}`
  return await compare(bench, {
    name: 'merge_dash',
    most: 0.5,
    ours: () => complete(daemon, 'get_video', { url: url(), ...MERGED }, POLL_MS),
    bare: () => bench.bare(['-q', ...BARE_MERGED, url()]),
  })
}

/** Two tracks of a video of the simulated YouTube. */
export async function mergeYouTube(bench: Bench): Promise<Figure> {
  const sim = await bench.sim()
  await using daemon = await bench.simDaemon()
  const url = `${WATCH}simPlain002`
  return await compare(bench, {
    name: 'merge_youtube',
    most: 0.5,
    ours: () => complete(daemon, 'get_video', { url, ...MERGED }, POLL_MS),
    bare: () => bench.bare(['-q', ...BARE_MERGED, url], sim),
  })
}
