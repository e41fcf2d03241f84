import type { Exchange, Route, Site } from './exchange.ts'
import type { SiteMedia } from './media.ts'

const VIDEO_ID = '7641191614632071546'
const NOTE_ID = '7643104807914401929'

const address = (width: number, height: number, codec: string) => ({
  uri: 'v0300fg10000sim',
  url_key: `v0300fg10000sim_${codec}_${height}p_1500000`,
  url_list: [`https://v26-web.douyinvod.com/sim/video/${width}x${height}/15.mp4?expires=1999999999&br=1500`],
  width,
  height,
  data_size: height * 2_000,
})

/** By id. A test may add its own. */
export const details = new Map<string, Readonly<Record<string, unknown>>>([
  [
    VIDEO_ID,
    {
      aweme_id: VIDEO_ID,
      desc: '抖音模拟视频 #话题',
      create_time: 1_715_960_000,
      duration: 15_000,
      author: { uid: '9', unique_id: 'simdou', nickname: '模拟抖音', sec_uid: 'MS4sim' },
      music: { title: '原声', author: '模拟抖音' },
      statistics: { digg_count: 5, comment_count: 1 },
      video: {
        width: 720,
        height: 1280,
        duration: 15_000,
        cover: { url_list: ['https://p3-sign.douyinpic.com/720x1280/1.jpeg?x-expires=1999999999'] },
        play_addr: address(720, 1280, 'h264'),
        bit_rate: [
          { gear_name: 'normal_720_0', bit_rate: 1_500_000, FPS: 30, play_addr: address(720, 1280, 'h264') },
          { gear_name: 'normal_540_0', bit_rate: 900_000, FPS: 30, play_addr: address(576, 1024, 'h264') },
        ],
      },
    },
  ],
])

/** Douyin: the API behind its pages, which answers those with its cookie only, share links, media. */
export class Douyin implements Site {
  readonly hosts = ['www.douyin.com', 'v.douyin.com', 'www.iesdouyin.com', '*.douyinvod.com', '*.douyinpic.com']
  readonly routes: readonly Route[]

  constructor(media: SiteMedia) {
    const share = (id: string, type: string) => `https://www.iesdouyin.com/share/${type}/${id}/?region=CN&from=web`
    this.routes = [
      [/^www\.douyin/, /^\/aweme\/v1\/web\/aweme\/detail\/$/, detailOf],
      [/^v\.douyin/, /^\/simvideo\/$/, (exchange) => exchange.redirect(share(VIDEO_ID, 'video'))],
      [/^v\.douyin/, /^\/simnote\/$/, (exchange) => exchange.redirect(share(NOTE_ID, 'note'))],
      [
        null,
        /^\/sim\/video\/(\d+)x(\d+)\/(\d+)\.mp4$/,
        async (exchange, [width, height, seconds]) => {
          const size = { width: Number(width), height: Number(height), fps: 30, seconds: Number(seconds) }
          return exchange.file(await media.muxed(size), 'video/mp4')
        },
      ],
      [
        null,
        /^\/(\d+)x(\d+)\/(\d)\.jpeg$/,
        async (exchange, [width, height, variant]) =>
          exchange.file(
            await media.image({ width: Number(width), height: Number(height) }, Number(variant)),
            'image/jpeg',
          ),
      ],
    ]
  }
}

/** Without the cookie that its pages set by a script there is an empty answer. */
function detailOf(exchange: Exchange): boolean {
  if (!/\bs_v_web_id=/.test(exchange.request.headers.cookie ?? '')) return exchange.send(200, '', 'text/plain')
  const found = details.get(exchange.query.get('aweme_id') ?? '')
  return exchange.json(found ? { aweme_detail: found } : { aweme_detail: null, filter_detail: { notice: 'gone' } })
}
