import type { SitePreset } from '../domain/site-preset.ts'
import type { SiteAccess } from './site-access.ts'

/** Cookies of the key, and the operator's wishes for the site. */
export function siteArgs({ cookieFile, preset }: SiteAccess): string[] {
  const cookies = cookieFile === null ? [] : ['--cookies', cookieFile]
  if (preset === null) return cookies
  const { userAgent, impersonate, sleepRequests, sleepInterval } = preset
  return [
    ...cookies,
    ...(userAgent === null ? [] : ['--user-agent', userAgent]),
    ...(impersonate === null ? [] : ['--impersonate', impersonate]),
    ...(sleepRequests === null ? [] : ['--sleep-requests', String(sleepRequests)]),
    ...(sleepInterval === null
      ? []
      : ['--sleep-interval', String(sleepInterval[0]), '--max-sleep-interval', String(sleepInterval[1])]),
    ...extractorArgs(preset),
  ]
}

function extractorArgs({ extractorArgs: wanted, poTokenProvider }: SitePreset): string[] {
  const given = Object.entries(wanted).map(([extractor, all]) => {
    const parts = Object.entries(all).map(([name, values]) => `${name}=${values.join(',')}`)
    return `${extractor}:${parts.join(';')}`
  })
  // Read by a plug-in of ours. In such arguments `;` and `,` part values.
  const provider = poTokenProvider === null ? [] : [`youtubepot-ytdlpd:base_url=${encodeURIComponent(poTokenProvider)}`]
  return [...given, ...provider].flatMap((text) => ['--extractor-args', text])
}
