/** The services whose posts are known by their addresses, by their normalised names. */
export const PLATFORMS = [
  'tiktok',
  'douyin',
  'youtube',
  'twitter',
  'instagram',
  'xiaohongshu',
  'bilibili',
  'kuaishou',
  'weibo',
] as const
export type Platform = (typeof PLATFORMS)[number]

/** What an address stands for. `url` is the one to go on with: the form that the tools know. */
export type Address =
  /**
   * `post`: one post. `short`: a link of the service that leads to something; where to has to be looked up, and
   * classified again. `file`: the medium itself.
   */
  | Readonly<{ kind: 'post' | 'short' | 'file'; platform: Platform; url: string }>
  /** Not a single post; `platform` is null when the host is not known either. */
  | Readonly<{ kind: 'unsupported'; platform: Platform | null }>

type Rule = Readonly<{
  host: RegExp
  path: RegExp
  kind: Exclude<Address['kind'], 'unsupported'>
  /** The address to go on with, of the groups of `path`; null = this is not one after all. Left out: as given, bare. */
  to?: (groups: readonly string[], url: URL) => string | null
}>

/** Words in the place of a user's name that are no user. */
const INSTAGRAM_PLACES = /^(stories|explore|direct|accounts|share|about|developer)$/

const VIDEO_ID = '[\\w-]{11}'
const youtube = ([id]: readonly string[]) => `https://www.youtube.com/watch?v=${id}`
const douyin = ([type = '', id]: readonly string[]) =>
  `https://www.douyin.com/${type.endsWith('note') ? 'note' : 'video'}/${id}`
const weiboShow = ([id]: readonly string[]) => `https://weibo.com/tv/show/1034:${id}`

const RULES: Readonly<Record<Platform, readonly Rule[]>> = {
  tiktok: [
    {
      host: /^(www\.)?tiktok\.com$/,
      path: /^\/(@[^/]+)\/(video|photo)\/(\d+)\/?$/,
      kind: 'post',
      to: ([user, type, id]) => `https://www.tiktok.com/${user}/${type}/${id}`,
    },
    {
      host: /^(www\.)?tiktok\.com$/,
      path: /^\/t\/([\w-]+)\/?$/,
      kind: 'short',
      to: ([code]) => `https://www.tiktok.com/t/${code}/`,
    },
    { host: /^v[mt]\.tiktok\.com$/, path: /^\/[\w-]+\/?$/, kind: 'short' },
  ],
  douyin: [
    { host: /^v\.douyin\.com$/, path: /^\/[\w-]+\/?$/, kind: 'short' },
    {
      host: /^((www|m)\.)?(ies)?douyin\.com$/,
      path: /^\/((?:share\/)?video|(?:share\/)?note|shipin|vsdetail)\/(\d+)\/?$/,
      kind: 'post',
      to: douyin,
    },
    { host: /\.douyin(pic|vod|static)\.com$/, path: /^\/./, kind: 'file' },
  ],
  youtube: [
    { host: /^(www\.)?youtu\.be$/, path: new RegExp(`^/(${VIDEO_ID})/?$`), kind: 'post', to: youtube },
    {
      host: /^((www|m|music)\.)?youtube\.com$/,
      path: new RegExp(`^/(?:shorts|live)/(${VIDEO_ID})/?$`),
      kind: 'post',
      to: youtube,
    },
    {
      host: /^((www|m|music)\.)?youtube\.com$/,
      path: /^\/watch\/?$/,
      kind: 'post',
      to: (_groups, url) => {
        const id = url.searchParams.get('v') ?? ''
        return new RegExp(`^${VIDEO_ID}$`).test(id) ? youtube([id]) : null
      },
    },
  ],
  twitter: [
    {
      host: /^((www|m|mobile)\.)?(x|twitter)\.com$/,
      path: /^\/((?:i\/web|\w+))\/status(?:es)?\/(\d+)(?:\/(?:video|photo)\/\d+)?\/?$/,
      kind: 'post',
      to: ([user, id]) => `https://x.com/${user === 'i/web' ? 'i' : user}/status/${id}`,
    },
  ],
  instagram: [
    {
      host: /^((www|m)\.)?(instagram\.com|instagr\.am)$/,
      path: /^\/share\/(?:(?:p|reel|reels|tv)\/)?[\w-]+\/?$/,
      kind: 'short',
    },
    {
      host: /^((www|m)\.)?(instagram\.com|instagr\.am)$/,
      path: /^\/(?:([\w.]+)\/)?(p|reels?|tv)\/([\w-]+)(?:\/embed(?:\/captioned)?)?\/?$/,
      kind: 'post',
      to: ([user = '', type, code]) =>
        INSTAGRAM_PLACES.test(user) ? null : `https://www.instagram.com/${type === 'reels' ? 'reel' : type}/${code}/`,
    },
    {
      host: /^((www|m)\.)?(instagram\.com|instagr\.am)$/,
      path: /^\/r\/([\w-]+)\/?$/,
      kind: 'post',
      to: ([code]) => `https://www.instagram.com/reel/${code}/`,
    },
  ],
  xiaohongshu: [
    { host: /^(www\.)?xhslink\.com$/, path: /^\/(?:\w\/)?\w+\/?$/, kind: 'short' },
    {
      host: /^(www\.)?xiaohongshu\.com$/,
      path: /^\/(explore|discovery\/item)\/([\da-f]+)\/?$/,
      kind: 'post',
      // Its query proves that the link was shared: without it the note is not shown.
      to: ([place, id], { search }) => `https://www.xiaohongshu.com/${place}/${id}${search}`,
    },
  ],
  bilibili: [
    { host: /^(b23\.tv|bili2233\.cn|bili\.im)$/, path: /^\/\w+\/?$/, kind: 'short' },
    {
      host: /^((www|m)\.)?bilibili\.com$/,
      path: /^\/(?:s\/)?video\/(BV\w+|av\d+)\/?$/i,
      kind: 'post',
      to: ([id = ''], { searchParams }) => bilibiliVideo(id, searchParams.get('p')),
    },
    {
      host: /^((www|m)\.)?bilibili\.com$/,
      path: /^\/list\/([^/]+)\/?$/,
      kind: 'post',
      to: ([list], { searchParams }) => {
        const id = searchParams.get('bvid') ?? ''
        return list !== 'watchlater' && /^BV\w+$/i.test(id) ? bilibiliVideo(id, null) : null
      },
    },
    {
      host: /^((www|m)\.)?bilibili\.com$/,
      path: /^\/(bangumi|cheese)\/play\/((?:ep|ss)\d+)\/?$/,
      kind: 'post',
      to: ([place, id]) => `https://www.bilibili.com/${place}/play/${id}`,
    },
    { host: /^(www\.)?bilibili\.tv$/, path: /^\/(?:\w+\/)?(?:video|play)\/\d+/, kind: 'post' },
  ],
  kuaishou: [
    { host: /^(www\.)?kuaishou\.com$/, path: /^\/(short-video|f)\/[\w-]+\/?$/, kind: 'post' },
    { host: /^v\.kuaishou\.com$/, path: /^\/[\w-]+\/?$/, kind: 'post' },
    { host: /(^|\.)(gifshow|chenzhongtech)\.com$/, path: /^\/fw\/photo\/[\w-]+\/?$/, kind: 'post' },
  ],
  weibo: [
    { host: /^(t\.cn|mapp\.api\.weibo\.cn)$/, path: /^\/(?:fx\/)?\w+(?:\.html)?\/?$/, kind: 'short' },
    { host: /^(www\.)?weibo\.com$/, path: /^\/(\d+)\/(\d{16}|\w{9})\/?$/, kind: 'post' },
    { host: /^m\.weibo\.cn$/, path: /^\/(?:status|detail)\/\w+\/?$/, kind: 'post' },
    { host: /^(www\.)?weibo\.com$/, path: /^\/tv\/show\/1034:(\d+)\/?$/, kind: 'post', to: weiboShow },
    { host: /^h5\.video\.weibo\.com$/, path: /^\/show\/1034:(\d+)\/?$/, kind: 'post', to: weiboShow },
    {
      host: /^video\.weibo\.com$/,
      path: /^\/show\/?$/,
      kind: 'post',
      to: (_groups, { searchParams }) => {
        const id = /^1034:(\d+)$/.exec(searchParams.get('fid') ?? '')?.[1]
        return id === undefined ? null : weiboShow([id])
      },
    },
  ],
}

