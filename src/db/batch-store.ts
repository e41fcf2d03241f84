import type { Kysely } from 'kysely'
import { TASK_STATES, type TaskState } from '../domain/task.ts'
import type { Tables } from './schema.ts'

/** A batch or playlist, and what its tasks have come to. Times are milliseconds since the epoch. */
export type Batch = Readonly<{
  id: string
  /** What the site calls a playlist; null until that is known, and of other batches. */
  title: string | null
  /** Address of a playlist. */
  url: string | null
  createdAt: number
  /** When the last of its tasks ended; null while one is open. */
  finishedAt: number | null
  counts: Readonly<Record<TaskState, number>>
}>

/** What tasks belong to. */
export class BatchStore {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** A key's own batch; null when there is none of that id. */
  async get(keyId: string, id: string): Promise<Batch | null> {
    const row = await this.#db
      .selectFrom('batch')
      .select(['id', 'title', 'url', 'created_at', 'finished_at'])
      .where('id', '=', id)
      .where('key_id', '=', keyId)
      .executeTakeFirst()
    if (!row) return null
    const rows = await this.#db
      .selectFrom('task')
      .select(({ fn }) => ['state', fn.countAll<number>().as('count')])
      .where('batch_id', '=', id)
      .groupBy('state')
      .execute()
    return {
      id: row.id,
      title: row.title,
      url: row.url,
      createdAt: row.created_at,
      finishedAt: row.finished_at,
      counts: countsOf(rows),
    }
  }

  /** Up to `limit` tasks of a batch behind `seq` that have not ended, in order. */
  openTasks(batchId: string, seq: number, limit: number): Promise<{ id: string; seq: number }[]> {
    return this.#tasks(batchId, ['waiting', 'processing'], { seq, limit })
  }

  /** As `openTasks`, but those that were cancelled. */
  cancelledTasks(batchId: string, seq: number, limit: number): Promise<{ id: string; seq: number }[]> {
    return this.#tasks(batchId, ['cancelled'], { seq, limit })
  }

  #tasks(
    batchId: string,
    states: readonly TaskState[],
    { seq, limit }: Readonly<{ seq: number; limit: number }>,
  ): Promise<{ id: string; seq: number }[]> {
    return this.#db
      .selectFrom('task')
      .select(['id', 'seq'])
      .where('batch_id', '=', batchId)
      .where('state', 'in', [...states])
      .where('seq', '>', seq)
      .orderBy('seq')
      .limit(limit)
      .execute()
  }
}

/** A number for every state, whether or not there are such tasks. */
export function countsOf(rows: readonly Readonly<{ state: string; count: number }>[]): Record<TaskState, number> {
  const counts = new Map(rows.map(({ state, count }) => [state, count]))
  return Object.fromEntries(TASK_STATES.map((state) => [state, counts.get(state) ?? 0])) as Record<TaskState, number>
}
