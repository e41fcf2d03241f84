import fc from 'fast-check'
import type { Outcome, TaskState } from '../../src/domain/task.ts'

/** What may be done to the store of tasks; tasks are named by the order of their arrival. */
export type Command =
  | Readonly<{ do: 'add'; key: number; host: number }>
  | Readonly<{ do: 'claim'; key: number; blocked: readonly number[] }>
  | Readonly<{ do: 'settle'; task: number; late: number; outcome: Ending }>
  | Readonly<{ do: 'cancel' | 'retry' | 'remove'; task: number }>
  | Readonly<{ do: 'recover' | 'reopen' }>
  | Readonly<{ do: 'wait'; ms: number }>

export type Ending = 'completed' | 'error' | 'cancelled' | 'retry' | 'give-back'

const task = fc.nat({ max: 7 })
const key = fc.nat({ max: 2 })

export const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('add' as const), key, host: fc.nat({ max: 2 }) }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('claim' as const),
        key,
        blocked: fc.oneof(
          { weight: 3, arbitrary: fc.constant<number[]>([]) },
          { weight: 1, arbitrary: fc.subarray([0, 1, 2]) },
        ),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('settle' as const),
        task,
        late: fc.oneof(
          { weight: 4, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: -1, max: 2 }) },
        ),
        outcome: fc.constantFrom<Ending>('completed', 'error', 'cancelled', 'retry', 'give-back'),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'retry' as const), task }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), task }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 6 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('recover' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
  ),
  { minLength: 1, maxLength: 30, size: 'max' },
)

export const MAX_DEATHS = 2
export const RETRY_MS = 3

export type ModelTask = {
  id: string
  key: string
  host: string
  state: TaskState
  attempt: number
  failures: number
  deaths: number
  notBefore: number | null
  finishedAt: number | null
  errorCode: string | null
  file: string | null
}

const END = { notBefore: null, errorCode: null, file: null } as const

/** The store of tasks as its contract reads, in a few lines of arithmetic. */
export class TaskModel {
  /** In order of arrival. */
  tasks: ModelTask[] = []

  add(id: string, key: string, host: string): void {
    const fresh = { state: 'waiting', attempt: 0, failures: 0, deaths: 0, finishedAt: null } as const
    this.tasks.push({ id, key, host, ...fresh, ...END })
  }

  claim(key: string, now: number, blocked: readonly string[]): ModelTask | null {
    const found = this.tasks.find(
      (t) => t.state === 'waiting' && t.key === key && (t.notBefore ?? 0) <= now && !blocked.includes(t.host),
    )
    if (!found) return null
    return Object.assign(found, { state: 'processing', attempt: found.attempt + 1, notBefore: null })
  }

  settle(id: string, attempt: number, outcome: Outcome, now: number): boolean {
    const found = this.tasks.find((t) => t.id === id && t.state === 'processing' && t.attempt === attempt)
    if (!found) return false
    if (outcome.kind === 'retry') {
      const failures = found.failures + (outcome.counts ? 1 : 0)
      Object.assign(found, { state: 'waiting', failures, deaths: 0, notBefore: outcome.at, errorCode: outcome.code })
    } else {
      const errorCode = outcome.kind === 'error' ? outcome.code : outcome.kind === 'cancelled' ? 'cancelled' : null
      const file = outcome.kind === 'completed' ? outcome.files[0].name : null
      Object.assign(found, { state: outcome.kind, finishedAt: now, notBefore: null, errorCode, file })
    }
    return true
  }

  cancel(id: string, now: number): boolean {
    const found = this.tasks.find((t) => t.id === id && t.state === 'waiting')
    if (found) Object.assign(found, { ...END, state: 'cancelled', finishedAt: now, errorCode: 'cancelled' })
    return found !== undefined
  }

  retry(id: string): boolean {
    const found = this.tasks.find((t) => t.id === id && (t.state === 'error' || t.state === 'cancelled'))
    if (found) Object.assign(found, { ...END, state: 'waiting', failures: 0, deaths: 0, finishedAt: null })
    return found !== undefined
  }

  recover(now: number): { requeued: number; quarantined: number } {
    const running = this.tasks.filter((t) => t.state === 'processing')
    const blamed = running.filter((t) => t.deaths >= MAX_DEATHS - 1)
    for (const t of running) Object.assign(t, { state: 'waiting', deaths: t.deaths + 1, notBefore: null })
    for (const t of blamed)
      Object.assign(t, { ...END, state: 'error', deaths: t.deaths - 1, finishedAt: now, errorCode: 'crashed' })
    return { requeued: running.length - blamed.length, quarantined: blamed.length }
  }

  remove(id: string): void {
    this.tasks = this.tasks.filter((t) => t.id !== id || t.finishedAt === null)
  }
}
