import { audioSelector, videoSelector } from '../domain/format.ts'
import type { TaskRequest } from '../domain/task.ts'
import { PLAIN_PLAN, wantsSubtitles, type FetchPlan } from './fetch-plan.ts'
import { sideArgs } from './side-args.ts'
import type { SiteAccess } from './site-access.ts'
import { siteArgs } from './site-args.ts'

/** Base name of everything yt-dlp writes: nothing that a site says becomes a path. */
export const OUTPUT_STEM = 'media'

/** Container of merged tracks where none was asked for: what clients of the field expect and every player plays. */
const MERGE_CONTAINER = 'mp4'

/** Seconds without an answer before yt-dlp gives a request up. */
const SOCKET_TIMEOUT_S = 20

/** How often yt-dlp tries a request of an extractor, or a fragment, again by itself. */
const INNER_RETRIES = 3

/**
 * A file that broke off is never continued by yt-dlp itself: it asks for the rest without saying of which file, and would
 * join two halves should the origin have another by then.
 */
const FILE_RETRIES = 0

/** Seconds between two reports of progress. */
const PROGRESS_EVERY_S = 0.5

/** What every call of yt-dlp is built from. */
export type YtDlpOptions = Readonly<{
  url: string
  proxyUrl: string
  /** Starts every line that is ours: random, so that no title can imitate it. */
  prefix: string
  maxFileBytes: number
  site: SiteAccess
  /** Address of the SponsorBlock service. */
  sponsorBlockApi: string
}>

/** What one download is built from besides the request. */
export type DownloadOptions = Readonly<{
  /** An info JSON that takes the place of the extraction. */
  infoFile: string | null
  plan: FetchPlan
  /** Ask SponsorBlock, where the request does. */
  sponsorBlock: boolean
}>

export const PLAIN_DOWNLOAD: DownloadOptions = { infoFile: null, plan: PLAIN_PLAN, sponsorBlock: true }

/**
 * What every call has. No configuration, plug-in, cache or remote component of the machine takes part, nothing is
 * executed after the download, and what is missing fails instead of being skipped.
 */
export function commonArgs({ proxyUrl, maxFileBytes, site }: YtDlpOptions): string[] {
  return [
    '--ignore-config',
    '--no-plugin-dirs',
    '--no-cache-dir',
    '--no-remote-components',
    '--no-exec',
    // Otherwise a failed download is no error to yt-dlp, and stale links of an info file are not looked up again.
    '--abort-on-error',
    '--no-mtime',
    '--no-playlist',
    '--color',
    'no_color',
    '--proxy',
    proxyUrl,
    '--socket-timeout',
    String(SOCKET_TIMEOUT_S),
    '--retries',
    String(FILE_RETRIES),
    '--fragment-retries',
    String(INNER_RETRIES),
    '--extractor-retries',
    String(INNER_RETRIES),
    '--abort-on-unavailable-fragments',
    '--max-filesize',
    String(maxFileBytes),
    ...siteArgs(site),
  ]
}

/** Prints the whole info JSON of one video, or of a playlist with flat entries. `selector` chooses the formats named in it. */
export function infoArgs(options: YtDlpOptions, selector: string | null = null): string[] {
  return [
    ...commonArgs(options),
    '--flat-playlist',
    '--dump-single-json',
    ...(selector === null ? [] : ['--format', selector]),
    '--',
    options.url,
  ]
}

/** As `infoArgs`, but of the playlist where a URL names both one and a video in it. */
export function listArgs(options: YtDlpOptions): string[] {
  return ['--yes-playlist', ...infoArgs(options).filter((arg) => arg !== '--no-playlist')]
}

/** As `infoArgs`, but of the one video a URL stands for: the first of a playlist; with its subtitles where they are wanted. */
export function firstInfoArgs(options: YtDlpOptions, request: TaskRequest): string[] {
  return [
    ...commonArgs(options),
    '--playlist-items',
    '1',
    '--dump-json',
    '--format',
    selectorOf(request),
    // Some extractors look for subtitles only then; nothing is written.
    ...(wantsSubtitles(request) ? ['--write-subs', '--write-auto-subs'] : []),
    '--',
    options.url,
  ]
}

/**
 * Downloads one video or sound into the working directory as `media.<ext>`, or each of several clips as
 * `media.<number>.<ext>`, and what is wanted beside it; prints progress and results as JSON lines behind the prefix.
 */
