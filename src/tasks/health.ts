import type { TaskStore } from '../db/task-store.ts'
import type { SandboxState } from '../engine/tool.ts'
import type { LocalFiles } from '../files/local.ts'
import type { Runner } from './runner.ts'

/** What was found out at the start and does not change, but for `engine`. */
export type HealthFacts = Readonly<{
  version: string
  ytDlpVersion: string
  ffmpegVersion: string
  sandbox: SandboxState
  /** How tools are run now. */
  engine: () => string
  egress: Readonly<{ proxied: boolean; upstream: boolean }>
}>

/** The answer of `/health`; `ok` is false when something does not work that tasks need. */
export type HealthReport = Readonly<{ ok: boolean; body: Readonly<Record<string, unknown>> }>

type HealthDeps = Readonly<{ store: TaskStore; files: LocalFiles; runner: Runner; facts: HealthFacts }>

/** Whether the parts work that the daemon cannot do without, and what it runs on. */
export class Health {
  readonly #deps: HealthDeps

  constructor(deps: HealthDeps) {
    this.#deps = deps
  }

  /** Never rejects: what cannot be asked is what the report is about. */
  async check(): Promise<HealthReport> {
    const { store, files, runner, facts } = this.#deps
    const [waiting, freeBytes] = await Promise.allSettled([store.countWaiting(), files.freeBytes()])
    const failed = [
      ...(waiting.status === 'rejected' ? ['database'] : []),
      ...(freeBytes.status === 'rejected' ? ['downloads'] : []),
    ]
    const ok = failed.length === 0
    return {
      ok,
      body: {
        status: ok ? 'ok' : 'error',
        ...(ok ? {} : { error: `not working: ${failed.join(', ')}`, failed }),
        version: facts.version,
        yt_dlp_version: facts.ytDlpVersion,
        ffmpeg_version: facts.ffmpegVersion,
        storage_backend: 'sqlite',
        engine: facts.engine(),
        sandbox: facts.sandbox,
        egress: facts.egress,
        queue: {
          waiting: waiting.status === 'fulfilled' ? waiting.value : null,
          processing: runner.runningCount,
          cooling_hosts: runner.coolingSites(),
        },
        disk: {
          free_bytes: freeBytes.status === 'fulfilled' ? freeBytes.value : null,
          full: runner.diskIsFull,
        },
      },
    }
  }
}
