import { isOfSites, siteOf } from './site.ts'

/** How an operator wants sites to be asked. Null = as usual. */
export type SitePreset = Readonly<{
  name: string
  /** As `siteOf` names them; subdomains included. */
  sites: readonly string[]
  /** Stands for its sites where a request names none. */
  isDefault: boolean
  /** URL of the proxy to take in the place of PROXY_URL; may hold a password. */
  proxy: string | null
  userAgent: string | null
  /** Browser whose way of connecting is imitated, such as `chrome`. */
  impersonate: string | null
  /** URL of a server that makes PO tokens for YouTube, by the protocol of bgutil-ytdlp-pot-provider. */
  poTokenProvider: string | null
  /** Seconds between two requests of an extraction. */
  sleepRequests: number | null
  /** Seconds before each download: from, to. */
  sleepInterval: readonly [from: number, to: number] | null
  /** Arguments of extractors, `youtube` → `player_client` → values. */
  extractorArgs: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
}>

/** Whether the preset is meant for the site of this URL. */
export const isForUrl = ({ sites }: SitePreset, url: string): boolean => isOfSites(url, sites)

/** What a preset does, in words; no address and no credentials of a proxy. */
export function describePreset(preset: SitePreset): readonly string[] {
  const { sleepInterval: interval } = preset
  const args = Object.entries(preset.extractorArgs).flatMap(([extractor, all]) =>
    Object.entries(all).map(([name, values]) =>
      name === 'po_token' ? `${extractor}: PO tokens of its own` : `${extractor}: ${name} ${values.join(', ')}`,
    ),
  )
  return [
    ...(preset.proxy === null ? [] : ['goes by a proxy of its own']),
    ...(preset.userAgent === null ? [] : [`says to be ${preset.userAgent}`]),
    ...(preset.impersonate === null ? [] : [`connects as ${preset.impersonate} does`]),
    ...(preset.poTokenProvider === null ? [] : ['asks a provider of PO tokens']),
    ...(preset.sleepRequests === null ? [] : [`waits ${preset.sleepRequests} s between requests`]),
    ...(interval === null ? [] : [`waits ${interval[0]} to ${interval[1]} s before a download`]),
    ...args,
  ]
}

/** The preset that stands for a URL by itself: of several, the one that names the nearest site. */
export function defaultFor(presets: Iterable<SitePreset>, url: string): SitePreset | null {
  const site = siteOf(url)
  const nearness = ({ sites }: SitePreset) =>
    Math.max(...sites.filter((own) => isOfSites(`https://${site}`, [own])).map((own) => own.length))
  const fitting = [...presets].filter((preset) => preset.isDefault && isForUrl(preset, url))
  return fitting.toSorted((a, b) => nearness(b) - nearness(a))[0] ?? null
}
