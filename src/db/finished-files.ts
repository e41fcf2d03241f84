import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Task, TaskKind } from '../domain/task.ts'
import type { Tables } from './schema.ts'
import { fileColumns, toTask } from './task-row.ts'

/** A batch as far as its files go. Times are milliseconds since the epoch. */
export type FinishedBatch = Readonly<{ id: string; title: string | null; createdAt: number; finishedAt: number | null }>

/** Rows that are read at a time: a long list must not hold up everything else. */
const PAGE = 200

/** Of the newest completed tasks of a key, how many are looked at for some that have media. */
const MAX_SCANNED = 2_000

const MEDIA_KINDS: readonly TaskKind[] = ['video', 'audio', 'live_video', 'live_audio']

/** What is asked of the database for the files that tasks made. */
export class FinishedFiles {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** A key's own batch; null when there is none of that id. */
  async batch(keyId: string, id: string): Promise<FinishedBatch | null> {
    const row = await this.#db
      .selectFrom('batch')
      .select(['id', 'title', 'created_at', 'finished_at'])
      .where('id', '=', id)
      .where('key_id', '=', keyId)
      .executeTakeFirst()
    return row ? { id: row.id, title: row.title, createdAt: row.created_at, finishedAt: row.finished_at } : null
  }

  /** The completed tasks of a batch in their order, read page by page. */
  async *completedOf(batchId: string): AsyncGenerator<Task, void, undefined> {
    let after = 0
    for (;;) {
      const rows = await this.#db
        .selectFrom('task')
        .selectAll()
        .where('batch_id', '=', batchId)
        .where('seq', '>', after)
        .orderBy('seq')
        .limit(PAGE)
        .execute()
      for (const row of rows) {
        after = row.seq
        if (row.state === 'completed') yield toTask(row)
      }
      if (rows.length < PAGE) return
      await nextTurn()
    }
  }

  /** The key's newest completed tasks that made pictures or sound, newest first. */
  async newestMedia(keyId: string, limit: number): Promise<Task[]> {
    const rows = await this.#db
      .selectFrom((from) =>
        from
          .selectFrom('task')
          .selectAll()
          .where('key_id', '=', keyId)
          .where('state', '=', 'completed')
          .orderBy('seq', 'desc')
          .limit(MAX_SCANNED)
          .as('newest'),
      )
      .selectAll()
      .where('kind', 'in', [...MEDIA_KINDS])
      .orderBy('seq', 'desc')
      .limit(limit)
      .execute()
    return rows.map(toTask)
  }

  /** Keeps what a file was found to be. Nothing changes when the task has been tried again, or is gone. */
  async keepChecksum(task: Task, name: string, sha256: string): Promise<void> {
    const row = await this.#db.selectFrom('task').selectAll().where('id', '=', task.id).executeTakeFirst()
    if (!row) return
    const files = toTask(row).files.map((file) => (file.name === name ? { ...file, sha256 } : file))
    await this.#db
      .updateTable('task')
      .set({ files: fileColumns(files).files })
      .where('id', '=', task.id)
      .where('attempt', '=', task.attempt)
      .where('state', '=', 'completed')
      .execute()
  }
}
