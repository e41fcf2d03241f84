import fs from 'node:fs/promises'
import path from 'node:path'
import { TaskError } from '../domain/errors.ts'
import type { TaskRequest } from '../domain/task.ts'
import { conflictIn } from '../domain/wishes.ts'
import type { EngineRun } from './engine-run.ts'
import {
  cleanText,
  knowsSubtitles,
  needsMedium,
  PLAIN_PLAN,
  planFetch,
  wantsSubtitles,
  type FetchPlan,
} from './fetch-plan.ts'
import { expectedOf, Finisher, madeFile, mediaContext, percentOf, type Made } from './finish.ts'
import { InfoCache } from './info-cache.ts'
import { parseInfo } from './info.ts'
import { salvageRecording, type FinishedRecording } from './live-finish.ts'
import { recordLive, type EndedEarly, type LiveRecording } from './live.ts'
import { filesBeside, findBeside, makeParts, type Fetched } from './make-parts.ts'
import { tracksOf, type Track } from './progress.ts'
import { hasPartialFiles, keepOnlyResumable, lookAtTracks, noteTracks, type HeadFetch } from './resume.ts'
import { START_INFO_FILE } from './site-access.ts'
import type { ToolRunner } from './tool.ts'
import { YtDlp } from './yt-dlp.ts'
import type { DownloadOptions } from './yt-dlp-args.ts'

export type { Made, MadeFile } from './finish.ts'

/** A download that takes longer than this is worth resuming: only then the origin is asked what identifies its content. */
const NOTE_AFTER_MS = 1_000

/** How often one attempt goes on with a download whose connection broke. */
const MAX_BREAKS = 3

/** What media are made with. */
export type MediaOptions = Readonly<{
  runner: ToolRunner
  maxFileBytes: number
  /** Address of the SponsorBlock service. */
  sponsorBlockApi: string
  infoCacheMs: number
  head: HeadFetch
  fetchText: (url: string, headers: Readonly<Record<string, string>>, run: EngineRun) => Promise<string>
}>

/** Everything the daemon can make of a URL. Methods throw TaskError. */
export class Media {
  readonly #runner: ToolRunner
  readonly #ytDlp: YtDlp
  readonly #finisher: Finisher
  readonly #cache: InfoCache
  readonly #head: HeadFetch
  readonly #fetchText: MediaOptions['fetchText']

  constructor(options: MediaOptions) {
    this.#runner = options.runner
    this.#ytDlp = new YtDlp(options.runner, options)
    this.#finisher = new Finisher(options.runner)
    this.#cache = new InfoCache(options.infoCacheMs)
    this.#head = options.head
    this.#fetchText = options.fetchText
  }

  /** The info JSON of a URL; simultaneous and recent extractions of it are shared. */
  info(url: string, run: EngineRun): Promise<string> {
    const extract = () => this.#ytDlp.info(url, run)
    return run.fresh ? extract() : this.#cache.share(infoKey(url, run), run.signal, extract)
  }

  /** As `info`, but of the playlist where a URL names both one and a video in it. */
  list(url: string, run: EngineRun): Promise<string> {
    const extract = () => this.#ytDlp.list(url, run)
    return run.fresh ? extract() : this.#cache.share(`list ${infoKey(url, run)}`, run.signal, extract)
  }

