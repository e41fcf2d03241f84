import { createHash } from 'node:crypto'
import { decodesCleanly, probe } from '../support/media.ts'
import type { Origin } from '../support/origin.ts'
import type { Chance } from './random.ts'

/** What a finished file has to be. */
export type Expectation =
  | Readonly<{ kind: 'exactly'; source: string }>
  | Readonly<{ kind: 'media'; seconds: number; tolerance: number }>
  | Readonly<{ kind: 'info' }>

export type Order = Readonly<{ route: string; body: Readonly<Record<string, unknown>>; expected: Expectation }>

type Variant = Readonly<{
  route: string
  path: string
  switches?: string
  fields?: Readonly<Record<string, unknown>>
  expected: Expectation
}>

const INFO: Expectation = { kind: 'info' }
const exactly = (source: string): Expectation => ({ kind: 'exactly', source })
const media = (seconds: number, tolerance = 0.6): Expectation => ({ kind: 'media', seconds, tolerance })
const video = (switches: string): Variant => ({
  route: 'get_video',
  path: '/small.mp4',
  switches,
  expected: exactly('/small.mp4'),
})

/** Small media, and everything that can go wrong on the way to them; most of it mends itself. */
const VARIANTS: readonly (readonly [weight: number, Variant])[] = [
  [30, { route: 'get_info', path: '/small.mp4', expected: INFO }],
  [8, { route: 'get_info', path: '/watch/small.mp4', expected: INFO }],
  [4, { route: 'get_info', path: '/hls/master/index.m3u8', expected: INFO }],
  [12, video('')],
  [4, video('bps=80000')],
  [4, video('truncate=0.5&times=2')],
  [4, video('reset=60000&times=2')],
  [2, video('stall=50000&times=1')],
  [3, video('norange')],
  [3, video('nolength')],
  [3, video('close')],
  [3, video('close&truncate=0.54&times=1')],
  [2, video('status=503&times=2')],
  [2, { route: 'get_video', path: '/hls/plain/index.m3u8', expected: media(8) }],
  [2, { route: 'get_video', path: '/dash/manifest.mpd', expected: media(8) }],
  [6, { route: 'get_audio', path: '/tone.m4a', expected: exactly('/tone.m4a') }],
  [3, { route: 'get_audio', path: '/tone.mp3', switches: 'bps=30000', expected: exactly('/tone.mp3') }],
  [2, { route: 'get_audio', path: '/small.mp4', fields: { output_format: 'mp3' }, expected: media(6) }],
  [
    3,
    {
      route: 'get_video',
      path: '/small.mp4',
      fields: { start_time: 1, end_time: 4, force_keyframes: true },
      expected: media(3),
    },
  ],
  [1, { route: 'get_video', path: '/small.mp4', switches: 'status=404', expected: exactly('/small.mp4') }],
]

/** What the clients ask for, and whether a file is what was asked for. */
export class Catalogue {
  readonly #origin: Origin
  readonly #chance: Chance
  readonly #hashes = new Map<string, string>()

  constructor(origin: Origin, chance: Chance) {
    this.#origin = origin
    this.#chance = chance
  }

  /** Fetches each source once, undisturbed. */
  async prepare(): Promise<void> {
    for (const [, { expected }] of VARIANTS) {
      if (expected.kind !== 'exactly' || this.#hashes.has(expected.source)) continue
      const response = await fetch(this.#origin.url + expected.source)
      this.#hashes.set(expected.source, hashOf(new Uint8Array(await response.arrayBuffer())))
    }
    await Promise.all(
      ['/hls/plain/index.m3u8', '/hls/master/index.m3u8', '/dash/manifest.mpd'].map((path) =>
        fetch(this.#origin.url + path),
      ),
    )
  }

  /** An order whose address holds `token`, so that the task is found by it wherever it turns up. */
  order(token: string): Order {
    const { route, path, switches, fields, expected } = this.#chance.pick(VARIANTS)
    const query = [...(switches ? [switches] : []), `token=${token}`].join('&')
    return { route, expected, body: { url: `${this.#origin.url}${path}?${query}`, ...fields } }
  }

  /** What is wrong with a file; null when it is what was asked for. */
  async faultOf(expected: Expectation, file: Readonly<{ path: string; bytes: Uint8Array }>): Promise<string | null> {
    switch (expected.kind) {
      case 'exactly':
        return hashOf(file.bytes) === this.#hashes.get(expected.source) ? null : `differs from ${expected.source}`
      case 'info':
        return faultOfInfo(new TextDecoder().decode(file.bytes))
      case 'media': {
        const { duration } = await probe(file.path).catch(() => ({ duration: -1 }))
        if (Math.abs(duration - expected.seconds) > expected.tolerance) return `plays ${duration} s`
        return (await decodesCleanly(file.path)) ? null : 'does not decode'
      }
    }
  }
}

export const tokenIn = (url: string): string => new URL(url).searchParams.get('token') ?? ''

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function faultOfInfo(text: string): string | null {
  try {
    const document: unknown = JSON.parse(text)
    return document !== null && typeof document === 'object' && 'title' in document ? null : 'has no title'
  } catch {
    return 'is no JSON'
  }
}
