import fs from 'node:fs/promises'
import path from 'node:path'
import { TaskError } from '../domain/errors.ts'
import type { TaskRequest } from '../domain/task.ts'
import { convert, planConversion } from './convert.ts'
import type { EngineRun } from './engine-run.ts'
import { checkWhole, type Expected, type GateResult } from './gate.ts'
import { InfoCache } from './info-cache.ts'
import { parseInfo } from './info.ts'
import { salvageRecording, type FinishedRecording } from './live-finish.ts'
import { recordLive, type EndedEarly, type LiveRecording } from './live.ts'
import type { MediaContext } from './probe.ts'
import { tracksOf, type Track } from './progress.ts'
import { hasPartialFiles, keepOnlyResumable, lookAtTracks, noteTracks, type HeadFetch } from './resume.ts'
import type { ToolRunner } from './tool.ts'
import { YtDlp, type Downloaded } from './yt-dlp.ts'

/** A file proven whole and of the kind that was asked for, still in the work folder. */
export type Made = Readonly<{
  file: string
  extension: string
  duration: number | null
  /** What a client should know of it. */
  note: string | null
}>

/** Seconds a clip cut at key frames may be off from what was asked. */
const KEYFRAME_SLACK_S = 12

/** A download that takes longer than this is worth resuming: only then the origin is asked what identifies its content. */
const NOTE_AFTER_MS = 1_000

/** How often one attempt goes on with a download whose connection broke. */
const MAX_BREAKS = 3

/** What media are made with. */
export type MediaOptions = Readonly<{
  runner: ToolRunner
  maxFileBytes: number
  infoCacheMs: number
  head: HeadFetch
  fetchText: (url: string, headers: Readonly<Record<string, string>>, run: EngineRun) => Promise<string>
}>

/** Everything the daemon can make of a URL. Methods throw TaskError. */
export class Media {
  readonly #runner: ToolRunner
  readonly #ytDlp: YtDlp
  readonly #cache: InfoCache
  readonly #head: HeadFetch
  readonly #fetchText: MediaOptions['fetchText']

  constructor(options: MediaOptions) {
    this.#runner = options.runner
    this.#ytDlp = new YtDlp(options.runner, options.maxFileBytes)
    this.#cache = new InfoCache(options.infoCacheMs)
    this.#head = options.head
    this.#fetchText = options.fetchText
  }

  /** The info JSON of a URL; simultaneous and recent extractions of it are shared. */
  info(url: string, run: EngineRun): Promise<string> {
    const extract = () => this.#ytDlp.info(url, run)
    return run.fresh ? extract() : this.#cache.share(url, run.signal, extract)
  }