export function downloadArgs(
  options: YtDlpOptions,
  request: TaskRequest,
  { infoFile, plan, sponsorBlock }: DownloadOptions = PLAIN_DOWNLOAD,
): string[] {
  const { prefix } = options
  const isCut = sponsorBlock && request.sponsorBlock !== null
  return [
    ...commonArgs(options),
    '--playlist-items',
    '1',
    '--match-filters',
    '!is_live',
    '--format',
    selectorOf(request),
    ...mergeArgs(request),
    ...clipArgs(request, plan),
    ...(isCut ? sponsorBlockArgs(options, request) : []),
    ...(request.forceKeyframes && (isCut || request.clips.length > 0 || request.chapters !== null)
      ? ['--force-keyframes-at-cuts']
      : []),
    '--output',
    plan.parts.length > 1 && !plan.cutHere ? `${OUTPUT_STEM}.%(autonumber)d.%(ext)s` : `${OUTPUT_STEM}.%(ext)s`,
    ...sideArgs(request, plan),
    '--newline',
    '--progress',
    '--progress-delta',
    String(PROGRESS_EVERY_S),
    '--progress-template',
    `download:${prefix}progress %(progress.{status,downloaded_bytes,total_bytes,total_bytes_estimate,speed,eta,fragment_index,fragment_count})j`,
    '--print',
    `pre_process:${prefix}found %(.{live_status})j`,
    '--print',
    `before_dl:${prefix}chosen %(.{title,duration,format_id,filesize,filesize_approx,url,protocol,http_headers,requested_formats})j`,
    '--print',
    `after_move:${prefix}file %(.{${isCut ? 'filepath,duration,chapters,sponsorblock_chapters' : 'filepath'}})j`,
    ...sourceArgs(options, infoFile),
  ]
}

/** Fetches only what stands beside a medium: its subtitles as `subs.<tag>.<ext>`, or its thumbnail as `thumb.<ext>`. */
export function besideArgs(options: YtDlpOptions, request: TaskRequest, { infoFile, plan }: DownloadOptions): string[] {
  return [
    ...commonArgs(options),
    '--playlist-items',
    '1',
    '--skip-download',
    '--format',
    selectorOf(request),
    '--output',
    `${OUTPUT_STEM}.%(ext)s`,
    ...sideArgs(request, plan),
    '--print',
    `before_dl:${options.prefix}chosen %(.{title,duration})j`,
    ...sourceArgs(options, infoFile),
  ]
}

function sourceArgs({ url }: YtDlpOptions, infoFile: string | null): string[] {
  return infoFile === null ? ['--', url] : ['--load-info-json', infoFile]
}

/** The format selector of a request. */
export function selectorOf(request: TaskRequest): string {
  switch (request.kind) {
    case 'audio':
    case 'live_audio':
      return audioSelector(request.audioFormat ?? 'bestaudio')
    case 'subtitles':
    case 'thumbnail':
      return 'best*'
    case 'video':
    case 'live_video':
    case 'info':
    case 'playlist':
    case 'post':
      return videoSelector(request.videoFormat, request.audioFormat)
  }
}

function mergeArgs(request: TaskRequest): string[] {
  if (request.kind !== 'video') return []
  const wanted = request.outputFormat
  const container = wanted !== null && ['mp4', 'mkv', 'webm'].includes(wanted) ? `${wanted}/mkv` : MERGE_CONTAINER
  return ['--merge-output-format', container]
}

/** Seconds as yt-dlp reads them: milliseconds are the finest it is told. */
const second = (value: number) => String(Math.round(value * 1000) / 1000)

function clipArgs({ clips }: TaskRequest, { medium, parts, cutHere }: FetchPlan): string[] {
  if (cutHere) return []
  const cuts = medium === null ? clips : parts.filter(({ start, end }) => start !== null || end !== null)
  return cuts.flatMap(({ start, end }) => [
    '--download-sections',
    `*${second(start ?? 0)}-${end === null ? 'inf' : second(end)}`,
  ])
}

function sponsorBlockArgs({ sponsorBlockApi }: YtDlpOptions, { sponsorBlock }: TaskRequest): string[] {
  if (sponsorBlock === null) return []
  const categories = sponsorBlock.categories.join(',')
  return [`--sponsorblock-${sponsorBlock.action}`, categories, '--sponsorblock-api', sponsorBlockApi]
}