/** Hosts by which a service is known although the address is none of its posts. */
const HOSTS: Readonly<Record<Platform, RegExp>> = {
  tiktok: /(^|\.)tiktok\.com$/,
  douyin: /(^|\.)((ies)?douyin|douyin(pic|vod|static))\.com$/,
  youtube: /(^|\.)(youtube(-nocookie)?\.com|youtu\.be)$/,
  twitter: /(^|\.)(x\.com|twitter\.com|twimg\.com|t\.co)$/,
  instagram: /(^|\.)(instagram\.com|instagr\.am)$/,
  xiaohongshu: /(^|\.)(xiaohongshu|xhslink)\.com$/,
  bilibili: /(^|\.)(bilibili\.(com|tv)|b23\.tv|bili2233\.cn|bili\.im)$/,
  kuaishou: /(^|\.)(kuaishou|gifshow|chenzhongtech)\.com$/,
  weibo: /(^|\.)(weibo\.(com|cn)|t\.cn)$/,
}

const bilibiliVideo = (id: string, part: string | null) =>
  `https://www.bilibili.com/video/${id}${part !== null && /^\d{1,5}$/.test(part) ? `?p=${part}` : ''}`

/** What an http(s) address stands for. Pure: nothing is looked up. */
export function classify(address: string): Address {
  const url = URL.parse(address)
  if (!url || !/^https?:$/.test(url.protocol) || url.port !== '') return { kind: 'unsupported', platform: null }
  const host = url.hostname.toLowerCase()
  const platform = PLATFORMS.find((candidate) => HOSTS[candidate].test(host)) ?? null
  if (platform === null) return { kind: 'unsupported', platform }
  for (const rule of RULES[platform]) {
    const groups = rule.host.test(host) ? rule.path.exec(url.pathname) : null
    if (!groups) continue
    const to = rule.to ? rule.to(groups.slice(1), url) : `${url.protocol}//${host}${url.pathname}`
    if (to !== null) return { kind: rule.kind, platform, url: to }
  }
  return { kind: 'unsupported', platform }
}

/** An address in a text. Service apps put one between words of any script; it ends with the last ASCII character. */
const IN_TEXT = /https?:\/\/[\x21-\x7e]+/i
const WITHOUT_SCHEME = /(?:^|[^\w./@-])((?:[a-z\d-]+\.)+[a-z]{2,}\/[\x21-\x7e]+)/gi

/** The first address in a text, null when there is none. Without a scheme only hosts of known services count. */
export function firstAddress(text: string): string | null {
  const found = IN_TEXT.exec(text)?.[0]
  if (found !== undefined) return trimmed(found)
  for (const [, bare = ''] of text.matchAll(WITHOUT_SCHEME)) {
    const address = `https://${trimmed(bare)}`
    if (classify(address).platform !== null) return address
  }
  return null
}

/** Punctuation at the end is the sentence's, not the address's. */
const trimmed = (address: string) => address.replace(/[.,;:!?'")\]}>]+$/, '')
