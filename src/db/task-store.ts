import { sql, type Kysely, type Selectable } from 'kysely'
import type { Outcome, Task } from '../domain/task.ts'
import { isoDay } from '../domain/iso-time.ts'
import { archive } from './archive-store.ts'
import { outlived } from './outlived.ts'
import type { Tables, TaskTable } from './schema.ts'
import { countAccepted, countUsage, openTasks, type KeyUsage } from './usage.ts'
import { AFRESH, fileColumns, finalColumns, requestColumns, retryColumns, toTask, type NewTask } from './task-row.ts'
import { batchColumns, idempotencyColumns, unfinishedBatch, type Idempotency, type NewBatch } from './batch-row.ts'

export type { NewTask } from './task-row.ts'

/** A task that was just claimed, with what the retry policy needs to know of its past. */
export type ClaimedTask = Task &
  Readonly<{
    failures: number
    deaths: number
    /** Milliseconds since the epoch; from when on it could have been begun. */
    dueAt: number
  }>

/** Whose task may be claimed, and from which hosts not. */
export type ClaimFilter = Readonly<{ keyId: string; now: number; blockedHosts: readonly string[] }>

/**
 * Where tasks live, and the queue itself. Each method is one statement, so one transaction; what resolved is on the disk.
 * Everything a run writes is bound to the `attempt` it was claimed with: a run that lost its task changes nothing.
 */
export class TaskStore {
  readonly #db: Kysely<Tables>
  readonly #byId
  readonly #changed: () => void

  /** `changed` is called whenever the state of a task may have changed. */
  constructor(db: Kysely<Tables>, changed: () => void = () => {}) {
    this.#db = db
    this.#changed = changed
    this.#byId = db.selectFrom('task').selectAll().where('id', '=', '').compile()
  }

  /** Puts a task at the end of the queue. */
  add(task: NewTask): Promise<void> {
    return this.addAll([task])
  }

  /** Puts tasks at the end of the queue: all of them, with their batch and what the client was told, or nothing. */
  async addAll(
    tasks: readonly NewTask[],
    { batch = null, idempotency = null }: Readonly<{ batch?: NewBatch | null; idempotency?: Idempotency | null }> = {},
  ): Promise<void> {
    await atomically(this.#db, async (transaction) => {
      if (batch) await transaction.insertInto('batch').values(batchColumns(batch)).execute()
      for (const task of tasks) {
        await transaction
          .insertInto('task')
          .values({ ...requestColumns(task), state: 'waiting' })
          .execute()
      }
      const [first] = tasks
      if (first) await countAccepted(transaction, first.keyId, tasks.length, first.createdAt)
      if (idempotency) await transaction.insertInto('idempotency').values(idempotencyColumns(idempotency)).execute()
    })
    this.#changed()
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

  /** Moves that task of the key which is first in turn and may run now to `processing` and raises its attempt; null when there is none. */
  async claim({ keyId, now, blockedHosts }: ClaimFilter): Promise<ClaimedTask | null> {
    const row = await this.#db
      .updateTable('task')
      .set((eb) => ({
        state: 'processing',
        attempt: eb('attempt', '+', 1),
        started_at: now,
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
          .orderBy('priority', 'desc')
          .orderBy('seq')
          .limit(1),
      )
      .returningAll()
      .executeTakeFirst()
    if (row) this.#changed()
    if (!row) return null
    const { failures, deaths, created_at: createdAt, not_before: notBefore } = row
    return { ...toTask(row), failures, deaths, dueAt: Math.max(createdAt, notBefore ?? 0) }
  }

  /**
   * Records how attempt `attempt` of a task ended, and counts it for its key. False, and nothing changed, when that
   * attempt is not the running one.
   */
  async settle(id: string, attempt: number, outcome: Outcome, now: number): Promise<boolean> {
    const isSettled = await this.#db.transaction().execute(async (transaction) => {
      const row = await transaction
        .updateTable('task')
        .set((eb) => (outcome.kind === 'retry' ? retryColumns(outcome, eb) : finalColumns(outcome, now)))
        .where('id', '=', id)
        .where('attempt', '=', attempt)
        .where('state', '=', 'processing')
        .returning(['id', 'key_id', 'archive_id', 'title'])
        .executeTakeFirst()
      if (row && outcome.kind !== 'retry') await countUsage(transaction, row.key_id, outcome, now)
      if (row && outcome.kind === 'completed') await archive(transaction, row, now)
      return row !== undefined
    })
    if (isSettled) this.#changed()
    return isSettled
  }

