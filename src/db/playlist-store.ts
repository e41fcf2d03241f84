import type { Kysely } from 'kysely'
import type { Task } from '../domain/task.ts'
import type { Tables } from './schema.ts'
import { AFRESH, finalColumns, requestColumns, type NewTask } from './task-row.ts'
import { countAccepted } from './usage.ts'

/** Rows that one transaction writes, so that nobody waits long for the database. */
export const CHILDREN_AT_ONCE = 100

/** The tasks that a playlist task makes; they are in its batch, which has its id. */
export class PlaylistStore {
  readonly #db: Kysely<Tables>
  readonly #changed: () => void

  /** `changed` is called whenever the state of a task may have changed. */
  constructor(db: Kysely<Tables>, changed: () => void) {
    this.#db = db
    this.#changed = changed
  }

  /** Gives the parent's batch the name that the site has for it. */
  async name({ id }: Pick<Task, 'id'>, title: string | null): Promise<void> {
    if (title === null) return
    await this.#db.updateTable('batch').set({ title }).where('id', '=', id).execute()
  }

  /**
   * Puts up to `CHILDREN_AT_ONCE` tasks at the end of the queue, those that are not there yet; all of them or none. False,
   * and nothing is added, when this attempt of the parent is no longer the running one.
   */
  async add(parent: Pick<Task, 'id' | 'attempt'>, children: readonly NewTask[]): Promise<boolean> {
    const isAdded = await this.#db.transaction().execute(async (transaction) => {
      const running = await transaction
        .selectFrom('task')
        .select('id')
        .where('id', '=', parent.id)
        .where('attempt', '=', parent.attempt)
        .where('state', '=', 'processing')
        .executeTakeFirst()
      if (!running) return false
      const { numInsertedOrUpdatedRows } = await transaction
        .insertInto('task')
        .values(children.map((child) => ({ ...requestColumns(child), state: 'waiting' })))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirstOrThrow()
      const added = Number(numInsertedOrUpdatedRows ?? 0)
      const [first] = children
      if (first && added > 0) await countAccepted(transaction, first.keyId, added, first.createdAt)
      return true
    })
    this.#changed()
    return isAdded
  }

  /** Ends those of up to some hundred tasks that wait, and returns those that run. */
  async cancelWaiting(ids: readonly string[], now: number): Promise<string[]> {
    if (ids.length === 0) return []
    await this.#db
      .updateTable('task')
      .set(finalColumns({ kind: 'cancelled' }, now))
      .where('id', 'in', [...ids])
      .where('state', '=', 'waiting')
      .execute()
    this.#changed()
    const rows = await this.#db
      .selectFrom('task')
      .select('id')
      .where('id', 'in', [...ids])
      .where('state', '=', 'processing')
      .execute()
    return rows.map((row) => row.id)
  }

  /** Puts those of up to some hundred tasks back into the queue that were cancelled, and returns how many. */
  async retryCancelled(ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0
    const { numUpdatedRows } = await this.#db
      .updateTable('task')
      .set(AFRESH)
      .where('id', 'in', [...ids])
      .where('state', '=', 'cancelled')
      .executeTakeFirstOrThrow()
    this.#changed()
    return Number(numUpdatedRows)
  }
}