  /** Fetches what a video or audio request asks for and brings it into the form asked for. */
  async download(request: TaskRequest, run: EngineRun): Promise<Made> {
    const downloaded = await this.#fetchWhole(request, run)
    const expect = request.kind === 'audio' ? 'audio' : 'video'
    const checked = await this.#check(run, {
      file: downloaded.file,
      expect,
      expectedDuration: durationOf(request, downloaded.announcedDuration),
      expectedBytes: downloaded.announcedBytes,
      ...(request.clip === null ? {} : { durationTolerance: KEYFRAME_SLACK_S }),
      indexIsEnough: request.kind === 'video' && request.outputFormat === null && request.audioFormat !== null,
    })
    return { ...(await this.#shape(request, downloaded.file, checked, run)), note: null }
  }

  /** Records a part of a running live stream. */
  async record(request: TaskRequest, run: EngineRun): Promise<Made> {
    const kind = request.kind === 'live_audio' ? 'audio' : 'video'
    const recording =
      (await salvageRecording(this.#runner, mediaContext(run))) ?? (await this.#recordAnew(request, run))
    const checked = await this.#check(run, { file: recording.file, expect: kind, expectedDuration: null })
    return { ...(await this.#shape(request, recording.file, checked, run)), note: noteOn(recording) }
  }

  async #recordAnew(request: TaskRequest, run: EngineRun): Promise<LiveRecording> {
    const { live } = request
    if (live === null) throw new TaskError('bad_request_options', 'a recording needs a duration')
    const info = parseInfo(await this.#ytDlp.firstInfo(request, run))
    const begun = { percent: 0, speed: null, eta: live.duration, downloadedBytes: null, totalBytes: null }
    run.onProgress({ ...begun, phase: 'recording' })
    return recordLive(this.#runner, {
      ...mediaContext(run),
      info,
      kind: request.kind === 'live_audio' ? 'audio' : 'video',
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
  }

  /**
   * The info JSON to start from: a recent one of the same page, or, where partial files lie, a new one whose tracks were
   * compared with what the files were taken from. Null lets yt-dlp look by itself.
   */
  async #startingPoint(request: TaskRequest, run: EngineRun): Promise<string | null> {
    const file = path.join(run.workDir, 'start.info.json')
    if (await hasPartialFiles(run.workDir)) {
      const text = await this.#ytDlp.firstInfo(request, run)
      const tracks = tracksOf(parseInfo(text))
      await keepOnlyResumable(run.workDir, await lookAtTracks(tracks, this.#head, run))
      await fs.writeFile(file, text)
      return file
    }
    const recent = run.fresh ? null : this.#cache.get(request.url)
    if (recent === null || parseInfo(recent)._type === 'playlist') return null
    await fs.writeFile(file, recent)
    return file
  }

  /** Goes on after a broken connection, each time only with what the origin still has. */
  async #fetchWhole(request: TaskRequest, run: EngineRun): Promise<Downloaded> {
    for (let breaks = 0; ; breaks++) {
      const infoFile = await this.#startingPoint(request, run)
      try {
        return await this.#fetch(request, infoFile, run)
      } catch (error) {
        const isBreak = error instanceof TaskError && error.code === 'network' && (await hasPartialFiles(run.workDir))
        if (!isBreak || breaks === MAX_BREAKS || run.signal.aborted) throw error
      }
    }
  }

  async #fetch(request: TaskRequest, infoFile: string | null, run: EngineRun): Promise<Downloaded> {
    let timer: NodeJS.Timeout | undefined
    const note = async (tracks: readonly Track[]) => {
      const seen = await lookAtTracks(tracks, this.#head, run)
      await noteTracks(run.workDir, seen)
    }
    try {
      return await this.#ytDlp.download(request, infoFile, run, {
        onChosen: (tracks) => {
          if (request.clip !== null) return
          // Without the note a later attempt starts over: nothing is lost but time.
          timer = setTimeout(() => void note(tracks).catch(() => null), NOTE_AFTER_MS)
        },
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #check(
    run: EngineRun,
    request: Readonly<{ file: string; expect: Expected; expectedDuration: number | null }> &
      Partial<Readonly<{ expectedBytes: number | null; durationTolerance: number; indexIsEnough: boolean }>>,
  ): Promise<GateResult> {
    return run.quietly(() => checkWhole(this.#runner, { ...mediaContext(run), ...request }))
  }

  /** Brings a checked file into the container or codec asked for; the result is checked as well. */
  async #shape(request: TaskRequest, file: string, checked: GateResult, run: EngineRun): Promise<Omit<Made, 'note'>> {
    const kind = request.kind === 'audio' || request.kind === 'live_audio' ? 'audio' : 'video'
    const plan = planConversion({
      probe: checked.probe,
      kind,
      outputFormat: request.outputFormat,
      sourceExt: checked.ext,
      silent: request.audioFormat === null,
    })
    if (plan === null) return { file, extension: checked.ext, duration: checked.duration }
    const output = path.join(run.workDir, `shaped.${plan.ext}`)
    await convert(this.#runner, plan, {
      ...mediaContext(run),
      input: file,
      output,
      onProgress: (fraction: number) =>
        run.onProgress({
          phase: 'processing',
          percent: percentOf(fraction),
          speed: null,
          eta: null,
          downloadedBytes: null,
          totalBytes: null,
        }),
    })
    const shaped = await this.#check(run, { file: output, expect: kind, expectedDuration: checked.duration })
    return { file: output, extension: plan.ext, duration: shaped.duration }
  }
}

const percentOf = (fraction: number) => Math.round(1000 * Math.min(1, fraction)) / 10

function mediaContext(run: EngineRun): MediaContext {
  const { label, workDir, limits, timeoutMs, signal } = run
  return { label, workDir, limits, timeoutMs, signal }
}

/** Seconds that the file has to have, null when nobody said. */
function durationOf({ clip }: TaskRequest, announced: number | null): number | null {
  if (clip === null) return announced
  const start = clip.start ?? 0
  const end = clip.end === null ? announced : Math.min(clip.end, announced ?? clip.end)
  return end === null ? null : Math.max(0, end - start)
}

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
