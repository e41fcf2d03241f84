import type { Exchange, Route, Site } from './exchange.ts'
import type { SiteMedia } from './media.ts'

const CDN = 'https://sns-webpic-qc.xhscdn.com/202611210000/0123456789abcdef'
const USER = { userId: '5c31698d0000000007018a31', nickname: '模拟薯', avatar: `${CDN}/avatar` } as const

const picture = (n: number, width: number, height: number) => ({
  width,
  height,
  urlPre: `${CDN}/${width}x${height}-${n}!nd_prv_wlteh_webp_3`,
  urlDefault: `${CDN}/${width}x${height}-${n}!nd_dft_wlteh_webp_3`,
})

const stream = (width: number, height: number, kind: string) => ({
  masterUrl: `http://sns-video-bd.xhscdn.com/stream/${width}x${height}/12.mp4?sign=sim&t=1999999999&k=${kind}`,
  backupUrls: [],
  width,
  height,
  fps: 30,
  videoCodec: kind,
  audioCodec: 'aac',
  audioBitrate: 64_000,
  videoBitrate: height * 1_000,
  avgBitrate: height * 1_064,
  audioChannels: 2,
  qualityType: 'HD',
  size: height * 2_000,
  duration: 12_000,
})

const note = (noteId: string, content: Readonly<Record<string, unknown>>) => ({
  noteId,
  title: '笔记标题',
  desc: '笔记第一行#话题[话题]#\n第二行',
  user: USER,
  tagList: [{ name: '话题' }],
  ...content,
})

/** By id. A test may add its own. */
export const notes = new Map<string, ReturnType<typeof note>>(
  [
    note('671e2c6500000000210016b1', {
      type: 'video',
      imageList: [picture(1, 1080, 1440)],
      video: { media: { stream: { h264: [stream(720, 960, 'h264')], h265: [stream(1080, 1440, 'hevc')], av1: [] } } },
    }),
    note('671e2c6500000000210016b2', {
      type: 'normal',
      imageList: [picture(1, 1080, 1440), picture(2, 1440, 1080), picture(3, 1080, 1080)],
    }),
  ].map((each) => [each.noteId, each]),
)

/** Xiaohongshu: pages of notes, for those whose link was shared, short links, media. */
export class Xiaohongshu implements Site {
  readonly hosts = ['www.xiaohongshu.com', 'xhslink.com', '*.xhscdn.com']
  readonly routes: readonly Route[]

  constructor(media: SiteMedia) {
    this.routes = [
      [/^www\./, /^\/(?:explore|discovery\/item)\/([\da-f]+)$/, notePage],
      [/^www\./, /^\/404$/, (exchange) => exchange.html('<title>小红书 - 你访问的页面不见了</title>', 404)],
      [
        /^xhslink\.com$/,
        /^\/a\/(\w+)$/,
        (exchange) =>
          exchange.redirect('https://www.xiaohongshu.com/discovery/item/671e2c6500000000210016b2?xsec_token=sim'),
      ],
      [
        null,
        /^\/stream\/(\d+)x(\d+)\/(\d+)\.mp4$/,
        async (exchange, [width, height, seconds]) => {
          const size = { width: Number(width), height: Number(height), fps: 30, seconds: Number(seconds) }
          return exchange.file(await media.muxed(size), 'video/mp4')
        },
      ],
      [
        /^sns-webpic/,
        /\/(\d+)x(\d+)-(\d)!/,
        async (exchange, [width, height, variant]) =>
          exchange.file(
            await media.image({ width: Number(width), height: Number(height) }, Number(variant), 'webp'),
            'image/webp',
          ),
      ],
    ]
  }
}

function notePage(exchange: Exchange, [id = '']: readonly string[]): boolean {
  const found = exchange.query.get('xsec_token') === 'sim' ? notes.get(id) : undefined
  if (!found) return exchange.redirect(`https://www.xiaohongshu.com/404?noteId=${id}&error_code=300031`)
  // A script, not JSON: what is missing is `undefined` there.
  const state = JSON.stringify({ note: { noteDetailMap: { [id]: { note: found, comments: '?' } } } })
  return exchange.html(
    `<html><head><meta name="og:title" content="${found.title} - 小红书"></head><body>` +
      `<script>window.__INITIAL_STATE__=${state.replace('"?"', 'undefined')}</script></body></html>`,
  )
}
