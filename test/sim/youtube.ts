import type { Exchange, Route, Site } from './exchange.ts'
import type { SiteMedia } from './media.ts'
import { timedText } from './youtube-captions.ts'
import { playlists, videos } from './youtube-catalog.ts'
import { mediaFile } from './youtube-formats.ts'
import { YouTubeLive } from './youtube-live.ts'
import { channelData, htmlPage, playlistData, playlistItems, searchData, watchNext } from './youtube-pages.ts'
import { playerResponse, unknownVideo } from './youtube-player.ts'

const THUMBNAILS: Readonly<Record<string, readonly [number, number]>> = {
  maxresdefault: [1280, 720],
  hq720: [1280, 720],
  sddefault: [640, 480],
  hqdefault: [480, 360],
  mqdefault: [320, 180],
  default: [120, 90],
}

const PLAYER_SCRIPT = 'var _yt_player={};(function(g){var a={signatureTimestamp:20645};})(_yt_player);'

/**
 * YouTube as yt-dlp sees it without an account: watch pages, the player, browse and search APIs, playlists, a channel,
 * captions, thumbnails, media and live streams. No signature challenges, PO tokens, comments, live chat or SABR.
 */
export class YouTube implements Site {
  readonly hosts = [
    'www.youtube.com',
    'm.youtube.com',
    'youtube.com',
    'music.youtube.com',
    'youtu.be',
    'youtubei.googleapis.com',
    '*.googlevideo.com',
    'i.ytimg.com',
    'yt3.ggpht.com',
    'yt3.googleusercontent.com',
    'suggestqueries-clients6.youtube.com',
  ]
  readonly routes: readonly Route[]
  readonly #media: SiteMedia
  readonly #live: YouTubeLive

  constructor(media: SiteMedia) {
    this.#media = media
    this.#live = new YouTubeLive(media)
    this.routes = [
      [/^youtu\.be$/, /^\/(.+)/, (exchange, [id]) => exchange.redirect(`https://www.youtube.com/watch?v=${id}`)],
      [/^i\.ytimg\.com$/, /./, (exchange) => this.#thumbnail(exchange)],
      [/\.(ggpht|googleusercontent)\.com$/, /./, (exchange) => this.#avatar(exchange)],
      ...this.#live.routes,
      [/\.googlevideo\.com$/, /^\/videoplayback$/, (exchange) => this.#playback(exchange)],
      [null, /^\/api\/timedtext$/, timedText],
      [null, /^\/youtubei\/v1\/player$/, (exchange) => this.#player(exchange)],
      [null, /^\/youtubei\/v1\/next$/, next],
      [null, /^\/youtubei\/v1\/browse$/, browse],
      [null, /^\/youtubei\/v1\/navigation\/resolve_url$/, resolveUrl],
      [null, /^\/youtubei\/v1\/search$/, (exchange) => exchange.json(searchData())],
      [null, /^\/watch$/, (exchange) => this.#watch(exchange)],
      [null, /^\/playlist$/, (exchange) => exchange.html(htmlPage(playlistData(exchange.query.get('list') ?? '')))],
      [
        null,
        /^\/(?:@[\w.-]+|channel\/UC[\w-]+)(?:\/(videos|shorts|streams))?$/,
        (exchange, [tab]) => exchange.html(htmlPage(channelData(tab === undefined || tab === '' ? 'videos' : tab))),
      ],
      [null, /^\/(?:|tv|iframe_api|embed\/.*)$/, (exchange) => exchange.html(htmlPage({ contents: {} }))],
      [null, /^\/s\/player\//, (exchange) => exchange.send(200, PLAYER_SCRIPT, 'text/javascript')],
    ]
  }

  reset(): void {
    this.#live.reset()
  }

  async #thumbnail(exchange: Exchange): Promise<boolean> {
    const match = /^\/vi(?:_webp)?\/([\w-]{11})\/(\w+?)(?:_live)?\.(jpg|webp)$/.exec(exchange.path)
    const [, id = '', name = '', extension] = match ?? []
    const size = THUMBNAILS[name]
    if (!size || !videos.has(id)) return exchange.send(404, '')
    const type = extension === 'webp' ? 'webp' : 'jpg'
    const variant = id.charCodeAt(10) % 7
    const file = await this.#media.image({ width: size[0], height: size[1] }, variant, type)
    return exchange.file(file, type === 'webp' ? 'image/webp' : 'image/jpeg')
  }

  async #avatar(exchange: Exchange): Promise<boolean> {
    return exchange.file(await this.#media.image({ width: 176, height: 176 }), 'image/jpeg')
  }

  #response(exchange: Exchange, id: string, client: string) {
    const video = videos.get(id)
    if (!video) return unknownVideo(id)
    return playerResponse(video, client, { media: this.#media, live: this.#live, state: exchange.state })
  }

  #player(exchange: Exchange): boolean {
    const body = exchange.jsonBody as { videoId?: string; context?: { client?: { clientName?: string } } }
    return exchange.json(this.#response(exchange, body.videoId ?? '', body.context?.client?.clientName ?? ''))
  }

  #watch(exchange: Exchange): boolean {
    const id = exchange.query.get('v') ?? ''
    const video = videos.get(id)
    const player = this.#response(exchange, id, 'WEB')
    if (!video) return exchange.html(htmlPage({ contents: {} }, player))
    const listId = exchange.query.get('list') ?? ''
    const playlist = playlists.get(listId)
    const data = playlist ? watchNext(video, { id: listId, playlist }) : watchNext(video)
    const image = `https://i.ytimg.com/vi/${id}/maxresdefault.jpg`
    return exchange.html(
      htmlPage(data, player, `<title>${video.title} - YouTube</title><meta property="og:image" content="${image}">`),
    )
  }

  async #playback(exchange: Exchange): Promise<boolean> {
    const { query, state } = exchange
    const video = videos.get(query.get('id') ?? '')
    if (!video) return exchange.send(403, '')
    const itag = Number(query.get('itag'))
    if (query.has('live')) return this.#live.piece(exchange, video, itag)
    const file = await mediaFile(this.#media, video, itag)
    return file ? exchange.file(file.path, file.type, state.bps) : exchange.send(404, '')
  }
}

function next(exchange: Exchange): boolean {
  const video = videos.get(String(exchange.jsonBody['videoId']))
  return exchange.json(video ? watchNext(video) : { contents: {} })
}

function browse(exchange: Exchange): boolean {
  const { continuation, browseId } = exchange.jsonBody as { continuation?: string; browseId?: string }
  const match = /^continue:(.+):(\d+)$/.exec(continuation ?? '')
  if (!match) return exchange.json(playlistData((browseId ?? '').replace(/^VL/, '')))
  const [, id = '', from] = match
  const appendContinuationItemsAction = { continuationItems: playlistItems(id, Number(from)) }
  return exchange.json({ onResponseReceivedActions: [{ appendContinuationItemsAction }] })
}

function resolveUrl(exchange: Exchange): boolean {
  const list = URL.parse(String(exchange.jsonBody['url']))?.searchParams.get('list')
  return exchange.json(list ? { endpoint: { browseEndpoint: { browseId: `VL${list}` } } } : {})
}
