import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { type Certificate, getCertificate } from '../sim/certs.ts'
import { defaultCacheDir } from '../sim/index.ts'
import { OriginExchange, type OriginHandler, type OriginLogEntry, type OriginRoute } from './origin-exchange.ts'
import { Live, type LiveOptions, liveSegments, type LiveStream } from './origin-live.ts'
import { OriginMedia, PLAIN_FILES } from './origin-media.ts'
import { PAGE_ROUTES } from './origin-pages.ts'
import { streamRoutes } from './origin-stream.ts'

export type { LiveOptions, LiveStream } from './origin-live.ts'
export type { OriginExchange, OriginHandler, OriginLogEntry } from './origin-exchange.ts'

export type OriginOptions = Readonly<{
  /** Where media and certificates are kept; `test/.cache` when absent. */
  dir?: string
  /** Listens on a second port with TLS, by the authority of the loopback internet. */
  https?: boolean
  /** Address to listen on; `127.0.0.1` when absent. */
  host?: string
}>

type Parts = Readonly<{ media: OriginMedia; host: string; certificate: Certificate | null }>

/**
 * A media server on loopback with real media, made by ffmpeg on first demand. Use with `await using`.
 *
 * | path | what it answers |
 * | --- | --- |
 * | `/small.mp4` `/other.mp4` `/silent.mp4` | H.264 320x180: 6 s with AAC; 8 s with AAC; 6 s without sound |
 * | `/small.webm` `/vp8.webm` | VP9, VP8, both with Opus, 6 s |
 * | `/tone.mp3` `/tone.m4a` `/tone.wav` `/tone.ogg` | 6 s of sound |
 * | `/picture.jpg` | a picture |
 * | `/big/<MiB>.mp4` | a valid mp4 of about that size, all of it media |
 * | `/watch/<path>?…` | a page whose `og:video` is `/<path>?…`, for the generic extractor |
 * | `/page?video=&title=&thumb=` | a page with a `<video>` element of any address (yt-dlp adds ` (1)` to its title) |
 * | `/redirect?to=&status=302` `/redirect-chain?n=5&to=` | one redirect; n of them and then `to` |
 * | `/text/<name>?body=&type=` | these bytes under this name and content type |
 * | `/ffconcat?file=` | an ffconcat script naming that file |
 * | `/bomb/<MiB>?type=` | gzip-encoded zeros, a thousandth of that on the wire |
 * | `/huge-html?mb=256` `/endless?type=&bps=` | a page of that size; bytes until the client leaves |
 * | `/sink?status=&times=` | takes any body, records it in the log, answers 204 |
 * | `/hls/{plain,low,fmp4,encrypted,master}/index.m3u8?gap=2` | 8 s; switches go on to the segments; `gap` is missing |
 * | `/dash/manifest.mpd` | 8 s, one video and one audio track |
 * | `/live/<n>/index.m3u8` | see `startLive` |
 *
 * Switches of files and segments, in the query. Positions count from the start of the file, in bytes or, written with
 * a point, as a part of it; whatever range is asked for, nothing behind them is sent.
 *
 * | switch | effect |
 * | --- | --- |
 * | `bps=N` | N bytes a second |
 * | `norange` `nolength` `close` | ignores ranges; chunked, without a length; ended by closing the connection |
 * | `truncate=0.54` | announces the whole, closes in the middle (ends silently under `nolength` and `close`) |
 * | `reset=BYTES` `stall=BYTES` | resets the connection there; sends nothing more there |
 * | `status=503` | answers that |
 * | `times=2` | the four above hit the first two requests of this very path and query only |
 * | `change` `change=N` | another file, ETag and date from the second (N+1st) request on |
 * | `etag=X` `type=` `disposition=` | that ETag (none when empty), content type, Content-Disposition |
 */
export class Origin implements AsyncDisposable {
  /** Each request in order of arrival. */
  readonly log: OriginLogEntry[] = []
  /** The authority to trust for `httpsUrl`; null without https. */
  readonly caFile: string | null
  readonly #parts: Parts
  readonly #routes: readonly OriginRoute[]
  readonly #extra = new Map<string, OriginHandler>()
  readonly #lives = new Map<string, Live>()
  /** Streams that are over keep their number, so that a later one is never taken for one of them. */
  readonly #gone = new Set<string>()
  readonly #counts = new Map<string, number>()
  readonly #plain: http.Server
  readonly #secure: https.Server | null

