import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { TaskError } from '../domain/errors.ts'
import type { TaskRequest } from '../domain/task.ts'
import { invoke, type EngineRun } from './engine-run.ts'
import { ProgressMeter, parseYtDlpLine, type FinishedFile, type Track, type YtDlpEvent } from './progress.ts'
import type { ToolRunner } from './tool.ts'
import {
  besideArgs,
  downloadArgs,
  firstInfoArgs,
  infoArgs,
  listArgs,
  OUTPUT_STEM,
  type DownloadOptions,
  type YtDlpOptions,
} from './yt-dlp-args.ts'

/** What a download left in the work folder, and what the site had announced. */
export type Downloaded = Readonly<{
  /** In the order of the parts that were asked for. */
  files: readonly [FinishedFile, ...FinishedFile[]]
  title: string | null
  /** Seconds of the whole medium, null when the site does not tell. */
  announcedDuration: number | null
  /** Bytes, where one file was fetched as it is. */
  announcedBytes: number | null
}>

/** What a download is bounded by and built with. */
export type YtDlpLimits = Readonly<{ maxFileBytes: number; sponsorBlockApi: string }>

/** What a download tells on its way. */
export type DownloadHooks = Readonly<{
  /** The tracks were chosen and are being fetched. */
  onChosen?: (tracks: readonly Track[]) => void
}>

/** yt-dlp as this daemon uses it. Every method throws TaskError when the tool does not do what was asked. */
export class YtDlp {
  readonly #runner: ToolRunner
  readonly #limits: YtDlpLimits

  constructor(runner: ToolRunner, limits: YtDlpLimits) {
    this.#runner = runner
    this.#limits = limits
  }

  /** The info JSON of a URL as yt-dlp printed it: one video, or a playlist with flat entries. */
  async info(url: string, run: EngineRun): Promise<string> {
    run.onProgress({ ...IDLE, phase: 'extracting' })
    return invoke(this.#runner, run, { tool: 'yt-dlp', args: infoArgs(this.#options(url, run)) })
  }

  /** As `info`, but of the playlist where a URL names both one and a video in it. */
  async list(url: string, run: EngineRun): Promise<string> {
    run.onProgress({ ...IDLE, phase: 'extracting' })
    return invoke(this.#runner, run, { tool: 'yt-dlp', args: listArgs(this.#options(url, run)) })
  }

  /** The info JSON of the one video a request stands for, with the formats chosen for it. */
  async firstInfo(request: TaskRequest, run: EngineRun): Promise<string> {
    run.onProgress({ ...IDLE, phase: 'extracting' })
    const args = firstInfoArgs(this.#options(request.url, run), request)
    const text = await invoke(this.#runner, run, { tool: 'yt-dlp', args })
    return text === '' ? 'null' : text
  }

  /** Fetches what stands beside a medium into the work folder; resolves to the medium's title. */
  async fetchBeside(request: TaskRequest, download: DownloadOptions, run: EngineRun): Promise<string | null> {
    run.onProgress({ ...IDLE, phase: 'downloading' })
    const options = this.#options(request.url, run)
    const seen: { title: string | null } = { title: null }
    const onLine = (line: string) => {
      const event = parseYtDlpLine(line, options.prefix)
      if (event?.type === 'chosen') seen.title = event.title
    }
    await invoke(this.#runner, run, { tool: 'yt-dlp', args: besideArgs(options, request, download), onLine })
    return seen.title
  }

  /** Fetches one video or sound, or parts of it, into the work folder, going on where partial files of it lie. */
  async download(
    request: TaskRequest,
    download: DownloadOptions,
    run: EngineRun,
    hooks: DownloadHooks = {},
  ): Promise<Downloaded> {
    run.onProgress({ ...IDLE, phase: 'extracting' })
    const options = this.#options(request.url, run)
    const meter = new ProgressMeter()
    const seen: { isLive: boolean; chosen: Extract<YtDlpEvent, { type: 'chosen' }> | null; files: FinishedFile[] } = {
      isLive: false,
      chosen: null,
      files: [],
    }
    const onLine = (line: string) => {
      const event = parseYtDlpLine(line, options.prefix)
      switch (event?.type) {
        case 'found':
          seen.isLive = event.isLive
          break
        case 'chosen':
          seen.chosen = event
          meter.begin(event.tracks)
          run.onProgress({ ...IDLE, phase: 'downloading' })
          hooks.onChosen?.(event.tracks)
          break
        case 'progress':
          run.onProgress(meter.report(event))
          break
        case 'file':
          seen.files.push(event.file)
          break
        case undefined:
      }
    }
    await invoke(this.#runner, run, { tool: 'yt-dlp', args: downloadArgs(options, request, download), onLine })
    const [first, ...others] = seen.files.map((file) => ({ ...file, filepath: insideWork(run.workDir, file.filepath) }))
    if (first === undefined) throw withoutFile(seen.isLive, seen.chosen !== null, this.#limits.maxFileBytes)
    const { title = null, duration: announcedDuration = null, tracks = [] } = seen.chosen ?? {}
    const announcedBytes = bytesOf(tracks, request, download)
    return { files: [first, ...others], title, announcedDuration, announcedBytes }
  }

  #options(url: string, run: EngineRun): YtDlpOptions {
    const prefix = `${randomBytes(12).toString('hex')}:`
    return { url, proxyUrl: run.lane.proxyUrl, prefix, site: run.site, ...this.#limits }
  }
}

const IDLE = { percent: null, speed: null, eta: null, downloadedBytes: null, totalBytes: null }

/** Bytes that the site announced for the file, null where several were joined or something was cut. */
function bytesOf([only, ...more]: readonly Track[], request: TaskRequest, { plan }: DownloadOptions): number | null {
  const isWhole = plan.cutHere || plan.parts.every(({ start, end }) => start === null && end === null)
  const isCut = !isWhole || request.clips.length > 0 || request.sponsorBlock !== null
  return only === undefined || more.length > 0 || isCut || !isPlain(only) ? null : (only.filesize ?? null)
}

const isPlain = ({ protocol }: Track) => protocol === 'http' || protocol === 'https'

/** Exit code 0 without a file: yt-dlp left the video out, for a reason that it tells nobody but a terminal. */
function withoutFile(isLive: boolean, wasChosen: boolean, maxBytes: number): TaskError {
  if (isLive) return new TaskError('filtered', 'this is a running live stream: use get_live_video or get_live_audio')
  if (wasChosen) return new TaskError('too_large', `the file is larger than the ${maxBytes} bytes that are allowed`)
  return new TaskError('no_media', 'there is nothing to download at this address')
}

function insideWork(workDir: string, file: string): string {
  const full = path.resolve(workDir, file)
  if (path.dirname(full) !== workDir || !path.basename(full).startsWith(`${OUTPUT_STEM}.`)) {
    throw new TaskError('invalid_media', 'yt-dlp named a file outside of its folder')
  }
  return full
}
