import type { Exchange, Route, Site } from './exchange.ts'
import { type SiteMedia, type VideoCodec, widthOf } from './media.ts'

const MEDIA = 'https://upos-sz-mirrorcos.bilivideo.com/upgcxcode'
const KEYS = 'https://i0.hdslb.com/bfs/wbi'
const SECONDS = 20

export type BilibiliVideo = Readonly<{
  bvid: string
  aid: number
  cid: number
  title: string
  desc: string
  duration: number
  pubdate: number
  pic: string
  stat: Readonly<Record<string, number>>
  rights: object
  pages: readonly Readonly<{ cid: number; page: number; part: string; duration: number }>[]
}>

const page = (cid: number, number: number, part: string) => ({ cid, page: number, part, duration: SECONDS })
const shared = { duration: SECONDS, pubdate: 1_715_960_000, rights: {} } as const

/** By BV id. A test may add its own. */
export const videos = new Map<string, BilibiliVideo>(
  [
    {
      ...shared,
      bvid: 'BV1sim411x7Q',
      aid: 170_001,
      cid: 271_001,
      title: 'B站模拟视频',
      desc: '简介',
      pic: 'http://i0.hdslb.com/bfs/1280x720/1.jpg',
      stat: { view: 1000, like: 50, reply: 3 },
      pages: [page(271_001, 1, 'p1')],
    },
    {
      ...shared,
      bvid: 'BV1ant411x7Q',
      aid: 170_002,
      cid: 271_011,
      title: '合集',
      desc: '',
      pic: 'http://i0.hdslb.com/bfs/1280x720/2.jpg',
      stat: {},
      pages: [1, 2, 3].map((n) => page(271_010 + n, n, `第${n}集`)),
    },
  ].map((video) => [video.bvid, video]),
)

/** Codes of videos that cannot be seen: deleted, login required. */
export const refusals = new Map<string, number>([
  ['BV1del411x7Q', -404],
  ['BV1log411x7Q', -403],
])

const CODECS: Readonly<Record<VideoCodec, string>> = { h264: 'avc1.640032', av1: 'av01.0.08M.08', vp9: 'vp09.00.40.08' }

const videoTrack = (id: number, height: number, codec: VideoCodec) => {
  const bandwidth = height * (codec === 'h264' ? 2000 : 1200)
  return {
    id,
    baseUrl: `${MEDIA}/v/${height}/${codec}/${SECONDS}/sim-1-${30_000 + id}.m4s?e=1`,
    mimeType: 'video/mp4',
    codecs: CODECS[codec],
    width: widthOf(height),
    height,
    frameRate: '30',
    bandwidth,
    size: Math.floor((bandwidth * SECONDS) / 8),
  }
}

const audioTrack = (id: number, kbps: number) => ({
  id,
  baseUrl: `${MEDIA}/a/${kbps}/${SECONDS}/sim-1-${id}.m4s?e=1`,
  mimeType: 'audio/mp4',
  codecs: 'mp4a.40.2',
  bandwidth: kbps * 1000,
  size: kbps * 125 * SECONDS,
})

const QUALITIES = [
  [80, 1080],
  [64, 720],
  [32, 480],
  [16, 360],
] as const
const LABELS = { 120: '4K 超高清', 80: '1080P 高清', 64: '720P 准高清', 32: '480P 标清', 16: '360P 流畅' } as const

const PLAY_URL = {
  timelength: SECONDS * 1000,
  quality: 80,
  accept_quality: [120, 80, 64, 32, 16],
  support_formats: [120, 80, 64, 32, 16].map((quality) => ({
    quality,
    new_description: LABELS[quality as keyof typeof LABELS],
  })),
  dash: {
    duration: SECONDS,
    video: QUALITIES.flatMap(([id, height]) => [videoTrack(id, height, 'h264'), videoTrack(id, height, 'av1')]),
    audio: [audioTrack(30_280, 192), audioTrack(30_232, 128), audioTrack(30_216, 64)],
  },
}

const PLAYER = {
  need_login_subtitle: false,
  subtitle: { subtitles: [{ lan: 'zh-Hans', subtitle_url: 'https://i0.hdslb.com/sub.json' }] },
  view_points: [
    { content: '开场', from: 0, to: 10 },
    { content: '结尾', from: 10, to: 20 },
  ],
} as const

const NAVIGATION = {
  isLogin: false,
  wbi_img: {
    img_url: `${KEYS}/7cd084941338484aae1ad9425b84077c.png`,
    sub_url: `${KEYS}/4932caff0ff746eab6f01bf08b70ac45.png`,
  },
} as const

const DANMAKU = '<?xml version="1.0"?><i><d p="1,1,25,16777215,0,0,0,0">hi</d></i>'

/** Bilibili: video pages, the player API with separate tracks, subtitles, comments on screen. */
export class Bilibili implements Site {
  readonly hosts = [
    'www.bilibili.com',
    'bilibili.com',
    'b23.tv',
    'api.bilibili.com',
    'comment.bilibili.com',
    '*.bilivideo.com',
    '*.hdslb.com',
  ]
  readonly routes: readonly Route[]

  constructor(media: SiteMedia) {
    this.routes = [
      [
        null,
        /^\/upgcxcode\/v\/(\d+)\/(h264|av1)\/(\d+)\//,
        async (exchange, [height, codec, seconds]) => {
          const size = { width: widthOf(Number(height)), height: Number(height), fps: 30, seconds: Number(seconds) }
          return exchange.file(await media.video({ ...size, codec: codec as VideoCodec }), 'video/mp4')
        },
      ],
      [
        null,
        /^\/upgcxcode\/a\/(\d+)\/(\d+)\//,
        async (exchange, [kbps, seconds]) =>
          exchange.file(await media.audio({ codec: 'aac', kbps: Number(kbps), seconds: Number(seconds) }), 'audio/mp4'),
      ],
      [
        null,
        /^\/bfs\/(\d+)x(\d+)\/(\d)/,
        async (exchange, [width, height, variant]) =>
          exchange.file(
            await media.image({ width: Number(width), height: Number(height) }, Number(variant)),
            'image/jpeg',
          ),
      ],
      [/^comment\.bilibili\.com$/, /./, (exchange) => exchange.send(200, DANMAKU, 'text/xml')],
      [null, /^\/x\/web-interface\/nav$/, (exchange) => exchange.json({ code: -101, data: NAVIGATION })],
      [null, /^\/x\/player\/pagelist$/, pageList],
      [null, /^\/x\/player\/wbi\/playurl$/, (exchange) => exchange.json({ code: 0, data: PLAY_URL })],
      [null, /^\/x\/player\/wbi\/v2$/, (exchange) => exchange.json({ code: 0, data: PLAYER })],
      [null, /^\/sub\.json$/, (exchange) => exchange.json({ body: [{ from: 0, to: 4, content: '你好' }] })],
      [null, /^\/video\/(BV\w+)/, videoPage],
    ]
  }
}

function pageList(exchange: Exchange): boolean {
  return exchange.json({ code: 0, data: videos.get(exchange.query.get('bvid') ?? '')?.pages ?? [] })
}

function videoPage(exchange: Exchange, [id = '']: readonly string[]): boolean {
  const video = videos.get(id)
  const state = video
    ? { videoData: video, upData: { name: '模拟UP', mid: '9' }, tags: [{ tag_name: '测试' }] }
    : { error: { trueCode: refusals.get(id) ?? -404 } }
  return exchange.html(`<script>window.__INITIAL_STATE__=${JSON.stringify(state)};(function(){})()</script>`)
}
