import type { Exchange, Route, Site } from './exchange.ts'
import type { SiteMedia } from './media.ts'

const MEDIA = 'https://v16-webapp-prime.tiktok.com'
const COVERS = 'https://p16-sign.tiktokcdn-us.com/c'
const SECONDS = 15

export type TikTokItem = Readonly<{ id: string }> & Readonly<Record<string, unknown>>

function bitrate([gear, width, height, bits]: readonly [string, number, number, number]) {
  const label = width === 576 ? 540 : width
  return {
    Bitrate: bits,
    GearName: gear,
    QualityType: 20,
    CodecType: 'h264',
    PlayAddr: {
      DataSize: String(Math.floor((bits * SECONDS) / 8)),
      Width: width,
      Height: height,
      Uri: 'v1',
      UrlKey: `v1_h264_${label}p_${bits}`,
      UrlList: [`${MEDIA}/video/${width}x${height}/${SECONDS}.mp4?br=${bits}`],
    },
  }
}

const video = (id: string) => ({
  id,
  duration: SECONDS,
  width: 576,
  height: 1024,
  ratio: '540p',
  cover: `${COVERS}/576x1024/1.jpg`,
  originCover: `${COVERS}/576x1024/2.jpg`,
  playAddr: `${MEDIA}/video/576x1024/${SECONDS}.mp4?x=1`,
  downloadAddr: `${MEDIA}/video/576x1024/${SECONDS}.mp4?wm=1`,
  format: 'mp4',
  bitrateInfo: (
    [
      ['normal_720_0', 720, 1280, 1_500_000],
      ['normal_540_0', 576, 1024, 900_000],
      ['lower_540_1', 576, 1024, 500_000],
    ] as const
  ).map(bitrate),
})

const item = (id: string, content: Readonly<Record<string, unknown>> = {}): TikTokItem => ({
  id,
  desc: `TikTok sim ${id} #fyp`,
  createTime: '1715960000',
  author: { id: '6800', uniqueId: 'simtok', nickname: 'Sim Tok', secUid: 'MS4wLjABAAAAsim' },
  music: {
    id: '1',
    title: 'original sound',
    authorName: 'Sim Tok',
    duration: SECONDS,
    playUrl: `https://sf16-ies-music.tiktokcdn.com/a/${SECONDS}.m4a?mime_type=audio_mp4`,
  },
  stats: { diggCount: 100, shareCount: 5, commentCount: 7, playCount: 12_345, collectCount: 3 },
  video: video(id),
  ...content,
})

const photoPost = item('7300000000000000003', {
  desc: 'photo post',
  video: { id: '', duration: 0, width: 0, height: 0, cover: `${COVERS}/1080x1440/1.jpg` },
  imagePost: {
    title: 'photo post',
    images: [1, 2, 3].map((n) => ({
      imageURL: { urlList: [`${COVERS}/1080x1440/${n}.jpg`] },
      imageWidth: 1080,
      imageHeight: 1440,
    })),
  },
})

/** By id. A test may add its own. */
export const items = new Map<string, TikTokItem>(
  [item('7300000000000000001'), item('7300000000000000002', { desc: '' }), photoPost].map((entry) => [entry.id, entry]),
)

/** Status codes of posts that cannot be seen: private, blocked address, private account. */
export const refusals = new Map<string, number>([
  ['7300000000000000091', 10_216],
  ['7300000000000000092', 10_204],
  ['7300000000000000093', 10_222],
])

/** TikTok: post pages, short links, media. */
export class TikTok implements Site {
  readonly hosts = [
    'www.tiktok.com',
    'tiktok.com',
    'm.tiktok.com',
    'vm.tiktok.com',
    'v16-webapp-prime.tiktok.com',
    '*.tiktokcdn.com',
    '*.tiktokcdn-us.com',
  ]
  readonly routes: readonly Route[]

  constructor(media: SiteMedia) {
    this.routes = [
      [
        null,
        /^\/video\/(\d+)x(\d+)\/(\d+)\.mp4/,
        async (exchange, [width, height, seconds]) => {
          const size = { width: Number(width), height: Number(height), fps: 30, seconds: Number(seconds) }
          return exchange.file(await media.muxed(size), 'video/mp4')
        },
      ],
      [
        null,
        /^\/a\/(\d+)\.m4a/,
        async (exchange, [seconds]) =>
          exchange.file(await media.audio({ codec: 'aac', kbps: 128, seconds: Number(seconds) }), 'audio/mp4'),
      ],
      [
        null,
        /^\/c\/(\d+)x(\d+)\/(\d)\.jpg/,
        async (exchange, [width, height, variant]) =>
          exchange.file(
            await media.image({ width: Number(width), height: Number(height) }, Number(variant)),
            'image/jpeg',
          ),
      ],
      [
        /^vm\.tiktok\.com$/,
        /./,
        (exchange) => exchange.redirect('https://www.tiktok.com/@simtok/video/7300000000000000001'),
      ],
      [null, /^\/@[^/]*\/(?:video|photo)\/(\d+)/, postPage],
    ]
  }
}

function postPage(exchange: Exchange, [id = '']: readonly string[]): boolean {
  const found = items.get(id)
  const detail = found
    ? { statusCode: 0, itemInfo: { itemStruct: found } }
    : { statusCode: refusals.get(id) ?? 10_204, statusMsg: "item doesn't exist" }
  const data = JSON.stringify({ __DEFAULT_SCOPE__: { 'webapp.video-detail': detail } })
  return exchange.html(
    `<html><script id="__UNIVERSAL_DATA_FOR_REHYDRATION__" type="application/json">${data}</script></html>`,
  )
}
