import { parseArgs } from 'node:util'

export type Options = Readonly<{
  cycles: number
  seed: number
  clients: number
  /** Tasks that may be submitted for each cycle. */
  tasksPerCycle: number
  /** Longest wait of a task between two attempts, seconds: what the end may have to wait for. */
  retryMaxWait: number
  keep: boolean
}>

export const USAGE = `usage: scripts/torture [--cycles N] [--seed S] [--clients N] [--tasks N] [--short] [--keep]
  --cycles N   how often the daemon is ended in some way (default 200)
  --seed S     repeats the choices of an earlier run (default: by the clock)
  --clients N  clients at work at the same time (default 8)
  --tasks N    tasks submitted for each cycle (default 27)
  --short      a run of less than a minute
  --keep       leaves the folder of the daemon for a look`

/** Throws when the arguments are not understood. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cycles: { type: 'string' },
      seed: { type: 'string' },
      clients: { type: 'string' },
      tasks: { type: 'string' },
      short: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
    },
  })
  const count = (name: 'cycles' | 'seed' | 'clients' | 'tasks', fallback: number) => {
    const value = Number(values[name] ?? fallback)
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1`)
    return value
  }
  const { short } = values
  return {
    cycles: count('cycles', short ? 5 : 200),
    seed: count('seed', (Date.now() % 1_000_000) + 1),
    clients: count('clients', 8),
    tasksPerCycle: count('tasks', short ? 10 : 27),
    retryMaxWait: short ? 4 : 60,
    keep: values.keep,
  }
}
