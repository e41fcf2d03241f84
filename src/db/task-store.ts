import { sql, type Kysely, type Selectable } from 'kysely'
import type { Outcome, Task, TaskRequest, TaskState } from '../domain/task.ts'
import type { Tables, TaskTable } from './schema.ts'
import { dayOf, countUsage } from './usage.ts'
import { fileColumns, finalColumns, requestColumns, retryColumns, toTask } from './task-row.ts'

/** A task as it is submitted. `createdAt`: milliseconds since the epoch. */
export type NewTask = Readonly<{
  id: string
  keyId: string
  keyName: string
  request: TaskRequest
  sent: Readonly<Record<string, unknown>>
  createdAt: number
}>

/** A task that was just claimed, with what the retry policy needs to know of its past. */
export type ClaimedTask = Task & Readonly<{ failures: number; deaths: number }>

/** Whose task may be claimed, and from which hosts not. */
export type ClaimFilter = Readonly<{ keyId: string; now: number; blockedHosts: readonly string[] }>

/** How many tasks of a key wait and run. */
export type KeyUsage = Readonly<{ waiting: number; processing: number }>

/**
 * Where tasks live, and the queue itself. Each method is one statement, so one transaction; what resolved is on the disk.
 * Everything a run writes is bound to the `attempt` it was claimed with: a run that lost its task changes nothing.
 */
export class TaskStore {
  readonly #db: Kysely<Tables>
  readonly #byId

  constructor(db: Kysely<Tables>) {
    this.#db = db
    this.#byId = db.selectFrom('task').selectAll().where('id', '=', '').compile()
  }

  /** Puts a task at the end of the queue. */
  async add(task: NewTask): Promise<void> {
    await this.#db
      .insertInto('task')
      .values({
        ...requestColumns(task),
        state: 'waiting',
        created_at: task.createdAt,
      })
      .execute()
  }

  /** Polled many times a second: the query is compiled once. */
  async get(id: string): Promise<Task | null> {
    const { rows } = await this.#db.executeQuery<Selectable<TaskTable>>({ ...this.#byId, parameters: [id] })
    return rows[0] ? toTask(rows[0]) : null
  }

