import { audioSelector, videoSelector } from '../domain/format.ts'
import type { TaskRequest } from '../domain/task.ts'

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
}>

/**
 * What every call has. No configuration, plug-in, cache or remote component of the machine takes part, nothing is
 * executed after the download, and what is missing fails instead of being skipped.
 */
function commonArgs({ proxyUrl, maxFileBytes }: YtDlpOptions): string[] {
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

/** As `infoArgs`, but of the one video a URL stands for: the first of a playlist. */
export function firstInfoArgs(options: YtDlpOptions, selector: string): string[] {
  return [...commonArgs(options), '--playlist-items', '1', '--dump-json', '--format', selector, '--', options.url]
}

/**
 * Downloads one video or sound into the working directory as `media.<ext>`; prints progress and results as JSON lines
 * behind the prefix. With `infoFile`, an info JSON of an earlier call takes the place of the extraction.
 */
export function downloadArgs(options: YtDlpOptions, request: TaskRequest, infoFile: string | null): string[] {
  const { prefix } = options
  return [
    ...commonArgs(options),
    '--playlist-items',
    '1',
    '--match-filters',
    '!is_live',
    '--format',
    selectorOf(request),
    ...mergeArgs(request),
    ...clipArgs(request),
    '--output',
    `${OUTPUT_STEM}.%(ext)s`,
    '--newline',
    '--progress',
    '--progress-delta',
    String(PROGRESS_EVERY_S),
    '--progress-template',
    `download:${prefix}progress %(progress.{status,downloaded_bytes,total_bytes,total_bytes_estimate,speed,eta,fragment_index,fragment_count})j`,
    '--print',
    `pre_process:${prefix}found %(.{live_status})j`,
    '--print',
    `before_dl:${prefix}chosen %(.{duration,format_id,filesize,filesize_approx,url,protocol,http_headers,requested_formats})j`,
    '--print',
    `after_move:${prefix}file %(.{filepath})j`,
    ...(infoFile === null ? ['--', options.url] : ['--load-info-json', infoFile]),
  ]
}

/** The format selector of a request. */
export function selectorOf(request: TaskRequest): string {
  return request.kind === 'audio' || request.kind === 'live_audio'
    ? audioSelector(request.audioFormat ?? 'bestaudio')
    : videoSelector(request.videoFormat, request.audioFormat)
}

function mergeArgs(request: TaskRequest): string[] {
  if (request.kind !== 'video') return []
  const wanted = request.outputFormat
  const container = wanted !== null && ['mp4', 'mkv', 'webm'].includes(wanted) ? `${wanted}/mkv` : MERGE_CONTAINER
  return ['--merge-output-format', container]
}

function clipArgs({ clip, forceKeyframes }: TaskRequest): string[] {
  if (clip === null) return []
  const section = `*${clip.start ?? 0}-${clip.end ?? 'inf'}`
  return ['--download-sections', section, ...(forceKeyframes ? ['--force-keyframes-at-cuts'] : [])]
}
