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
  const host = new URL(url).hostname.toLowerCase().replace(/^(www|m|mobile|music)\./, '')
  return ALIASES[host] ?? host
}
