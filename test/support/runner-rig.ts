import type { ClaimedTask, NewTask } from '../../src/db/task-store.ts'
import type { TaskResult, TaskState } from '../../src/domain/task.ts'
import { Runner, type Attempt, type RunnerOptions } from '../../src/tasks/runner.ts'
import { openGround, SAMPLE_RESULT, SILENT, taskOf, type Ground } from './samples.ts'
import { waitFor } from './wait-for.ts'

/** An attempt that was started and goes on until the test ends it. */
export type Held = Readonly<{
  task: ClaimedTask
  run: Parameters<Attempt>[1]
  finish: () => void
  fail: (error: Error) => void
}>

/** A runner on a real store whose attempts do what the test says. */
export class RunnerRig implements AsyncDisposable {
  readonly ground: Ground
  readonly runner: Runner
  /** Every attempt that was started, in order. */
  readonly started: ClaimedTask[] = []
  readonly held: Held[] = []
  readonly cleaned: string[] = []
  freeBytes = Number.MAX_SAFE_INTEGER
  freeBytesAsked = 0

  constructor(ground: Ground, attempt: Attempt | 'hold', options: Partial<RunnerOptions>) {
    this.ground = ground
    this.runner = new Runner({
      store: ground.tasks,
      attempt: (task, run) => {
        this.started.push(task)
        return attempt === 'hold' ? this.#hold(task, run) : attempt(task, run)
      },
      cleanUp: (id) => {
        this.cleaned.push(id)
        return Promise.resolve()
      },
      leftWork: () => Promise.resolve([]),
      freeBytes: () => {
        this.freeBytesAsked++
        return Promise.resolve(this.freeBytes)
      },
      maxWorkers: 4,
      maxRunningPerKey: 0,
      minFreeBytes: 1000,
      retryMaxWaitMs: 6 * 3_600_000,
      shutdownGraceMs: 0,
      maxDeaths: 3,
      log: SILENT,
      ...options,
    })
  }

  async #hold(task: ClaimedTask, run: Held['run']): Promise<TaskResult> {
    const { promise, resolve, reject } = Promise.withResolvers<TaskResult>()
    run.signal.addEventListener('abort', () => reject(run.signal.reason as Error), { once: true })
    this.held.push({ task, run, finish: () => resolve(SAMPLE_RESULT), fail: reject })
    return promise
  }

  async add(more: Partial<NewTask> = {}): Promise<string> {
    const task = taskOf(more)
    await this.ground.tasks.add(task)
    this.runner.nudge()
    return task.id
  }

  async inState(state: TaskState): Promise<number> {
    const rows = await this.ground.store.db.selectFrom('task').select('id').where('state', '=', state).execute()
    return rows.length
  }

  async untilHeld(count: number): Promise<void> {
    await waitFor(`${count} attempts under way`, () => this.held.length >= count)
  }

  async untilState(id: string, state: TaskState, timeoutMs?: number): Promise<void> {
    await waitFor(`${id} to be ${state}`, async () => (await this.ground.tasks.get(id))?.state === state, timeoutMs)
  }

  async row(id: string) {
    return this.ground.store.db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { finish } of this.held) finish()
    await this.runner[Symbol.asyncDispose]()
    await this.ground[Symbol.asyncDispose]()
  }
}

/** A rig that is running. */
export async function startRig(
  attempt: Attempt | 'hold' = 'hold',
  options: Partial<RunnerOptions> = {},
): Promise<RunnerRig> {
  const rig = new RunnerRig(await openGround(), attempt, options)
  await rig.runner.start()
  return rig
}

/** Lets `count` microtasks pass: promises that are settled by then have gone on. */
export async function microtasks(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await Promise.resolve()
}
