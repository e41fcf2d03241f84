import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Exchange, Route, SimState } from './exchange.ts'
import { type SiteMedia, widthOf } from './media.ts'
import { type Video, videos } from './youtube-catalog.ts'
import { mediaUrl } from './youtube-formats.ts'

/** A segment appears every two seconds; the files behind them repeat after a minute's worth. */
const SEGMENT_SECONDS = 2
const SEGMENT_FILES = 30
/** How long a stream has been running when it is first asked for. */
const RUNNING_MS = 20_000
const WINDOW_SEGMENTS = 5

const VARIANTS = [
  { itag: 91, height: 144, bandwidth: 290_288 },
  { itag: 93, height: 360, bandwidth: 1_209_862 },
  { itag: 95, height: 720, bandwidth: 3_000_000 },
] as const

type Clock = { readonly startedAt: number; endedAt: number | null }
export type LiveStatus = Readonly<{ startedAt: number; endedAt: number | null; head: number }>

const PLAYLIST_HOST = 'https://manifest.googlevideo.com/api/manifest'

/** The live streams: each starts when it is first asked for and ends when the test says so. */
export class YouTubeLive {
  readonly #media: SiteMedia
  readonly #clocks = new Map<string, Clock>()

  constructor(media: SiteMedia) {
    this.#media = media
  }

  readonly routes: readonly Route[] = [
    [
      /^manifest\.googlevideo\.com$/,
      /^\/api\/manifest\/hls_variant\/.*\/id\/([\w-]{11})/,
      (x, [id = '']) => master(x, id),
    ],
    [
      /^manifest\.googlevideo\.com$/,
      /^\/api\/manifest\/hls_playlist\/.*\/id\/([\w-]{11}).*\/itag\/(\d+)/,
      (x, [id = '', itag = '']) => this.#playlist(x, id, itag),
    ],
    [/\.googlevideo\.com$/, /^\/seg\/(\d+)\/sq\/(\d+)\//, (x, groups) => this.#segment(x, groups)],
  ]

  reset(): void {
    this.#clocks.clear()
  }

  status(id: string, state: SimState): LiveStatus {
    let clock = this.#clocks.get(id)
    if (!clock) {
      clock = { startedAt: Date.now() - RUNNING_MS, endedAt: null }
      this.#clocks.set(id, clock)
    }
    if (state.liveEnded) clock.endedAt ??= Date.now()
    const head = Math.floor(((clock.endedAt ?? Date.now()) - clock.startedAt) / 1000 / SEGMENT_SECONDS)
    return { startedAt: clock.startedAt, endedAt: clock.endedAt, head }
  }

  streamingData(video: Video) {
    const shared = { bitrate: 1e6, targetDurationSec: SEGMENT_SECONDS, maxDvrDurationSec: 43_200 }
    const url = (itag: number) => mediaUrl(video, itag, { live: '1', noclen: '1' })
    const picture = { width: 640, height: 360, fps: 30, quality: 'medium', qualityLabel: '360p' }
    const sound = { quality: 'tiny', audioQuality: 'AUDIO_QUALITY_MEDIUM', audioSampleRate: '44100', audioChannels: 2 }
    return {
      expiresInSeconds: '21540',
      hlsManifestUrl: `${PLAYLIST_HOST}/hls_variant/expire/1999999999/id/${video.id}.1/source/yt_live_broadcast/file/index.m3u8`,
      formats: [],
      adaptiveFormats: [
        { itag: 134, url: url(134), mimeType: 'video/mp4; codecs="avc1.4d401e"', ...shared, ...picture },
        { itag: 140, url: url(140), mimeType: 'audio/mp4; codecs="mp4a.40.2"', ...shared, ...sound },
      ],
    }
  }

  /** A piece of one track by number, for recording from the start; without a number, how many there are. */
  async piece(exchange: Exchange, video: Video, itag: number): Promise<boolean> {
    const { head } = this.status(video.id, exchange.state)
    const headers = { 'x-head-seqnum': String(head) }
    const asked = exchange.query.get('sq')
    if (asked === null) return exchange.send(200, '', 'video/mp4', headers)
    const index = Number(asked)
    if (index > head) return exchange.send(404, '', 'text/plain', headers)
    const dir = await this.#media.fragments(itag === 140 ? 'audio' : 'video', SEGMENT_FILES)
    const fragment = await readFile(path.join(dir, `${index % SEGMENT_FILES}.m4s`))
    const init = index === 0 ? [await readFile(path.join(dir, 'init.mp4'))] : []
    return exchange.send(200, Buffer.concat([...init, fragment]), 'video/mp4', headers)
  }

  #playlist(exchange: Exchange, id: string, itag: string): boolean {
    if (!videos.get(id)?.live) return exchange.send(404, '')
    const { head, endedAt } = this.status(id, exchange.state)
    const first = Math.max(0, head - WINDOW_SEGMENTS)
    const segments = Array.from(
      { length: head - first },
      (_, index) =>
        `#EXTINF:${SEGMENT_SECONDS}.0,\nhttps://rr1---sn-4g5ednsl.googlevideo.com/seg/${itag}/sq/${first + index}/file/seg.ts`,
    )
    return exchange.hls(
      [
        '#EXTM3U\n#EXT-X-VERSION:3',
        `#EXT-X-TARGETDURATION:${SEGMENT_SECONDS}`,
        `#EXT-X-MEDIA-SEQUENCE:${first}`,
        ...segments,
        endedAt === null ? '' : '#EXT-X-ENDLIST\n',
      ].join('\n'),
    )
  }

  async #segment(exchange: Exchange, [itag, sequence]: readonly string[]): Promise<boolean> {
    const variant = VARIANTS.find((candidate) => candidate.itag === Number(itag))
    if (!variant) return false
    const dir = await this.#media.segments(variant.height, SEGMENT_FILES)
    return exchange.file(path.join(dir, `${Number(sequence) % SEGMENT_FILES}.ts`), 'video/mp2t')
  }
}

function master(exchange: Exchange, id: string): boolean {
  const variants = VARIANTS.map(({ itag, height, bandwidth }) => {
    const size = `RESOLUTION=${widthOf(height)}x${height},FRAME-RATE=30,CLOSED-CAPTIONS=NONE`
    const url = `${PLAYLIST_HOST}/hls_playlist/expire/1999999999/id/${id}.1/itag/${itag}/playlist/index.m3u8`
    return `#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth},CODECS="avc1.4d401f,mp4a.40.2",${size}\n${url}\n`
  })
  return exchange.hls(`#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n${variants.join('')}`)
}
