import path from 'node:path'
import { Bilibili } from './bilibili.ts'
import { getCertificate } from './certs.ts'
import { Sim } from './core.ts'
import { Douyin } from './douyin.ts'
import type { Site } from './exchange.ts'
import { Instagram } from './instagram.ts'
import { SiteMedia } from './media.ts'
import { SponsorBlock } from './sponsorblock.ts'
import { TikTok } from './tiktok.ts'
import { Twitter } from './twitter.ts'
import { Weibo } from './weibo.ts'
import { Xiaohongshu } from './xiaohongshu.ts'
import { YouTube } from './youtube.ts'

export { Sim, type Fault, type SimLogEntry } from './core.ts'
export type { SimState } from './exchange.ts'
export { addBulkPlaylist, createVideo, playlists, videos, type Playlist, type Video } from './youtube-catalog.ts'

const SITES = {
  youtube: (media: SiteMedia): Site => new YouTube(media),
  instagram: (media: SiteMedia): Site => new Instagram(media),
  tiktok: (media: SiteMedia): Site => new TikTok(media),
  twitter: (media: SiteMedia): Site => new Twitter(media),
  bilibili: (media: SiteMedia): Site => new Bilibili(media),
  weibo: (media: SiteMedia): Site => new Weibo(media),
  xiaohongshu: (media: SiteMedia): Site => new Xiaohongshu(media),
  douyin: (media: SiteMedia): Site => new Douyin(media),
  sponsorblock: (): Site => new SponsorBlock(),
} as const

export type SiteName = keyof typeof SITES

export type SimOptions = Readonly<{
  /** Where certificates and media are kept; `test/.cache` when absent. */
  dir?: string
  /** All when absent. */
  sites?: readonly SiteName[]
  /** A free one when absent. */
  port?: number
  /** `user:password` that clients must send as proxy credentials. */
  credentials?: string
}>

/** The folder of everything that tests make once and keep. */
export const defaultCacheDir = (): string => path.resolve(import.meta.dirname, '..', '.cache')

/** Starts the loopback internet. Use with `await using`: disposing closes every connection. */
export async function startSim(options: SimOptions = {}): Promise<Sim> {
  const dir = options.dir ?? defaultCacheDir()
  const names = options.sites ?? (Object.keys(SITES) as SiteName[])
  const media = new SiteMedia(path.join(dir, 'sim'))
  const sites = names.map((name) => SITES[name](media))
  const hosts = sites.flatMap((site) => site.hosts.map((host) => `DNS:${host}`))
  const certificate = await getCertificate(path.join(dir, 'certs'), hosts)
  const { port = 0, credentials } = options
  return new Sim({ certificate, sites, port, credentials, resources: media }).listen()
}
