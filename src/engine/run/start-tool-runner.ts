import type { ToolRunner } from '../tool.ts'
import { createForkServer } from './fork-server.ts'
import type { RunnerOptions } from './options.ts'
import { createProcesses } from './processes.ts'

/**
 * The runner this machine and these settings allow: a warm fork server where it is wanted and yt-dlp can be imported, else
 * plain processes. Rejects when `sandbox` is 'require' and cannot be had.
 */
export async function startToolRunner(options: RunnerOptions): Promise<ToolRunner> {
  if (!options.forkServer || !options.tools.ytDlp.python) return createProcesses(options)
  try {
    return await createForkServer(options)
  } catch (error) {
    options.log.warn({ err: error }, 'no fork server, each run is a process of its own')
    return createProcesses(options)
  }
}
