import type { ToolExit, ToolRun } from '../tool.ts'
import { supervise, type Launched } from './supervise.ts'

/** The runs of one runner that are under way. */
export class OpenRuns {
  readonly #closing = new AbortController()
  readonly #running = new Set<Promise<ToolExit>>()

  /** Aborted by `close`: nothing may be started any more. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  get size(): number {
    return this.#running.size
  }

  /** Runs what `launch` starts to its end, as `supervise` does; `close` is one more reason to stop. */
  async run(run: ToolRun, launch: () => Promise<Launched>): Promise<ToolExit> {
    const ending = supervise({ ...run, signal: AbortSignal.any([run.signal, this.closing]) }, launch)
    this.#running.add(ending)
    try {
      return await ending
    } finally {
      this.#running.delete(ending)
    }
  }

  /** Kills all runs; resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#running)
  }
}
