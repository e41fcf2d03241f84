import path from 'node:path'
import type { Exchange, Route, Site } from './exchange.ts'
import type { SiteMedia } from './media.ts'

const JOINED = 'Mon Jan 01 00:00:00 +0000 2018'
const AVATAR = 'https://pbs.twimg.com/media/Sim9_48x48.jpg'
const USER = { id_str: '42', name: 'Sim X', screen_name: 'simx' } as const
const HLS_SEGMENTS = 5

export type Tweet = Readonly<{ id: string; text: string; media: readonly object[] }>

function video(n: number, seconds: number) {
  const [w, h] = [1280, 720]
  const address = `https://video.twimg.com/ext_tw_video/${n}/pu`
  const files = [
    [320, 180, 256_000],
    [640, 360, 832_000],
    [1280, 720, 2_176_000],
  ] as const
  return {
    id_str: String(1_790_000_000_000_000_000n + BigInt(n)),
    type: 'video',
    media_url_https: `https://pbs.twimg.com/ext_tw_video_thumb/${w}x${h}/${n}.jpg`,
    sizes: { large: { w, h, resize: 'fit' }, small: { w: 680, h: 382, resize: 'fit' } },
    original_info: { width: w, height: h },
    video_info: {
      aspect_ratio: [16, 9],
      duration_millis: seconds * 1000,
      variants: [
        { content_type: 'application/x-mpegURL', url: `${address}/pl/sim.m3u8?tag=12` },
        ...files.map(([width, height, bitrate]) => ({
          bitrate,
          content_type: 'video/mp4',
          url: `${address}/vid/avc1/${width}x${height}/${seconds}.mp4?tag=12`,
        })),
      ],
    },
  }
}

const photo = (n: number, w: number, h: number) => ({
  id_str: `17900${n}`,
  type: 'photo',
  media_url_https: `https://pbs.twimg.com/media/Sim${n}_${w}x${h}.jpg`,
  sizes: { large: { w, h } },
  original_info: { width: w, height: h },
})

/** By id. A test may add its own. */
export const tweets = new Map<string, Tweet>(
  [
    { id: '1790000000000000001', text: 'One video', media: [video(1, 15)] },
    { id: '1790000000000000002', text: 'Two videos', media: [video(2, 10), video(3, 10)] },
    { id: '1790000000000000003', text: 'Photos', media: [photo(1, 1200, 800), photo(2, 800, 1200)] },
    { id: '1790000000000000004', text: 'Text only', media: [] },
  ].map((tweet) => [tweet.id, tweet]),
)

/** What the API says of posts that cannot be seen. */
export const refusals = new Map<string, object>([
  ['1790000000000000091', { __typename: 'TweetUnavailable', reason: 'NsfwLoggedOut' }],
  ['1790000000000000092', { __typename: 'TweetUnavailable', reason: 'Protected' }],
  [
    '1790000000000000093',
    {
      __typename: 'TweetTombstone',
      tombstone: { text: { text: 'This Post is from a suspended account. Learn more' } },
    },
  ],
])

const USER_RESULT = {
  __typename: 'User',
  rest_id: USER.id_str,
  core: { name: USER.name, screen_name: USER.screen_name, created_at: JOINED },
  location: { location: '' },
  verification: { verified: false },
  privacy: { protected: false },
  avatar: { image_url: AVATAR },
  legacy: {
    ...USER,
    created_at: JOINED,
    description: '',
    entities: {},
    favourites_count: 0,
    followers_count: 0,
    friends_count: 0,
    listed_count: 0,
    media_count: 0,
    statuses_count: 0,
    profile_image_url_https: AVATAR,
  },
} as const

const tweetResult = ({ id, text, media }: Tweet) => ({
  __typename: 'Tweet',
  rest_id: id,
  core: { user_results: { result: USER_RESULT } },
  views: { count: '9876' },
  source: '',
  legacy: {
    id_str: id,
    user_id_str: USER.id_str,
    conversation_id_str: id,
    lang: 'en',
    full_text: `${text} https://t.co/abc`,
    created_at: 'Fri May 17 15:33:20 +0000 2024',
    favorite_count: 10,
    retweet_count: 2,
    reply_count: 1,
    quote_count: 0,
    bookmark_count: 0,
    entities: { hashtags: [], urls: [], user_mentions: [], media },
    ...(media.length > 0 ? { extended_entities: { media } } : {}),
  },
})

/** X: guest tokens, the post API, the syndication API, media. */
export class Twitter implements Site {
  readonly hosts = [
    'x.com',
    'twitter.com',
    'www.x.com',
    'www.twitter.com',
    'api.x.com',
    'video.twimg.com',
    'pbs.twimg.com',
    'cdn.syndication.twimg.com',
    'abs.twimg.com',
    't.co',
  ]
  readonly routes: readonly Route[]

  constructor(media: SiteMedia) {
    this.routes = [
      [null, /^\/1\.1\/guest\/activate\.json$/, (exchange) => exchange.json({ guest_token: '1790000000000000999' })],
      [null, /^(?:\/i\/api)?\/graphql\/[\w-]+\/TweetResultByRestId$/, tweetById],
      [/^cdn\.syndication\.twimg\.com$/, /./, syndicated],
      [
        null,
        /\/vid\/avc1\/(\d+)x(\d+)\/(\d+)\.mp4/,
        async (exchange, [width, height, seconds]) => {
          const size = { width: Number(width), height: Number(height), fps: 30, seconds: Number(seconds) }
          return exchange.file(await media.muxed(size), 'video/mp4')
        },
      ],
      [null, /\/sim\.m3u8$/, master],
      [
        null,
        /^\/hls\/(180|720)\/(index\.m3u8|\d+\.ts)$/,
        async (exchange, [height, name = '']) => {
          const dir = await media.segments(Number(height), HLS_SEGMENTS)
          return exchange.file(path.join(dir, name), name.endsWith('ts') ? 'video/mp2t' : 'application/x-mpegURL')
        },
      ],
      [
        null,
        /(\d+)x(\d+)(?:\/(\d+))?(?:\.jpg)?$/,
        async (exchange, [width, height, variant]) =>
          exchange.file(
            await media.image({ width: Number(width), height: Number(height) }, Number(variant) % 7),
            'image/jpeg',
          ),
      ],
    ]
  }
}

function tweetById(exchange: Exchange): boolean {
  const { tweetId } = JSON.parse(exchange.query.get('variables') ?? '{}') as { tweetId?: string }
  const tweet = tweets.get(tweetId ?? '')
  const result = refusals.get(tweetId ?? '') ?? (tweet ? tweetResult(tweet) : null)
  return exchange.json({ data: { tweetResult: result ? { result } : {} } })
}

function syndicated(exchange: Exchange): boolean {
  const tweet = tweets.get(exchange.query.get('id') ?? '')
  if (!tweet) return exchange.send(404, '')
  return exchange.json({
    __typename: 'Tweet',
    id_str: tweet.id,
    text: tweet.text,
    user: USER,
    created_at: '2024-05-17T15:33:20.000Z',
    mediaDetails: tweet.media,
  })
}

function master(exchange: Exchange): boolean {
  const variants = [
    [320, 180, 256_000],
    [1280, 720, 2_176_000],
  ] as const
  const lines = variants.map(
    ([width, height, bandwidth]) =>
      `#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth},RESOLUTION=${width}x${height},CODECS="avc1.64001f,mp4a.40.2"\n` +
      `https://video.twimg.com/hls/${height}/index.m3u8\n`,
  )
  return exchange.hls(`#EXTM3U\n${lines.join('')}`)
}
