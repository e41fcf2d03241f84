import { PLATFORMS, type Platform } from './platform.ts'

/** Hosts that a service keeps its media on, subdomains included. */
export type MediaHosts = Readonly<Record<Platform, readonly string[]>>

/** What is known without being told. */
export const MEDIA_HOSTS: MediaHosts = {
  youtube: ['googlevideo.com', 'ytimg.com', 'ggpht.com'],
  instagram: ['cdninstagram.com', 'fbcdn.net'],
  tiktok: ['tiktokcdn.com', 'tiktokcdn-us.com', 'tiktokcdn-eu.com', 'tiktokv.com', 'tiktok.com'],
  twitter: ['twimg.com'],
  bilibili: ['bilivideo.com', 'bilivideo.cn', 'hdslb.com', 'akamaized.net'],
  weibo: ['sinaimg.cn', 'weibocdn.com', 'weibo.com'],
  xiaohongshu: ['xhscdn.com'],
  douyin: ['douyinvod.com', 'douyinpic.com', 'douyinstatic.com', 'zjcdn.com', 'snssdk.com'],
  kuaishou: ['kwimgs.com', 'kwaicdn.com', 'yximgs.com'],
}

/** The known hosts and more of them. */
export const withHosts = (more: Partial<MediaHosts>): MediaHosts =>
  Object.fromEntries(
    PLATFORMS.map((platform) => [platform, [...MEDIA_HOSTS[platform], ...(more[platform] ?? [])]]),
  ) as unknown as MediaHosts

/** Why an address is not one of a service's media, null when it may be. Whether its host is a private one is not seen here. */
export function whyNotMedia(url: URL, hosts: readonly string[]): string | null {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'the address is not http(s)'
  if (url.username !== '' || url.password !== '') return 'the address carries credentials'
  const name = url.hostname.replace(/\.$/, '')
  if (!hosts.some((host) => name === host || name.endsWith(`.${host}`))) return `${name} keeps no media of that service`
  return null
}
