import type { SandboxState, ToolExit, ToolRun, ToolRunner } from '../tool.ts'
import { detectLandlock, refuseUnlessConfined } from './detect.ts'
import { buildJob, type Installation } from './job.ts'
import { launchProcess } from './launch-process.ts'
import { OpenRuns } from './open-runs.ts'
import type { RunnerOptions } from './options.ts'

/**
 * Each run a process of its own, confined by a small Python launcher where there is a Python, bare where there is none.
 * Rejects when `sandbox` is 'require' and cannot be had.
 */
export async function createProcesses(options: RunnerOptions): Promise<ToolRunner> {
  const { tools, instance, sandbox, log } = options
  const python = tools.ytDlp.python?.path ?? tools.pythonPath
  const found = sandbox === 'off' ? { landlock: 0, missing: 'switched off' } : await detectLandlock(python)
  const state: SandboxState = {
    landlock: found.landlock || false,
    namespaces: false,
    network: found.landlock >= 4 ? 'landlock' : 'open',
  }
  if (sandbox === 'require') refuseUnlessConfined(state, found.missing)
  if (!state.landlock && sandbox !== 'off')
    log.warn({ missing: found.missing }, 'runs are not confined to their folder')
  const confine = sandbox === 'off' ? null : { landlock: found.landlock > 0 }
  return new Processes({ tools, instance, confine }, python, state)
}

class Processes implements ToolRunner {
  readonly mode = 'processes'
  readonly sandbox: SandboxState
  readonly #installation: Installation
  readonly #python: string | null
  readonly #runs = new OpenRuns()

  constructor(installation: Installation, python: string | null, state: SandboxState) {
    this.#installation = installation
    this.#python = python
    this.sandbox = state
  }

  get runs(): number {
    return this.#runs.size
  }

  isWell(): boolean {
    return true
  }

  run(run: ToolRun): Promise<ToolExit> {
    return this.#runs.run(run, () => launchProcess(this.#python, buildJob(this.#installation, run, 'process')))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#runs.close()
  }
}
