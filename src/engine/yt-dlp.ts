import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { TaskError } from '../domain/errors.ts'
import type { TaskRequest } from '../domain/task.ts'
import { invoke, type EngineRun } from './engine-run.ts'
import { ProgressMeter, parseYtDlpLine, type Track, type YtDlpEvent } from './progress.ts'
import type { ToolRunner } from './tool.ts'
import { downloadArgs, firstInfoArgs, infoArgs, OUTPUT_STEM, selectorOf, type YtDlpOptions } from './yt-dlp-args.ts'

/** What a download left in the work folder, and what the site had announced. */
export type Downloaded = Readonly<{
  file: string
  /** Seconds of the whole medium, null when the site does not tell. */
  announcedDuration: number | null
  /** Bytes, where one file was fetched as it is. */
  announcedBytes: number | null
}>

/** What a download tells on its way. */
export type DownloadHooks = Readonly<{
  /** The tracks were chosen and are being fetched. */
  onChosen?: (tracks: readonly Track[]) => void
}>

/** yt-dlp as this daemon uses it. Every method throws TaskError when the tool does not do what was asked. */
export class YtDlp {
  readonly #runner: ToolRunner
  readonly #maxFileBytes: number

  constructor(runner: ToolRunner, maxFileBytes: number) {
    this.#runner = runner
    this.#maxFileBytes = maxFileBytes
  }

  /** The info JSON of a URL as yt-dlp printed it: one video, or a playlist with flat entries. */
  async info(url: string, run: EngineRun): Promise<string> {
    run.onProgress({ ...IDLE, phase: 'extracting' })
    return invoke(this.#runner, run, { tool: 'yt-dlp', args: infoArgs(this.#options(url, run)) })
  }

  /** The info JSON of the one video a request stands for, with the formats chosen for it. */
  async firstInfo(request: TaskRequest, run: EngineRun): Promise<string> {
    run.onProgress({ ...IDLE, phase: 'extracting' })
    const args = firstInfoArgs(this.#options(request.url, run), selectorOf(request))
    const text = await invoke(this.#runner, run, { tool: 'yt-dlp', args })
    return text === '' ? 'null' : text
  }

  /** Fetches one video or sound into the work folder, going on where partial files of it lie. */
  async download(
    request: TaskRequest,
    infoFile: string | null,
    run: EngineRun,
    hooks: DownloadHooks = {},
  ): Promise<Downloaded> {
    run.onProgress({ ...IDLE, phase: 'extracting' })
    const options = this.#options(request.url, run)
    const meter = new ProgressMeter()
    const seen: { isLive: boolean; chosen: Extract<YtDlpEvent, { type: 'chosen' }> | null; file: string | null } = {
      isLive: false,
      chosen: null,
      file: null,
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
          seen.file = event.path
          break
        case undefined:
      }
    }
    await invoke(this.#runner, run, { tool: 'yt-dlp', args: downloadArgs(options, request, infoFile), onLine })
    if (seen.file === null) throw withoutFile(seen.isLive, seen.chosen !== null, this.#maxFileBytes)
    const [only, ...more] = seen.chosen?.tracks ?? []
    return {
      file: insideWork(run.workDir, seen.file),
      announcedDuration: seen.chosen?.duration ?? null,
      announcedBytes: more.length === 0 && request.clip === null && isPlain(only) ? (only?.filesize ?? null) : null,
    }
  }

  #options(url: string, run: EngineRun): YtDlpOptions {
    const prefix = `${randomBytes(12).toString('hex')}:`
    return { url, proxyUrl: run.lane.proxyUrl, prefix, maxFileBytes: this.#maxFileBytes }
  }
}

const IDLE = { percent: null, speed: null, eta: null, downloadedBytes: null, totalBytes: null }

const isPlain = (track: Track | undefined) => track?.protocol === 'http' || track?.protocol === 'https'

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
