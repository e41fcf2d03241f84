import { sql, type Kysely } from 'kysely'
import { TASK_STATES, type Task, type TaskState } from '../domain/task.ts'
import { countsOf } from './batch-store.ts'
import type { Tables } from './schema.ts'
import { toTask } from './task-row.ts'

/** The newest tasks of a key that a list is made of, so that a long history holds nobody up. */
const SCANNED = 2_000

/** Tasks of one batch that are looked at. */
const MAX_OF_BATCH = 1_000

/** How many tasks of a batch are in each state; of a playlist, those that it made. */
export type BatchCounts = Readonly<{ states: Readonly<Record<TaskState, number>>; files: number }>

/** By what the face that lists jobs knows the tasks that came through it. */
const IS_OURS = sql<boolean>`(sent ->> '$.mezdia') is not null`

/** Tasks as the Mezdia face lists them, which knows only jobs: what was submitted together is one of them. */
export class JobList {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /**
   * The tasks that stand for what one face submitted for a key, newest first: single ones, playlists, and the first of each
   * batch.
   */
  async heads(keyId: string): Promise<Task[]> {
    const rows = await this.#db
      .selectFrom((eb) =>
        eb
          .selectFrom('task')
          .selectAll()
          .where('key_id', '=', keyId)
          .orderBy('seq', 'desc')
          .limit(SCANNED)
          .as('newest'),
      )
      .selectAll()
      .where(IS_OURS)
      .where((where) =>
        where.or([where('batch_id', 'is', null), where('position', '=', 1), where('id', '=', where.ref('batch_id'))]),
      )
      .orderBy('seq', 'desc')
      .execute()
    return rows.map(toTask)
  }

  /** What became of the tasks of batches, and of those that playlists made. */
  async counts(batchIds: readonly string[]): Promise<ReadonlyMap<string, BatchCounts>> {
    if (batchIds.length === 0) return new Map()
    const rows = await this.#db
      .selectFrom('task')
      .select(({ fn }) => [
        'batch_id',
        'state',
        fn.countAll<number>().as('count'),
        sql<number>`sum(json_array_length(coalesce(files, '[]')))`.as('files'),
      ])
      .where('batch_id', 'in', [...batchIds])
      .whereRef('id', '<>', 'batch_id')
      .groupBy(['batch_id', 'state'])
      .execute()
    const byBatch = Map.groupBy(rows, (row) => row.batch_id ?? '')
    return new Map(
      batchIds.map((id) => {
        const found = byBatch.get(id) ?? []
        return [id, { states: countsOf(found), files: found.reduce((sum, { files }) => sum + files, 0) }]
      }),
    )
  }

  /** The tasks of a batch in order; of a playlist, those that it made. */
  async ofBatch(batchId: string): Promise<Task[]> {
    const rows = await this.#db
      .selectFrom('task')
      .selectAll()
      .where('batch_id', '=', batchId)
      .where('id', '<>', batchId)
      .orderBy('position')
      .orderBy('seq')
      .limit(MAX_OF_BATCH)
      .execute()
    return rows.map(toTask)
  }

  /** The newest tasks of a key that were made of one of these addresses. */
  async ofPages(keyId: string, urls: readonly string[]): Promise<Task[]> {
    const rows = await this.#db
      .selectFrom('task')
      .selectAll()
      .where('key_id', '=', keyId)
      .where(sql<string>`(request ->> '$.url')`, 'in', [...urls])
      .where(IS_OURS)
      // The plus keeps the index of the key from being taken, which would be read to its end.
      .orderBy(sql`+seq`, 'desc')
      .limit(20)
      .execute()
    return rows.map(toTask)
  }

  /** The tasks of a key whose ids begin like this. */
  async beginningWith(keyId: string, prefix: string): Promise<Task[]> {
    const rows = await this.#db
      .selectFrom('task')
      .selectAll()
      .where('id', '>=', prefix)
      .where('id', '<', `${prefix}~`)
      .where(sql<string>`+key_id`, '=', keyId)
      .limit(10)
      .execute()
    return rows.map(toTask)
  }
}

/** A number for every state, for a batch of which nothing is known. */
export const NO_COUNTS: BatchCounts = {
  states: Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as Record<TaskState, number>,
  files: 0,
}
