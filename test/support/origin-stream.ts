import { createCipheriv } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { OriginExchange, OriginRoute } from './origin-exchange.ts'
import type { OriginMedia } from './origin-media.ts'

export const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl'
export const SEGMENT_TYPE = 'video/mp2t'

/** The key of every encrypted stream. */
export const STREAM_KEY = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')

/** AES-128 as HLS has it when the playlist names no IV: the segment's number is the IV. */
export function encryptSegment(segment: Buffer, index: number): Buffer {
  const iv = Buffer.alloc(16)
  iv.writeUInt32BE(index, 12)
  const cipher = createCipheriv('aes-128-cbc', STREAM_KEY, iv)
  return Buffer.concat([cipher.update(segment), cipher.final()])
}

const TYPES: Readonly<Record<string, string>> = {
  '.m3u8': PLAYLIST_TYPE,
  '.ts': SEGMENT_TYPE,
  '.m4s': 'video/mp4',
  '.mp4': 'video/mp4',
  '.mpd': 'application/dash+xml',
}
const typeOf = (name: string): string => TYPES[path.extname(name)] ?? 'application/octet-stream'

type HlsName = 'plain' | 'low' | 'fmp4'
const folderOf = (name: string): HlsName => (name === 'encrypted' ? 'plain' : (name as HlsName))

const MASTER = `#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=120000,RESOLUTION=160x90,CODECS="avc1.42c00b,mp4a.40.2"
../low/index.m3u8{query}
#EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=320x180,CODECS="avc1.42c00d,mp4a.40.2"
../plain/index.m3u8{query}
`

/** The playlist with the query's switches passed on to its segments; `gap` names one that is not there. */
async function mediaPlaylist(media: OriginMedia, exchange: OriginExchange, name: string): Promise<void> {
  const text = await readFile(path.join(await media.hls(folderOf(name)), 'index.m3u8'), 'utf8')
  const gap = exchange.query.get('gap')
  const key = name === 'encrypted' ? '#EXT-X-KEY:METHOD=AES-128,URI="key.bin"\n' : ''
  const playlist = text
    .replace('#EXTINF', `${key}#EXTINF`)
    .replaceAll(/^(\d+)\.(ts|m4s)$/gm, (segment, index: string) =>
      index === gap ? `missing-${segment}` : `${segment}${exchange.url.search}`,
    )
  exchange.send(200, playlist, PLAYLIST_TYPE)
}

async function segment(
  media: OriginMedia,
  exchange: OriginExchange,
  [name = '', file = '']: readonly string[],
): Promise<void> {
  const source = path.join(await media.hls(folderOf(name)), file)
  const type = typeOf(file)
  if (name !== 'encrypted') return exchange.serve({ source, type, name: file })
  const bytes = encryptSegment(await readFile(source), Number.parseInt(file, 10))
  return exchange.serve({ source: bytes, type, name: file })
}

/** Finished streams: HLS under `/hls/<name>/`, DASH under `/dash/`. */
export const streamRoutes = (media: OriginMedia): OriginRoute[] => [
  [
    /^\/hls\/master\/index\.m3u8$/,
    (exchange) => exchange.send(200, MASTER.replaceAll('{query}', exchange.url.search), PLAYLIST_TYPE),
  ],
  [/^\/hls\/(plain|low|fmp4|encrypted)\/index\.m3u8$/, (exchange, [name = '']) => mediaPlaylist(media, exchange, name)],
  [/^\/hls\/encrypted\/key\.bin$/, (exchange) => exchange.send(200, STREAM_KEY, 'application/octet-stream')],
  [
    /^\/hls\/(plain|low|fmp4|encrypted)\/([0-3]\.ts|[0-3]\.m4s|init\.mp4)$/,
    (exchange, groups) => segment(media, exchange, groups),
  ],
  [
    /^\/dash\/([\w.-]+\.(?:mpd|m4s))$/,
    async (exchange, [file = '']) =>
      exchange.serve({ source: path.join(await media.dash(), file), type: typeOf(file), name: file }),
  ],
]