  /** Ends a task that waits; false when it does not wait (any more). */
  async cancelWaiting(id: string, now: number): Promise<boolean> {
    const result = await this.#db
      .updateTable('task')
      .set(finalColumns({ kind: 'cancelled' }, now))
      .where('id', '=', id)
      .where('state', '=', 'waiting')
      .executeTakeFirst()
    this.#changed()
    return result.numUpdatedRows === 1n
  }

  /** Moves a waiting task before or behind others of its key; false when it does not wait. */
  async setPriority(id: string, priority: number): Promise<boolean> {
    const result = await this.#db
      .updateTable('task')
      .set({ priority })
      .where('id', '=', id)
      .where('state', '=', 'waiting')
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  /** Puts a task that ended without a file back into the queue, as a new one; false when it is not such a task. */
  async retryEnded(id: string): Promise<boolean> {
    const result = await this.#db
      .updateTable('task')
      .set(AFRESH)
      .where('id', '=', id)
      .where('state', 'in', ['error', 'cancelled'])
      .executeTakeFirst()
    this.#changed()
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
    this.#changed()
    return { requeued: Number(requeued.numUpdatedRows), quarantined: Number(quarantined.numUpdatedRows) }
  }

  /** Read off a running count: it costs the same however many wait. */
  async countWaiting(): Promise<number> {
    const row = await this.#db
      .selectFrom('task_count')
      .select((eb) => eb.fn.sum<number | null>('count').as('count'))
      .where('state', '=', 'waiting')
      .executeTakeFirstOrThrow()
    return row.count ?? 0
  }

  usageOf(keyId: string): Promise<KeyUsage> {
    return openTasks(this.#db, keyId)
  }

  /** Everything that waits, in turn: what queue positions are read off. */
  async waitingSequence(): Promise<{ id: string; seq: number }[]> {
    return this.#db
      .selectFrom('task')
      .select(['id', 'seq'])
      .where('state', '=', 'waiting')
      .orderBy('priority', 'desc')
      .orderBy('seq')
      .execute()
  }

  /**
   * Up to `limit` tasks that finished at or before `before`, as their whole batch did, oldest first; none that stay for a
   * time of their own.
   */
  async finishedBefore(before: number, limit: number): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('task')
      .select('id')
      .where('finished_at', '<=', before)
      .where('retention', 'is', null)
      .where((where) =>
        where.or([where('batch_id', 'is', null), where.not(where.exists(unfinishedBatch(where, before)))]),
      )
      .orderBy('finished_at')
      .limit(limit)
      .execute()
    return rows.map((row) => row.id)
  }

  /** As `finishedBefore`, of those that stay for a time of their own, when it is over at `now`. */
  outlived(now: number, limit: number): Promise<string[]> {
    return outlived(this.#db, now, limit)
  }

  /** Forgets a finished task. */
  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('task').where('id', '=', id).where('finished_at', 'is not', null).execute()
    this.#changed()
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
        finished_at: task.finishedAt,
        error_code: task.errorCode,
        error_message: task.errorMessage,
        ...fileColumns(task.files),
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
      .where('day', '=', isoDay(now))
      .executeTakeFirst()
    return row?.bytes ?? 0
  }
}

/** All of it or nothing; part of the transaction that is under way, where there is one. */
const atomically = <T>(db: Kysely<Tables>, work: (transaction: Kysely<Tables>) => Promise<T>): Promise<T> =>
  db.isTransaction ? work(db) : db.transaction().execute(work)