  constructor(parts: Parts) {
    this.#parts = parts
    this.caFile = parts.certificate?.caFile ?? null
    const listener = (request: IncomingMessage, response: ServerResponse) => void this.#handle(request, response)
    this.#plain = http.createServer(listener)
    this.#secure = parts.certificate && https.createServer(parts.certificate, listener)
    this.#routes = [
      [/^\/([\w-]+\.\w+)$/, (exchange, [name = '']) => this.#plainFile(exchange, name)],
      [/^\/big\/([1-9]\d{0,3})\.mp4$/, (exchange, [size]) => this.#bigFile(exchange, Number(size))],
      [/^\/live\/(\d+)\/([\w.-]+)$/, (exchange, groups) => this.#live(exchange, groups)],
      ...streamRoutes(parts.media),
      ...PAGE_ROUTES,
    ]
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return `http://${this.#parts.host}:${(this.#plain.address() as AddressInfo).port}`
  }

  /** The same with TLS, or null. */
  get httpsUrl(): string | null {
    return this.#secure && `https://${this.#parts.host}:${(this.#secure.address() as AddressInfo).port}`
  }

  async listen(): Promise<this> {
    for (const server of [this.#plain, this.#secure]) {
      if (!server) continue
      server.listen(0, this.#parts.host)
      await once(server, 'listening')
    }
    return this
  }

  /** Answers a path of the test's own; goes before the built-in ones. */
  on(path: string, handler: OriginHandler): void {
    this.#extra.set(path, handler)
  }

  /** Requests whose path is that. */
  requests(path: string): OriginLogEntry[] {
    return this.log.filter((entry) => entry.path === path)
  }

  /** Starts a live stream; resolves when its media are made and its clock runs. */
  async startLive(options: LiveOptions = {}): Promise<LiveStream> {
    const segments = await liveSegments(this.#parts.media, options)
    const id = String(this.#lives.size)
    const url = `${this.url}/live/${id}/index.m3u8`
    const live = new Live(segments, options, { url, onDispose: () => this.#gone.add(id) })
    this.#lives.set(id, live)
    return live
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const servers = [this.#plain, this.#secure].filter((server) => server !== null)
    const closed = servers.map((server) => once(server, 'close'))
    for (const server of servers) {
      server.close()
      server.closeAllConnections()
    }
    await Promise.all([...closed, this.#parts.media[Symbol.asyncDispose]()])
  }

  async #live(exchange: OriginExchange, [id = '', file = '']: readonly string[]): Promise<void> {
    const live = this.#gone.has(id) ? undefined : this.#lives.get(id)
    if (live) await live.answer(exchange, file)
    else exchange.send(404, 'no such stream')
  }

  async #plainFile(exchange: OriginExchange, name: string): Promise<void> {
    const { media } = this.#parts
    const file = PLAIN_FILES[name]
    const other = PLAIN_FILES['other.mp4']
    if (!file || !other) {
      exchange.send(404, 'no such file')
      return
    }
    const changed = exchange.query.has('change') ? { changed: await media.plain('other.mp4', other) } : {}
    await exchange.serve({ source: await media.plain(name, file), type: file.type, name, ...changed })
  }

  async #bigFile(exchange: OriginExchange, mebibytes: number): Promise<void> {
    const source = await this.#parts.media.big(mebibytes)
    await exchange.serve({ source, type: 'video/mp4', name: `big-${mebibytes}.mp4` })
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url ?? '/'
    const scheme = 'encrypted' in request.socket ? 'https' : 'http'
    const url = URL.parse(target, `${scheme}://${request.headers.host ?? this.#parts.host}`)
    const entry = this.#record(request, response, url?.pathname ?? target)
    const count = (this.#counts.get(target) ?? 0) + 1
    this.#counts.set(target, count)
    try {
      if (url) await this.#dispatch(new OriginExchange(request, response, { url, entry, count }))
      else response.writeHead(400).end()
    } catch (error) {
      if (response.destroyed) return // the client left, or the origin is being disposed
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      if (response.headersSent) response.destroy()
      else response.writeHead(500, { 'content-type': 'text/plain' }).end(text)
    }
  }

  #record(request: IncomingMessage, response: ServerResponse, path: string): OriginLogEntry {
    const { method = '', url = '/', headers } = request
    const at = Date.now()
    const entry: OriginLogEntry = {
      ...{ at, method, url, path, range: headers.range ?? null, headers },
      ...{ body: null, status: 0, bytesSent: 0, aborted: false, ms: null },
    }
    this.log.push(entry)
    response.on('close', () => {
      entry.status = response.statusCode
      entry.aborted ||= !response.writableFinished
      entry.ms = Date.now() - at
    })
    return entry
  }

  async #dispatch(exchange: OriginExchange): Promise<void> {
    const { pathname } = exchange.url
    const extra = this.#extra.get(pathname)
    if (extra) {
      await extra(exchange, [])
      return
    }
    for (const [pattern, handler] of this.#routes) {
      const match = pattern.exec(pathname)
      if (!match) continue
      await handler(
        exchange,
        match.slice(1).map((group) => group ?? ''),
      )
      return
    }
    exchange.send(404, 'no such path')
  }
}

/** Starts a media origin on loopback. */
export async function startOrigin(options: OriginOptions = {}): Promise<Origin> {
  const dir = options.dir ?? defaultCacheDir()
  const { host = '127.0.0.1' } = options
  const names = ['DNS:localhost', `IP:${host}`]
  const certificate = options.https ? await getCertificate(path.join(dir, 'certs'), names) : null
  const media = new OriginMedia(path.join(dir, 'media'))
  return new Origin({ media, host, certificate }).listen()
}
