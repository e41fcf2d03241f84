import type { OutgoingHttpHeaders } from 'node:http'
import type { Exchange, Route, Site } from './exchange.ts'
import type { SiteMedia } from './media.ts'

const CDN = 'https://scontent-fra3-1.cdninstagram.com'
const LOGIN = 'https://www.instagram.com/accounts/login/'
const COOKIE: OutgoingHttpHeaders = { 'set-cookie': 'csrftoken=simcsrf; Domain=.instagram.com; Path=/; Secure' }
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const USER = {
  pk: '25025320',
  id: '25025320',
  username: 'simgram',
  full_name: 'Sim Gram',
  is_private: false,
  profile_pic_url: `${CDN}/p/1080x1080/9.jpg`,
} as const

type Size = readonly [width: number, height: number]
export type InstagramPost = Readonly<{ code: string; pk: string }> & Readonly<Record<string, unknown>>

/** The number that a short code stands for: base 64. */
const toPk = (code: string): string =>
  Array.from(code)
    .reduce((value, letter) => value * 64n + BigInt(ALPHABET.indexOf(letter)), 0n)
    .toString()

const identify = (code: string, owner: string = USER.pk) => ({ pk: toPk(code), id: `${toPk(code)}_${owner}` })

function photo([width, height]: Size, variant: number) {
  const sizes = [width, 640, 320].map((w): Size => [w, Math.round((w * height) / width)])
  const candidates = sizes.map(([w, h]) => ({
    width: w,
    height: h,
    url: `${CDN}/p/${w}x${h}/${variant}.jpg?_nc_ht=sim`,
  }))
  return { image_versions2: { candidates }, original_width: width, original_height: height, media_type: 1 }
}

function clip(code: string, size: Size, seconds: number, variant: number) {
  const versions = [
    [...size, 101],
    [size[0] / 2, size[1] / 2, 102],
  ] as const
  return {
    ...photo(size, variant),
    media_type: 2,
    video_duration: seconds,
    has_audio: true,
    video_codec: 'avc1.64001f',
    number_of_qualities: 2,
    video_versions: versions.map(([width, height, type]) => ({
      type,
      id: `${code}${type}v`,
      width,
      height,
      url: `${CDN}/v/${code}/${width}x${height}/${seconds}.mp4?_nc_ht=sim`,
    })),
  }
}

const post = (code: string, content: Readonly<Record<string, unknown>>): InstagramPost => ({
  ...identify(code),
  code,
  user: USER,
  owner: USER,
  taken_at: 1_715_960_000,
  caption: { text: `Caption of ${code} #sim`, created_at: 1_715_960_000 },
  like_count: 4321,
  comment_count: 12,
  product_type: 'feed',
  ...content,
})

const carousel = [
  ...[1, 2, 3].map((n) => ({ ...identify(`CsimCaro00${n}`, '1'), ...photo([1080, 1080], n) })),
  { ...identify('CsimCaro004', '1'), ...clip('CsimCaro004', [720, 720], 8, 4) },
]

/** By short code. A test may add its own. */
export const posts = new Map<string, InstagramPost>(
  [
    post('CsimReel001', { ...clip('CsimReel001', [720, 1280], 15, 1), product_type: 'clips', view_count: 99_999 }),
    post('CsimVideo01', clip('CsimVideo01', [640, 640], 12, 2)),
    post('CsimPhoto01', photo([1080, 1350], 3)),
    post('CsimCarous1', {
      media_type: 8,
      product_type: 'carousel_container',
      carousel_media_count: 4,
      carousel_media: carousel,
    }),
  ].map((entry) => [entry.code, entry]),
)

/** Posts that only an account may see, by short code. */
const followersOnly = new Map<string, InstagramPost>([
  ['CsimLogin01', post('CsimLogin01', clip('CsimLogin01', [640, 640], 11, 5))],
])

/** Posts that cannot be seen, by short code. */
export const refusals = new Map<string, 'gone' | 'restricted' | 'login'>([
  ['CsimPrivat1', 'gone'],
  ['CsimRestri1', 'restricted'],
  ['CsimLogin01', 'login'],
])

const byPk = (from: ReadonlyMap<string, InstagramPost>, pk: unknown) =>
  from.values().find((entry) => entry.pk === String(pk))

