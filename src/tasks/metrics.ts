import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ClaimedTask } from '../db/task-store.ts'
import type { Outcome, TaskState } from '../domain/task.ts'
import type { EgressStats } from '../engine/egress/index.ts'

/** What is looked up when somebody asks; whatever rejects is left out of that answer. */
export type MetricsSources = Readonly<{
  tasksByState: () => Promise<Readonly<Record<TaskState, number>>>
  webhooksWaiting: () => Promise<number>
  freeBytes: () => Promise<number>
  egress: () => EgressStats
  /** Programs that run now. */
  children: () => number
  lookups: () => Readonly<{ asked: number; extracted: number }>
  webhookAttempts: () => Readonly<{ delivered: number; failed: number }>
  /** Event streams that are open now. */
  streams: () => number
  build: Readonly<{ version: string; ytDlpVersion: string; ffmpegVersion: string }>
}>

/** Seconds: from a lookup to a long recording. */
const DURATIONS = [0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200]

/** Null: what cannot be asked is missing from the answer. */
async function valueOf<T>(read: () => T | Promise<T>): Promise<T | null> {
  try {
    return await read()
  } catch {
    return null // the rest of the figures is worth having
  }
}

/** How often the event loop is looked at; what is shorter is not lag. */
const LAG_RESOLUTION_MS = 50

/** The daemon in figures, in a registry of its own. Labels are closed lists: no URL, site, key or task is one. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #attempts: Counter<'kind' | 'outcome' | 'code'>
  readonly #wait: Histogram
  readonly #run: Histogram<'kind'>
  readonly #bytes: Counter

  constructor(sources: MetricsSources) {
    const registers = [this.#registry]
    this.#attempts = new Counter({
      name: 'ytdlpd_attempts_total',
      help: 'Attempts that ended; outcome retry goes on later',
      labelNames: ['kind', 'outcome', 'code'],
      registers,
    })
    this.#wait = new Histogram({
      name: 'ytdlpd_queue_wait_seconds',
      help: 'From the time a task could begin to its first attempt',
      buckets: DURATIONS,
      registers,
    })
    this.#run = new Histogram({
      name: 'ytdlpd_attempt_seconds',
      help: 'How long attempts took',
      labelNames: ['kind'],
      buckets: DURATIONS,
      registers,
    })
    this.#bytes = new Counter({ name: 'ytdlpd_file_bytes_total', help: 'Bytes of finished files', registers })
    this.#readings(sources)
    this.#process()
  }

  /** An attempt ended so. */
  attemptEnded(task: ClaimedTask, outcome: Outcome, durationMs: number): void {
    const code = outcome.kind === 'error' || outcome.kind === 'retry' ? outcome.code : ''
    const { kind } = task.request
    this.#attempts.inc({ kind, outcome: outcome.kind, code })
    this.#run.observe({ kind }, durationMs / 1000)
    if (task.attempt === 1 && task.startedAt !== null) this.#wait.observe((task.startedAt - task.dueAt) / 1000)
    if (outcome.kind === 'completed') this.#bytes.inc(outcome.files.reduce((sum, { size }) => sum + size, 0))
  }

  /** The media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** Everything in Prometheus's text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  #readings(sources: MetricsSources): void {
    const { egress, build } = sources
    this.#gauge('ytdlpd_free_bytes', 'Free space for downloads', sources.freeBytes)
    this.#gauge('ytdlpd_webhooks_waiting', 'Webhook messages that are to be delivered', sources.webhooksWaiting)
    this.#gauge('ytdlpd_children', 'Tool runs under way', sources.children)
    this.#gauge('ytdlpd_event_streams', 'Event streams that are open', sources.streams)
    this.#sum('ytdlpd_egress_denied_total', 'Requests that the egress policy refused', () => egress().denied)
    this.#sum('ytdlpd_egress_connections_total', 'Connections made to origins', () => egress().connections)
    this.#sum('ytdlpd_egress_bytes_total', 'Bytes received from origins', () => egress().bytes)
    this.#sum('ytdlpd_lookups_total', 'Calls that asked what a URL is', () => sources.lookups().asked)
    this.#sum('ytdlpd_lookup_runs_total', 'Those that had to ask the site', () => sources.lookups().extracted)
    this.#sum('ytdlpd_webhooks_delivered_total', 'Webhook messages taken', () => sources.webhookAttempts().delivered)
    this.#sum(
      'ytdlpd_webhook_failures_total',
      'Attempts to deliver that failed',
      () => sources.webhookAttempts().failed,
    )
    const tasks = new Gauge({
      name: 'ytdlpd_tasks',
      help: 'Tasks there are, by state',
      labelNames: ['state'],
      registers: [],
      async collect() {
        const counts = await valueOf(sources.tasksByState)
        this.reset()
        for (const [state, count] of Object.entries(counts ?? {})) this.set({ state }, count)
      },
    })
    const info = new Gauge({
      name: 'ytdlpd_build_info',
      help: 'Versions, as labels',
      labelNames: ['version', 'yt_dlp', 'ffmpeg'],
      registers: [],
    })
    info.set({ version: build.version, yt_dlp: build.ytDlpVersion, ffmpeg: build.ffmpegVersion }, 1)
    this.#registry.registerMetric(tasks)
    this.#registry.registerMetric(info)
  }

  /** The daemon's own process. Prometheus's names, where there are such. */
  #process(): void {
    const delay = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
    delay.enable()
    this.#gauge('ytdlpd_event_loop_lag_seconds', 'Longest hold-up of the event loop since the last answer', () => {
      const lag = Math.max(0, delay.max / 1e9 - LAG_RESOLUTION_MS / 1e3)
      delay.reset()
      return lag
    })
    this.#gauge('process_resident_memory_bytes', 'Memory of the daemon, without its tools', () =>
      process.memoryUsage.rss(),
    )
    this.#gauge('process_start_time_seconds', 'When the daemon started', () => performance.timeOrigin / 1000)
    this.#sum('process_cpu_seconds_total', 'Processor time of the daemon, without its tools', () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    })
  }

  #gauge(name: string, help: string, read: () => number | Promise<number>): void {
    const gauge = new Gauge({
      name,
      help,
      registers: [],
      async collect() {
        const value = await valueOf(read)
        if (value === null) this.remove()
        else this.set(value)
      },
    })
    this.#registry.registerMetric(gauge)
  }

  /** A counter that is kept elsewhere. */
  #sum(name: string, help: string, read: () => number): void {
    const counter = new Counter({
      name,
      help,
      registers: [],
      collect() {
        this.reset()
        this.inc(read())
      },
    })
    this.#registry.registerMetric(counter)
  }
}
