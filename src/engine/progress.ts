import { z } from 'zod'
import type { TaskProgress } from '../domain/task.ts'

const count = z.number().nullish().catch(null)

const progressLine = z.object({
  status: z.string().catch(''),
  downloaded_bytes: count,
  total_bytes: count,
  total_bytes_estimate: count,
  speed: count,
  eta: count,
  fragment_index: count,
  fragment_count: count,
})

const track = z.object({
  format_id: z.string().nullish().catch(null),
  url: z.string().nullish().catch(null),
  protocol: z.string().nullish().catch(null),
  filesize: count,
  filesize_approx: count,
  http_headers: z.record(z.string(), z.string()).nullish().catch(null),
})

const word = z.string().nullish().catch(null)

const chosenLine = track.extend({
  title: word,
  duration: count,
  requested_formats: z.array(track).nullish().catch(null),
})

const foundLine = z.object({ live_status: z.string().nullish().catch(null) })

/** `chapters` and what follows are told only where SponsorBlock was asked. */
const fileLine = z.object({
  filepath: z.string(),
  duration: count,
  chapters: z
    .array(z.object({ start_time: z.number(), end_time: count, title: word }))
    .nullish()
    .catch(null),
  sponsorblock_chapters: z.array(z.unknown()).nullish().catch(null),
})

/** A finished file: as yt-dlp left it, with its own chapters and duration where they were changed. */
export type FinishedFile = z.output<typeof fileLine>

/** One thing that will be fetched: a whole file, or the picture or the sound of it. */
export type Track = z.output<typeof track>

/** What one of our lines in yt-dlp's output says. */
export type YtDlpEvent =
  | Readonly<{ type: 'found'; isLive: boolean }>
  | Readonly<{ type: 'chosen'; title: string | null; duration: number | null; tracks: readonly Track[] }>
  | Readonly<{
      type: 'progress'
      status: string
      downloaded: number | null
      total: number | null
      fraction: number | null
      speed: number | null
      eta: number | null
    }>
  | Readonly<{ type: 'file'; file: FinishedFile }>

/** The tracks that yt-dlp chose, off an info document; none when it is not one. */
export function tracksOf(info: unknown): readonly Track[] {
  const chosen = chosenLine.safeParse(info).data
  return chosen ? (chosen.requested_formats ?? [chosen]) : []
}

/** Reads one line of yt-dlp's output; null when it is not one of ours. */
export function parseYtDlpLine(line: string, prefix: string): YtDlpEvent | null {
  if (!line.startsWith(prefix)) return null
  const [, word = '', text = ''] = /^(\w+) (.*)$/s.exec(line.slice(prefix.length)) ?? []
  const read = READERS[word]
  return read ? read(parseJson(text)) : null
}

/** What follows each of our words. */
const READERS: Readonly<Record<string, (json: unknown) => YtDlpEvent | null>> = {
  found: (json) => {
    const found = foundLine.safeParse(json).data
    return found ? { type: 'found', isLive: found.live_status === 'is_live' } : null
  },
  chosen: (json) => {
    const chosen = chosenLine.safeParse(json).data
    if (!chosen) return null
    const { title = null, duration = null } = chosen
    return { type: 'chosen', title, duration, tracks: tracksOf(chosen) }
  },
  progress: (json) => {
    const line = progressLine.safeParse(json).data
    return line ? toProgress(line) : null
  },
  file: (json) => {
    const file = fileLine.safeParse(json).data
    return file ? { type: 'file', file } : null
  },
}

function toProgress(line: z.output<typeof progressLine>): YtDlpEvent {
  const downloaded = line.downloaded_bytes ?? null
  const total = line.total_bytes ?? line.total_bytes_estimate ?? null
  const fraction = fractionOf(downloaded, total) ?? fractionOf(line.fragment_index ?? null, line.fragment_count ?? null)
  return {
    type: 'progress',
    status: line.status,
    downloaded,
    total,
    fraction,
    speed: line.speed ?? null,
    eta: line.eta ?? null,
  }
}

/** Folds the reports of several tracks, fetched one after the other, into one course from 0 to 100. */
export class ProgressMeter {
  #sizes: (number | null)[] = [null]
  #track = 0
  #doneBytes = 0

  /** The tracks that will be fetched, in order. */
  begin(tracks: readonly Track[]): void {
    this.#sizes = tracks.map((t) => t.filesize ?? t.filesize_approx ?? null)
    this.#track = 0
    this.#doneBytes = 0
  }

  report(event: Extract<YtDlpEvent, { type: 'progress' }>): TaskProgress {
    const downloadedBytes = event.downloaded === null ? null : this.#doneBytes + event.downloaded
    const percent = event.fraction === null ? null : 100 * this.#overall(event.fraction)
    const progress: TaskProgress = {
      phase: 'downloading',
      percent: percent === null ? null : Math.round(Math.min(100, percent) * 10) / 10,
      speed: event.speed === null ? null : Math.round(event.speed),
      eta: event.eta === null ? null : Math.round(event.eta),
      downloadedBytes,
      totalBytes: this.#total(event.total),
    }
    if (event.status === 'finished') {
      this.#doneBytes += event.downloaded ?? 0
      this.#track = Math.min(this.#track + 1, this.#sizes.length - 1)
    }
    return progress
  }

  /** Tracks weigh by their size, or evenly where one is unknown. */
  #overall(fraction: number): number {
    const weights = this.#sizes.every((size) => size !== null) ? this.#sizes : this.#sizes.map(() => 1)
    const sum = weights.reduce<number>((total, weight) => total + (weight ?? 0), 0)
    const before = weights.slice(0, this.#track).reduce<number>((total, weight) => total + (weight ?? 0), 0)
    return sum === 0 ? fraction : (before + fraction * (weights[this.#track] ?? 0)) / sum
  }

  #total(current: number | null): number | null {
    if (this.#sizes.length <= 1) return current
    const sizes = this.#sizes
    return sizes.every((size) => size !== null) ? sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0) : null
  }
}

function fractionOf(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole <= 0 ? null : Math.min(1, part / whole)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // a line cut off by a kill
  }
}