/** Instagram: pages for visitors without an account, and the media API for those with a `sessionid` cookie. */
export class Instagram implements Site {
  readonly hosts = ['www.instagram.com', 'instagram.com', 'i.instagram.com', '*.cdninstagram.com']
  readonly routes: readonly Route[]

  constructor(media: SiteMedia) {
    this.routes = [
      [
        /\.cdninstagram\.com$/,
        /^\/p\/(\d+)x(\d+)\/(\d+)\.jpg/,
        async (exchange, [width, height, variant]) =>
          exchange.file(
            await media.image({ width: Number(width), height: Number(height) }, Number(variant)),
            'image/jpeg',
          ),
      ],
      [
        /\.cdninstagram\.com$/,
        /^\/v\/[^/]+\/(\d+)x(\d+)\/(\d+)\.mp4/,
        async (exchange, [width, height, seconds]) => {
          const size = { width: Number(width), height: Number(height), fps: 30, seconds: Number(seconds) }
          return exchange.file(await media.muxed(size), 'video/mp4')
        },
      ],
      [
        null,
        /^\/$/,
        (x) => x.html('<script id="__eqmc" type="application/json">{"l":"AVqsimlsd"}</script>', 200, COOKIE),
      ],
      [null, /^\/api\/v1\/web\/get_ruling_for_content\/$/, ruling],
      [null, /^\/api\/v1\/media\/(\d+)\/info\//, mediaInfo],
      [null, /^\/api\/graphql$/, graphql],
      [null, /^\/graphql\/query\/?$/, (exchange) => exchange.json({ data: { user: EMPTY_TIMELINE } })],
      [null, /^\/(?:p|reel|tv)\/([\w-]+)/, postPage],
      [null, /^\/accounts\/login/, (x) => x.html('<html>Login</html>', x.query.has('logged_out') ? 403 : 200)],
    ]
  }
}

const EMPTY_TIMELINE = { edge_owner_to_timeline_media: { edges: [], page_info: { has_next_page: false } } }

function ruling(exchange: Exchange): boolean {
  const asked = exchange.query.get('target_id')
  const isRestricted = [...refusals].some(([code, kind]) => kind === 'restricted' && toPk(code) === asked)
  const description = 'You must be 18 years old or over to see this video'
  return exchange.json(
    { ...(isRestricted ? { title: 'Restricted Video', description } : {}), status: 'ok' },
    200,
    COOKIE,
  )
}

function mediaInfo(exchange: Exchange, [pk]: readonly string[]): boolean {
  const session = /sessionid=([^;]+)/.exec(exchange.request.headers.cookie ?? '')?.[1]
  if (session === undefined) return exchange.redirect(LOGIN)
  if (session.startsWith('expired')) return exchange.redirect(`${LOGIN}?logged_out`)
  const item = byPk(posts, pk) ?? byPk(followersOnly, pk)
  return item
    ? exchange.json({ items: [item], num_results: 1, status: 'ok' }, 200, renewed(session))
    : exchange.json({ message: 'Media not found or unavailable', status: 'fail' }, 404)
}

/** A session is prolonged under a new value. */
function renewed(session: string): OutgoingHttpHeaders {
  const value = session.endsWith('-renewed') ? session : `${session}-renewed`
  return { 'set-cookie': `sessionid=${value}; Domain=.instagram.com; Path=/; Secure; Max-Age=31536000` }
}

const polarisMedia = (item: InstagramPost | undefined) => ({
  data: { xig_polaris_media: { if_not_gated_logged_out: item ?? null } },
})

function graphql(exchange: Exchange): boolean {
  const form = new URLSearchParams(exchange.body.toString())
  const variables = JSON.parse(form.get('variables') ?? '{}') as { media_id?: string }
  const item = byPk(posts, variables.media_id)
  return exchange.json(item ? polarisMedia(item) : { data: { xig_polaris_media: null } })
}

function postPage(exchange: Exchange, [code = '']: readonly string[]): boolean {
  if (refusals.get(code) === 'login') return exchange.redirect(`${LOGIN}?next=x`)
  const result = { __bbox: { complete: true, result: polarisMedia(posts.get(code)) } }
  const box = { __bbox: { require: [['RelayPrefetchedStreamCache', 'next', [], ['adp_Polaris', result]]] } }
  const data = JSON.stringify({ require: [['ScheduledServerJS', 'handle', null, [box]]] })
  return exchange.html(`<html><script type="application/json" data-sjs>${data}</script></html>`, 200, COOKIE)
}
