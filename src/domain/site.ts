import { domainToASCII } from 'node:url'

/** Addresses of one site under other names: what they do to one of them they do to all. */
const ALIASES: Readonly<Record<string, string>> = {
  'youtu.be': 'youtube.com',
  'youtube-nocookie.com': 'youtube.com',
  'twitter.com': 'x.com',
  'vm.tiktok.com': 'tiktok.com',
  'vt.tiktok.com': 'tiktok.com',
  'instagr.am': 'instagram.com',
  'fb.watch': 'facebook.com',
  'b23.tv': 'bilibili.com',
}

/** The site that a URL belongs to: its host without the variants a site has of itself. The unit of cool-downs. */
export function siteOf(url: string): string {
  const host = new URL(url).hostname
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^(www|m|mobile|music)\.(?=[^.]+\.)/, '') // `m.example`, but `music.com` is a site of its own
  return ALIASES[host] ?? host
}

/**
 * The site that a client names by its host, such as `www.youtube.com` for `youtube.com`; null for what is no host name of
 * the internet.
 */
export function siteNamed(host: string): string | null {
  // What else a URL may hold is cut off by the reader of hosts.
  const name = /[\s/?#@\\:%[\]]/.test(host) ? '' : domainToASCII(host.toLowerCase())
  return HOST_NAME.test(name) ? siteOf(`https://${name}`) : null
}

/** A host name with at least two labels, the last no number. */
const HOST_NAME = /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{1,62}$/

/** Every domain whose cookies belong to a site: its own and those of its other names. */
export function domainsOf(site: string): readonly string[] {
  return [site, ...Object.keys(ALIASES).filter((alias) => ALIASES[alias] === site)]
}

/** Whether a URL belongs to one of these sites, or to a subdomain of one. */
export const isOfSites = (url: string, sites: readonly string[]): boolean =>
  sitesAbove(url).some((site) => sites.includes(site))

/** The site of a URL and those above it, the nearest first: `player.vimeo.com`, `vimeo.com`. */
export function sitesAbove(url: string): readonly string[] {
  const labels = siteOf(url).split('.')
  return labels
    .slice(0, Math.max(1, labels.length - 1))
    .map((_, index) => siteOf(`https://${labels.slice(index).join('.')}`))
}