  /** Keys with a task that waits, whether or not it may run now. Cost grows with the keys, not with the queue. */
  async keysWaiting(): Promise<string[]> {
    const { rows } = await sql<{ key_id: string | null }>`
      with recursive waiting_key(key_id) as (
        select min(key_id) from task where state = 'waiting'
        union all
        select (select min(key_id) from task where state = 'waiting' and key_id > waiting_key.key_id)
        from waiting_key where waiting_key.key_id is not null
      ) select key_id from waiting_key where key_id is not null`.execute(this.#db)
    return rows.flatMap((row) => row.key_id ?? [])
  }

  /** Moves the key's oldest task that may run now to `processing` and raises its attempt; null when there is none. */
  async claim({ keyId, now, blockedHosts }: ClaimFilter): Promise<ClaimedTask | null> {
    const row = await this.#db
      .updateTable('task')
      .set((eb) => ({
        state: 'processing',
        attempt: eb('attempt', '+', 1),
        started_at: now,
        not_before: null,
        wait_reason: null,
      }))
      .where('state', '=', 'waiting')
      .where('seq', '=', (eb) =>
        eb
          .selectFrom('task')
          .select('seq')
          .where('state', '=', 'waiting')
          .where('key_id', '=', keyId)
          .where((where) => where.or([where('not_before', 'is', null), where('not_before', '<=', now)]))
          .$if(blockedHosts.length > 0, (query) => query.where('host', 'not in', [...blockedHosts]))
          .orderBy('seq')
          .limit(1),
      )
      .returningAll()
      .executeTakeFirst()
    return row ? { ...toTask(row), failures: row.failures, deaths: row.deaths } : null
  }

  /**
   * Records how attempt `attempt` of a task ended, and counts it for its key. False, and nothing changed, when that
   * attempt is not the running one.
   */
  async settle(id: string, attempt: number, outcome: Outcome, now: number): Promise<boolean> {
    return this.#db.transaction().execute(async (transaction) => {
      const row = await transaction
        .updateTable('task')
        .set((eb) => (outcome.kind === 'retry' ? retryColumns(outcome, eb) : finalColumns(outcome, now)))
        .where('id', '=', id)
        .where('attempt', '=', attempt)
        .where('state', '=', 'processing')
        .returning('key_id')
        .executeTakeFirst()
      if (row && outcome.kind !== 'retry') await countUsage(transaction, row.key_id, outcome, now)
      return row !== undefined
    })
  }

  /** Ends a task that waits; false when it does not wait (any more). */
  async cancelWaiting(id: string, now: number): Promise<boolean> {
    const result = await this.#db
      .updateTable('task')
      .set(finalColumns({ kind: 'cancelled' }, now))
      .where('id', '=', id)
      .where('state', '=', 'waiting')
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  /** Puts a task that ended without a file back into the queue, as a new one; false when it is not such a task. */
  async retryEnded(id: string): Promise<boolean> {
    const result = await this.#db
      .updateTable('task')
      .set({
        state: 'waiting',
        failures: 0,
        deaths: 0,
        started_at: null,
        finished_at: null,
        not_before: null,
        wait_reason: null,
        error_code: null,
        error_message: null,
      })
      .where('id', '=', id)
      .where('state', 'in', ['error', 'cancelled'])
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  /**
   * For the start only, when nothing can be running: puts back what an earlier daemon left in `processing` and counts its
   * death against the task. A task that was running at `maxDeaths` deaths is ended as `crashed` instead.
   */
  async recover(now: number, maxDeaths: number): Promise<{ requeued: number; quarantined: number }> {
    const quarantined = await this.#db
      .updateTable('task')
      .set({
        ...finalColumns(
          { kind: 'error', code: 'crashed', message: `the daemon died ${maxDeaths} times while this task ran` },
          now,
        ),
      })
      .where('state', '=', 'processing')
      .where('deaths', '>=', maxDeaths - 1)
      .executeTakeFirst()
    const requeued = await this.#db
      .updateTable('task')
      .set((eb) => ({ state: 'waiting', deaths: eb('deaths', '+', 1), not_before: null, wait_reason: null }))
      .where('state', '=', 'processing')
      .executeTakeFirst()
    return { requeued: Number(requeued.numUpdatedRows), quarantined: Number(quarantined.numUpdatedRows) }
  }

  async countWaiting(): Promise<number> {
    const row = await this.#db
      .selectFrom('task')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('state', '=', 'waiting')
      .executeTakeFirstOrThrow()
    return row.count
  }

  async usageOf(keyId: string): Promise<KeyUsage> {
    const rows = await this.#db
      .selectFrom('task')
      .select((eb) => ['state', eb.fn.countAll<number>().as('count')])
      .where('state', 'in', ['waiting', 'processing'])
      .where('key_id', '=', keyId)
      .groupBy('state')
      .execute()
    const count = (state: TaskState) => rows.find((row) => row.state === state)?.count ?? 0
    return { waiting: count('waiting'), processing: count('processing') }
  }

  /** Sequence numbers of everything that waits, ascending: what queue positions are read off. */
  async waitingSequence(): Promise<{ id: string; seq: number }[]> {
    return this.#db.selectFrom('task').select(['id', 'seq']).where('state', '=', 'waiting').orderBy('seq').execute()
  }

  /** Up to `limit` tasks that finished at or before `before`, oldest first. */
  async finishedBefore(before: number, limit: number): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('task')
      .select('id')
      .where('finished_at', '<=', before)
      .orderBy('finished_at')
      .limit(limit)
      .execute()
    return rows.map((row) => row.id)
  }

  /** Forgets a finished task. */
  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('task').where('id', '=', id).where('finished_at', 'is not', null).execute()
  }

  /** Which of these ids are tasks. */
  async existing(ids: readonly string[]): Promise<Set<string>> {
    if (ids.length === 0) return new Set()
    const rows = await this.#db
      .selectFrom('task')
      .select('id')
      .where('id', 'in', [...ids])
      .execute()
    return new Set(rows.map((row) => row.id))
  }

  /** Takes a task over from elsewhere, finished or not; a task with that id is left as it is. */
  async adopt(task: Task): Promise<void> {
    await this.#db
      .insertInto('task')
      .values({
        ...requestColumns(task),
        state: task.state,
        created_at: task.createdAt,
        finished_at: task.finishedAt,
        error_code: task.errorCode,
        error_message: task.errorMessage,
        ...fileColumns(task.file),
      })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute()
  }

  /** Bytes that the key's tasks brought on the day (UTC) of `now`. */
  async bytesToday(keyId: string, now: number): Promise<number> {
    const row = await this.#db
      .selectFrom('key_usage')
      .select('bytes')
      .where('key_id', '=', keyId)
      .where('day', '=', dayOf(now))
      .executeTakeFirst()
    return row?.bytes ?? 0
  }
}
