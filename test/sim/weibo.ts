import type { Exchange, Route, Site } from './exchange.ts'
import type { SiteMedia } from './media.ts'

const USER = { id: 7_827_771_738, idstr: '7827771738', screen_name: '模拟微博', profile_url: '/u/7827771738' } as const
const VISITOR = 'https://passport.weibo.com/visitor/visitor?entry=miniblog&url=https%3A%2F%2Fweibo.com%2F'
const EXPIRES = 1_999_999_999

const video = (label: string, width: number, height: number) => ({
  meta: { label, quality_index: height },
  play_info: {
    url: `https://f.video.weibocdn.com/o0/${width}x${height}/15.mp4?label=${label}&Expires=${EXPIRES}&ssig=sim`,
    label,
    quality_desc: label,
    mime: 'video/mp4',
    bitrate: height * 2,
    video_codecs: 'avc1.64001f',
    audio_codecs: 'mp4a.40.2',
    fps: 30,
    width,
    height,
    size: height * 3_000,
  },
})

const MEDIA = {
  media_id: '4797699866951785',
  name: '模拟视频的标题',
  video_title: '模拟视频的标题',
  duration: 15,
  video_publish_time: 1_686_312_819,
  live_status: 0,
  playback_list: [video('mp4_720p', 1280, 720), video('mp4_hd', 854, 480)],
}

const picture = (n: number, type = 'pic') => ({
  pic_id: `sim${n}`,
  type,
  largest: { url: `https://wx1.sinaimg.cn/large/1080x1440/${n}.jpg`, width: 1080, height: 1440, cut_type: 1 },
  ...(type === 'livephoto'
    ? { video: `https://video.weibo.com/media/play?livephoto=https%3A%2F%2Flivephoto.us.sinaimg.cn%2Fsim${n}.mov` }
    : {}),
})

const pictures = (all: readonly ReturnType<typeof picture>[]) => ({
  pic_ids: all.map(({ pic_id }) => pic_id),
  pic_infos: Object.fromEntries(all.map((one) => [one.pic_id, one])),
})

const status = (id: string, content: Readonly<Record<string, unknown>>) => ({
  ok: 1,
  id: BigInt(id),
  idstr: id,
  mid: id,
  mblogid: `N${id.slice(-8)}`,
  text: '微博正文',
  text_raw: '微博正文第一行\n第二行',
  created_at: 'Fri Jun 09 20:13:39 +0800 2023',
  user: USER,
  attitudes_count: 12,
  reposts_count: 3,
  ...content,
})

/** By id. A test may add its own. */
export const statuses = new Map<string, ReturnType<typeof status>>(
  [
    status('4910815147462301', {
      page_info: { type: '11', page_pic: 'https://wx1.sinaimg.cn/large/1280x720/1.jpg', media_info: MEDIA },
    }),
    status('4910815147462302', pictures([1, 2, 3].map((n) => picture(n)))),
    status('4910815147462303', pictures([picture(4), picture(5, 'livephoto')])),
    status('4910815147462304', {
      mix_media_info: {
        items: [
          { type: 'video', id: 'a', data: { object_id: '1034:1', media_info: MEDIA } },
          { type: 'pic', id: 'b', data: picture(6) },
        ],
      },
    }),
    status('4910815147462305', {}),
  ].map((each) => [each.idstr, each]),
)

/** Weibo: the API behind its pages, visitors' cookies, short links, media. */
export class Weibo implements Site {
  readonly hosts = [
    'weibo.com',
    'www.weibo.com',
    'm.weibo.cn',
    'video.weibo.com',
    'h5.video.weibo.com',
    'mapp.api.weibo.cn',
    'passport.weibo.com',
    't.cn',
    '*.sinaimg.cn',
    '*.weibocdn.com',
  ]
  readonly routes: readonly Route[]

  constructor(media: SiteMedia) {
    this.routes = [
      [/^weibo\.com$/, /^\/ajax\/statuses\/show$/, shown],
      [/^passport\./, /^\/visitor\/genvisitor2?$/, visitor],
      [/^passport\./, /^\/visitor\/visitor$/, (exchange) => exchange.html('', 200, COOKIES)],
      [/^t\.cn$/, /^\/A6video$/, (exchange) => exchange.redirect('https://weibo.com/7827771738/4910815147462301')],
      [/^t\.cn$/, /^\/A6user$/, (exchange) => exchange.redirect('https://weibo.com/u/7827771738')],
      [/^t\.cn$/, /^\/A6away$/, (exchange) => exchange.redirect('https://elsewhere.example/page')],
      [
        /^(weibo\.com|passport\..*)$/,
        /^\/(u\/\d+)?$/,
        (exchange) => exchange.html('<title>Sina Visitor System</title>'),
      ],
      [
        null,
        /^\/o0\/(\d+)x(\d+)\/(\d+)\.mp4$/,
        async (exchange, [width, height, seconds]) => {
          const size = { width: Number(width), height: Number(height), fps: 30, seconds: Number(seconds) }
          return exchange.file(await media.muxed(size), 'video/mp4')
        },
      ],
      [
        null,
        /^\/large\/(\d+)x(\d+)\/(\d+)\.jpg$/,
        async (exchange, [width, height, variant]) =>
          exchange.file(
            await media.image({ width: Number(width), height: Number(height) }, Number(variant) % 7),
            'image/jpeg',
          ),
      ],
    ]
  }
}

const COOKIES = { 'set-cookie': ['SUB=sim; Domain=.weibo.com; Path=/', 'SUBP=sim; Domain=.weibo.com; Path=/'] }

/** Whoever has no cookie yet is sent to the visitors' office first. */
function shown(exchange: Exchange): boolean {
  if (!/\bSUB=/.test(exchange.request.headers.cookie ?? '')) return exchange.redirect(VISITOR)
  const found = statuses.get(exchange.query.get('id') ?? '')
  if (!found) return exchange.json({ ok: 0, error_code: 20_101, message: '该微博不存在' }, 404)
  const text = JSON.stringify(found, (_key, value: unknown) => (typeof value === 'bigint' ? `#${value}#` : value))
  // Ids are numbers there, larger than JavaScript's.
  return exchange.send(200, text.replaceAll(/"#(\d+)#"/g, '$1'), 'application/json; charset=utf-8')
}

function visitor(exchange: Exchange): boolean {
  const data = { tid: 'simtid', new_tid: true, confidence: 95, sub: 'sim', subp: 'sim' }
  const name = exchange.path.endsWith('2') ? 'visitor_gray_callback' : 'gen_callback'
  const text = `window.${name} && ${name}(${JSON.stringify({ retcode: 20_000000, msg: 'succ', data })});`
  return exchange.send(200, text, 'application/javascript', COOKIES)
}
