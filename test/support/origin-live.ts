import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { OriginExchange } from './origin-exchange.ts'
import type { OriginMedia, Segments } from './origin-media.ts'
import { encryptSegment, PLAYLIST_TYPE, SEGMENT_TYPE, STREAM_KEY } from './origin-stream.ts'

export type LiveOptions = Readonly<{
  /** 2 when absent. */
  segmentSeconds?: 1 | 2
  /** Segments in the playlist; 5 when absent. */
  window?: number
  encrypted?: boolean
  /** A master playlist with a video track and an audio rendition of its own, instead of one muxed playlist. */
  separateAudio?: boolean
  /** Seconds the stream has been running when it starts; a full window when absent. */
  history?: number
  /** Seconds after which it ends by itself; 120 when absent. */
  seconds?: number
}>

export interface LiveStream extends AsyncDisposable {
  readonly url: string
  /** When second 0 of the stream was, milliseconds since 1970. */
  readonly startedAt: number
  /** Ends the stream: the playlist keeps what it has and says so. */
  end(): Promise<void>
  /** The playlist stays as it is, as of an encoder that hangs. */
  freeze(): void
}

type Track = 'muxed' | 'video' | 'audio'

const MASTER = `#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=200000,RESOLUTION=256x64,CODECS="avc1.42c00b,mp4a.40.2",AUDIO="sound"
video.m3u8
`

/**
 * A live stream on the clock of the wall: each segment appears when its last second is over, leaves the playlist when
 * the window has moved on, and is gone one window later, as on a real server. Sound and picture carry the stream's
 * second (`readStreamPosition`).
 */
export class Live implements LiveStream {
  readonly url: string
  readonly startedAt: number
  readonly #segments: ReadonlyMap<string, Segments>
  readonly #segmentSeconds: number
  readonly #window: number
  readonly #encrypted: boolean
  #stoppedAt: number | null = null
  #ended = false
  readonly #onDispose: () => void

  constructor(
    segments: ReadonlyMap<string, Segments>,
    options: LiveOptions,
    from: Readonly<{ url: string; onDispose: () => void }>,
  ) {
    const { segmentSeconds = 2, window = 5, encrypted = false } = options
    this.#segments = segments
    this.#segmentSeconds = segmentSeconds
    this.#window = window
    this.#encrypted = encrypted
    this.startedAt = Date.now() - (options.history ?? window * segmentSeconds) * 1000
    this.url = from.url
    this.#onDispose = from.onDispose
  }

  async end(): Promise<void> {
    this.#stoppedAt ??= Date.now()
    this.#ended = true
  }

  freeze(): void {
    this.#stoppedAt ??= Date.now()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#onDispose()
  }

  async answer(exchange: OriginExchange, file: string): Promise<void> {
    const headers = { 'cache-control': 'no-store' }
    if (file === 'key.bin') {
      exchange.send(200, STREAM_KEY, 'application/octet-stream', headers)
      return
    }
    if (file === 'index.m3u8' && !this.#segments.has('muxed')) {
      exchange.send(200, MASTER, PLAYLIST_TYPE, headers)
      return
    }
    const [, playlistTrack, segmentTrack, number] = /^(?:(\w+)\.m3u8|(\w+)-(\d+)\.ts)$/.exec(file) ?? []
    const track = playlistTrack === 'index' ? 'muxed' : (playlistTrack ?? segmentTrack ?? '')
    const segments = this.#segments.get(track)
    if (!segments) exchange.send(404, 'no such track')
    else if (number === undefined) exchange.send(200, this.#playlist(track as Track, segments), PLAYLIST_TYPE, headers)
    else await this.#segment(exchange, segments, Number(number))
  }

  /** Number of segments that are complete, and the first that is listed. */
  #range({ durations }: Segments): Readonly<{ first: number; head: number; isOver: boolean }> {
    const seconds = ((this.#stoppedAt ?? Date.now()) - this.startedAt) / 1000
    const head = Math.min(durations.length, Math.floor(seconds / this.#segmentSeconds))
    return { first: Math.max(0, head - this.#window), head, isOver: this.#ended || head === durations.length }
  }

  #playlist(track: Track, segments: Segments): string {
    const { first, head, isOver } = this.#range(segments)
    const listed = segments.durations.slice(first, head)
    const startsAt = this.startedAt + first * this.#segmentSeconds * 1000
    const lines = listed.map((duration, index) => {
      const date = new Date(startsAt + index * this.#segmentSeconds * 1000).toISOString()
      return `#EXT-X-PROGRAM-DATE-TIME:${date}\n#EXTINF:${duration},\n${track}-${first + index}.ts`
    })
    return [
      '#EXTM3U\n#EXT-X-VERSION:3',
      `#EXT-X-TARGETDURATION:${Math.round(Math.max(this.#segmentSeconds, ...listed))}`,
      `#EXT-X-MEDIA-SEQUENCE:${first}`,
      ...(this.#encrypted ? ['#EXT-X-KEY:METHOD=AES-128,URI="key.bin"'] : []),
      ...lines,
      ...(isOver ? ['#EXT-X-ENDLIST'] : []),
      '',
    ].join('\n')
  }

  async #segment(exchange: OriginExchange, segments: Segments, index: number): Promise<void> {
    const { first, head } = this.#range(segments)
    if (index >= head || index < first - this.#window) {
      exchange.send(404, index >= head ? 'not yet' : 'gone')
      return
    }
    const bytes = await readFile(path.join(segments.dir, `${index}.ts`))
    const source = this.#encrypted ? encryptSegment(bytes, index) : bytes
    await exchange.serve({ source, type: SEGMENT_TYPE, name: `${index}.ts` })
  }
}

/** Makes the segments of the stream; the clock starts when this is done. */
export async function liveSegments(media: OriginMedia, options: LiveOptions): Promise<Map<string, Segments>> {
  const { segmentSeconds = 2, seconds = 120, separateAudio = false } = options
  const tracks: readonly Track[] = separateAudio ? ['video', 'audio'] : ['muxed']
  const made = tracks.map(async (track) => [track, await media.live({ track, segmentSeconds, seconds })] as const)
  return new Map(await Promise.all(made))
}