  /** Fetches what a video or audio request asks for and brings it into the form asked for. */
  async download(request: TaskRequest, run: EngineRun): Promise<Made> {
    requireAccord(request)
    const fetched = await this.#fetchWhole(request, run)
    const beside = await findBeside(this.#runner, request, fetched.plan, run)
    const context = { runner: this.#runner, finisher: this.#finisher, request, run }
    const files = await makeParts(context, fetched, beside)
    const others = await filesBeside(this.#runner, request, beside, run)
    return { files: [...files, ...others], title: cleanTitle(fetched.title) }
  }

  /** Fetches the subtitles or the thumbnail that a request asks for. */
  async beside(request: TaskRequest, run: EngineRun): Promise<Made> {
    requireAccord(request)
    const start = await this.#startingPoint(request, run)
    const plan = start === null ? PLAIN_PLAN : planFetch(request, start.text)
    const title = await this.#ytDlp.fetchBeside(
      request,
      { infoFile: start?.file ?? null, plan, sponsorBlock: false },
      run,
    )
    const beside = await findBeside(this.#runner, request, plan, run)
    const [first, ...others] = await filesBeside(this.#runner, request, beside, run)
    if (first === undefined) throw new TaskError('no_media', `there is no ${request.kind} at this address`)
    const note = plan.lacks.length === 0 ? null : plan.lacks.join('; ')
    return { files: [{ ...first, note }, ...others], title: cleanTitle(title) }
  }

  /** Records a part of a running live stream. */
  async record(request: TaskRequest, run: EngineRun): Promise<Made> {
    requireAccord(request)
    const salvaged = await salvageRecording(this.#runner, mediaContext(run))
    const { recording, title } = salvaged ? { recording: salvaged, title: null } : await this.#recordAnew(request, run)
    const { file } = recording
    const checked = await this.#finisher.check(run, { file, expect: expectedOf(request), expectedDuration: null })
    const shaped = await this.#finisher.shape(request, { file, checked, number: 1, extras: null }, run)
    return { files: [madeFile(request, shaped, { number: 1, note: noteOn(recording) })], title }
  }

  async #recordAnew(
    request: TaskRequest,
    run: EngineRun,
  ): Promise<Readonly<{ recording: LiveRecording; title: string | null }>> {
    const { live } = request
    if (live === null) throw new TaskError('bad_request_options', 'a recording needs a duration')
    const info = parseInfo(await this.#ytDlp.firstInfo(request, run))
    const begun = { percent: 0, speed: null, eta: live.duration, downloadedBytes: null, totalBytes: null }
    run.onProgress({ ...begun, phase: 'recording' })
    const recording = await recordLive(this.#runner, {
      ...mediaContext(run),
      info,
      kind: expectedOf(request),
      startSeconds: live.start,
      durationSeconds: live.duration,
      proxyUrl: run.lane.proxyUrl,
      interrupt: run.interrupt,
      fetchText: (url, headers) => this.#fetchText(url, headers, run),
      onRecorded: (seconds) =>
        run.onProgress({
          phase: 'recording',
          percent: percentOf(seconds / live.duration),
          speed: null,
          eta: Math.max(0, Math.round(live.duration - seconds)),
          downloadedBytes: run.lane.bytes,
          totalBytes: null,
        }),
    })
    return { recording, title: cleanTitle(info.title ?? null) }
  }

  /**
   * The info JSON to start from: a recent one of the same page, or, where partial files lie, a new one whose tracks were
   * compared with what the files were taken from. Null lets yt-dlp look by itself.
   */
  async #startingPoint(request: TaskRequest, run: EngineRun): Promise<Readonly<{ file: string; text: string }> | null> {
    const file = path.join(run.workDir, START_INFO_FILE)
    const hasPartial = await hasPartialFiles(run.workDir)
    const recent = hasPartial ? null : this.#recentInfo(request, run)
    if (recent === null && !hasPartial && !needsMedium(request)) return null
    const text = recent ?? (await this.#ytDlp.firstInfo(request, run))
    if (hasPartial) {
      const tracks = tracksOf(parseInfo(text))
      await keepOnlyResumable(run.workDir, await lookAtTracks(tracks, this.#head, run))
    }
    await fs.writeFile(file, text)
    return { file, text }
  }

  /** What an extraction found a short while ago, where it tells enough. */
  #recentInfo(request: TaskRequest, run: EngineRun): string | null {
    const recent = run.fresh ? null : this.#cache.get(infoKey(request.url, run))
    if (recent === null || parseInfo(recent)._type === 'playlist') return null
    return wantsSubtitles(request) && !knowsSubtitles(recent) ? null : recent
  }

  /** Goes on after a broken connection, each time only with what the origin still has. */
  async #fetchWhole(request: TaskRequest, run: EngineRun): Promise<Fetched> {
    for (let breaks = 0; ; breaks++) {
      const start = await this.#startingPoint(request, run)
      const plan = start === null || !needsMedium(request) ? PLAIN_PLAN : planFetch(request, start.text)
      try {
        return await this.#fetch(request, { infoFile: start?.file ?? null, plan }, run)
      } catch (error) {
        const isBreak = error instanceof TaskError && error.code === 'network' && (await hasPartialFiles(run.workDir))
        if (!isBreak || breaks === MAX_BREAKS || run.signal.aborted) throw error
      }
    }
  }

  /** SponsorBlock is asked before anything is fetched; that it does not answer is no reason to fetch nothing. */
  async #fetch(
    request: TaskRequest,
    from: Readonly<{ infoFile: string | null; plan: FetchPlan }>,
    run: EngineRun,
  ): Promise<Fetched> {
    const wish = request.sponsorBlock
    const begun = { yes: false }
    if (wish !== null) {
      try {
        return await this.#fetchOnce(request, { ...from, sponsorBlock: true }, run, begun)
      } catch (error) {
        // yt-dlp fetches the medium all the same, and fails at its end: it is there then.
        const isItsFault = error instanceof TaskError && error.message.includes('SponsorBlock API')
        if ((begun.yes && !isItsFault) || run.signal.aborted) throw error
      }
    }
    return this.#fetchOnce(request, { ...from, sponsorBlock: false }, run, begun)
  }

  async #fetchOnce(
    request: TaskRequest,
    options: DownloadOptions,
    run: EngineRun,
    begun: { yes: boolean },
  ): Promise<Fetched> {
    let timer: NodeJS.Timeout | undefined
    const note = async (tracks: readonly Track[]) => {
      const seen = await lookAtTracks(tracks, this.#head, run)
      await noteTracks(run.workDir, seen)
    }
    // A clip, or a file that parts were cut out of, is none that could be gone on with.
    const isWhole = request.clips.length === 0 && !Array.isArray(request.chapters) && request.sponsorBlock === null
    try {
      const downloaded = await this.#ytDlp.download(request, options, run, {
        onChosen: (tracks) => {
          begun.yes = true
          // Without the note a later attempt starts over: nothing is lost but time.
          if (isWhole) timer = setTimeout(() => void note(tracks).catch(() => null), NOTE_AFTER_MS)
        },
      })
      return { ...downloaded, plan: options.plan, sponsorBlock: options.sponsorBlock }
    } finally {
      clearTimeout(timer)
    }
  }
}

function requireAccord(request: TaskRequest): void {
  const conflict = conflictIn(request)
  if (conflict !== null) throw new TaskError('bad_request_options', conflict.message)
}

const cleanTitle = (title: string | null) => (title === null ? null : cleanText(title) || null)

/** Pages are shared only by runs that the site shows the same: those of other keys' cookies are kept apart. */
const infoKey = (url: string, { site }: EngineRun) => JSON.stringify([site.scope, url])

const WHY_SHORTER: Readonly<Record<EndedEarly, string>> = {
  ended: 'the stream ended',
  stopped: 'the server was stopped',
  interrupted_by_network: 'the connection to the stream was lost',
  stalled: 'the stream stood still',
}

/** Why a recording is not what was asked for, null when it is. */
function noteOn(recording: FinishedRecording | LiveRecording): string | null {
  if (!('endedEarly' in recording)) return 'shorter than asked for: the server died while it was recorded'
  const notes = [
    ...(recording.endedEarly === null ? [] : [`shorter than asked for: ${WHY_SHORTER[recording.endedEarly]}`]),
    ...(recording.startClipped ? ['it begins later than asked for: the stream does not reach back so far'] : []),
  ]
  return notes.length === 0 ? null : notes.join('; ')
}
