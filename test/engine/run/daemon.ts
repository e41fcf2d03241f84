import { pino } from 'pino'

import { createForkServer } from '../../../src/engine/run/fork-server.ts'
import type { Isolation } from '../../../src/engine/run/namespaces.ts'
import type { RunnerOptions } from '../../../src/engine/run/options.ts'
import { createProcesses } from '../../../src/engine/run/processes.ts'
import type { ToolRun } from '../../../src/engine/tool.ts'

/**
 * A program, standing in for the daemon so that a test can kill it: starts a runner and one run, as its argument says, and
 * passes on what the run prints.
 */
type Task = Readonly<{
  isolations: readonly Isolation[] | null
  options: Pick<RunnerOptions, 'tools' | 'egressPort' | 'instance'>
  run: Pick<ToolRun, 'label' | 'tool' | 'args' | 'workDir' | 'proxyUrl' | 'limits'>
}>

const task = JSON.parse(process.argv[2] ?? '') as Task
const options: RunnerOptions = {
  ...task.options,
  ...{ sandbox: 'auto', forkServer: task.isolations !== null },
  onListener: () => {},
  log: pino({ level: 'silent' }),
}
const runner = await (task.isolations
  ? createForkServer(options, { isolations: task.isolations })
  : createProcesses(options))
await runner.run({
  ...task.run,
  timeoutMs: 60_000,
  signal: new AbortController().signal,
  onStdout: (line) => console.log(line),
})
