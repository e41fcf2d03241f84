import type { SitePreset } from '../domain/site-preset.ts'

/** The run's private copy of a key's cookies, in its work folder. yt-dlp rewrites it at its end. */
export const COOKIE_FILE = 'cookies.txt'

/** An info document in the work folder for yt-dlp to start from: it holds the cookies that its formats are fetched with. */
export const START_INFO_FILE = 'start.info.json'

/** How a run shows itself to the site. */
export type SiteAccess = Readonly<{
  /** Absolute; null = as a stranger. */
  cookieFile: string | null
  preset: SitePreset | null
  /** Same for runs that see the same pages, different for all others; '' for strangers without a preset. */
  scope: string
}>
