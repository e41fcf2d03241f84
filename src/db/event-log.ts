import type { Kysely, Selectable } from 'kysely'
import type { TaskErrorCode } from '../domain/errors.ts'
import type { TaskEvent } from '../domain/event.ts'
import type { EventTable, Tables } from './schema.ts'

/** The changes of all tasks, in the order in which they happened. The database itself writes them, with each change. */
export class EventLog {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** Up to `limit` events behind `seq`, of one key or of all, oldest first. */
  async after(seq: number, limit: number, keyId: string | null = null): Promise<TaskEvent[]> {
    const rows = await this.#db
      .selectFrom('task_event')
      .selectAll()
      .where('seq', '>', seq)
      .$if(keyId !== null, (query) => query.where('key_id', '=', keyId))
      .orderBy('seq')
      .limit(limit)
      .execute()
    return rows.map(toEvent)
  }

  /** The first and the last event there are; zeros when there is none. */
  async range(): Promise<{ first: number; last: number }> {
    // Asked for in one query, both together would be found by reading all events.
    const end = (order: 'asc' | 'desc') =>
      this.#db.selectFrom('task_event').select('seq').orderBy('seq', order).limit(1).executeTakeFirst()
    const [first, last] = await Promise.all([end('asc'), end('desc')])
    return { first: first?.seq ?? 0, last: last?.seq ?? 0 }
  }

  /** Forgets all but the newest `keep`. */
  async trim(keep: number): Promise<void> {
    const { last } = await this.range()
    await this.#db
      .deleteFrom('task_event')
      .where('seq', '<=', last - keep)
      .execute()
  }
}

const toEvent = (row: Selectable<EventTable>): TaskEvent => ({
  seq: row.seq,
  keyId: row.key_id,
  taskId: row.task_id,
  batchId: row.batch_id,
  state: row.state as TaskEvent['state'],
  attempt: row.attempt,
  errorCode: row.error_code as TaskErrorCode | null,
})
