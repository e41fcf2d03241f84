import type { TaskStore } from '../db/task-store.ts'
import type { SandboxState } from '../engine/tool.ts'
import type { LocalFiles } from '../files/local.ts'
import type { Runner } from './runner.ts'

/** What was found out at the start and does not change, but for `engine`. */
export type HealthFacts = Readonly<{
  version: string
  ytDlpVersion: string
  ffmpegVersion: string
  /** null = there is none. */
  galleryDlVersion: string | null
  sandbox: SandboxState
  /** How tools are run now. */
  engine: () => string
  /** Why tools cannot be run as they should be now; null when they can. */
  engineFault: () => string | null
  egress: Readonly<{ proxied: boolean; upstream: boolean }>
}>

/** The answer of `/health`; `ok` is false when something does not work that tasks need. */
export type HealthReport = Readonly<{ ok: boolean; body: Readonly<Record<string, unknown>> }>

type HealthDeps = Readonly<{ store: TaskStore; files: LocalFiles; runner: Runner; facts: HealthFacts }>

/** Whether the parts work that the daemon cannot do without, and what it runs on. */
export class Health {
  readonly #deps: HealthDeps
  #closing = false

  constructor(deps: HealthDeps) {
    this.#deps = deps
  }

  /** From now on the daemon is not ready. */
  close(): void {
    this.#closing = true
  }

  /** Why no task could be taken and run now, for people; empty when one could. Never rejects. */
  async reasonsNotReady(): Promise<string[]> {
    const { store, files, runner, facts } = this.#deps
    const [waiting, freeBytes] = await Promise.allSettled([store.countWaiting(), files.freeBytes()])
    const fault = facts.engineFault()
    return [
      ...(this.#closing ? ['the daemon is stopping'] : []),
      ...(waiting.status === 'rejected' ? ['the database does not answer'] : []),
      ...(freeBytes.status === 'rejected' ? ['the folder of downloads cannot be read'] : []),
      ...(runner.diskIsFull ? ['the disk is nearly full'] : []),
      ...(fault === null ? [] : [fault]),
    ]
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
        gallery_dl_version: facts.galleryDlVersion,
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
