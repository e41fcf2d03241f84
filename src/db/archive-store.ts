import { setImmediate as nextTurn } from 'node:timers/promises'
import { sql, type Kysely } from 'kysely'
import type { Tables } from './schema.ts'

/** A medium that was downloaded out of a playlist, or that the client says it has. */
export type ArchiveEntry = Readonly<{
  /** As in a download archive of yt-dlp: `youtube dQw4w9WgXcQ`. */
  mediaId: string
  title: string | null
  /** The task that fetched it; null when it was brought along. */
  taskId: string | null
  /** Milliseconds since the epoch. */
  at: number
}>

/** Where a page of the list goes on: behind this entry. */
export type ArchivePlace = Readonly<{ at: number; mediaId: string }>

/** Entries of one key that are kept; a longer list is refused. */
export const MAX_ARCHIVED = 200_000

/** Rows that one statement writes or removes, so that nobody waits long for the database. */
const CHUNK = 500

/** What keys have downloaded out of playlists. */
export class ArchiveStore {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** Which of these the key has; up to some hundred. */
  async known(keyId: string, mediaIds: readonly string[]): Promise<Set<string>> {
    if (mediaIds.length === 0) return new Set()
    const rows = await this.#db
      .selectFrom('archive')
      .select('media_id')
      .where('key_id', '=', keyId)
      .where('media_id', 'in', [...mediaIds])
      .execute()
    return new Set(rows.map((row) => row.media_id))
  }

  /** Up to `limit` entries behind `after`, the newest first. */
  async page(keyId: string, after: ArchivePlace | null, limit: number): Promise<ArchiveEntry[]> {
    const rows = await this.#db
      .selectFrom('archive')
      .selectAll()
      .where('key_id', '=', keyId)
      .$if(after !== null, (query) =>
        query.where(sql<boolean>`(at, media_id) < (${after?.at ?? 0}, ${after?.mediaId ?? ''})`),
      )
      .orderBy('at', 'desc')
      .orderBy('media_id', 'desc')
      .limit(limit)
      .execute()
    return rows.map((row) => ({
      mediaId: row.media_id,
      title: row.title,
      taskId: row.task_id === '' ? null : row.task_id,
      at: row.at,
    }))
  }

  /** How many the key has, counted no further than one above the most there may be. */
  async count(keyId: string): Promise<number> {
    const { rows } = await sql<{ count: number }>`select count(*) as count from
      (select 1 from archive where key_id = ${keyId} limit ${MAX_ARCHIVED + 1})`.execute(this.#db)
    return rows[0]?.count ?? 0
  }

  /** Adds media that no task of ours fetched; returns how many were new. */
  async bring(keyId: string, mediaIds: readonly string[], at: number): Promise<number> {
    let added = 0
    for (let from = 0; from < mediaIds.length; from += CHUNK) {
      const values = mediaIds
        .slice(from, from + CHUNK)
        .map((mediaId) => ({ key_id: keyId, media_id: mediaId, title: null, task_id: '', at }))
      const result = await this.#db
        .insertInto('archive')
        .values(values)
        .onConflict((conflict) => conflict.columns(['key_id', 'media_id']).doNothing())
        .executeTakeFirst()
      added += Number(result.numInsertedOrUpdatedRows ?? 0)
      await nextTurn()
    }
    return added
  }

  /** Forgets one; false when it is not there. */
  async remove(keyId: string, mediaId: string): Promise<boolean> {
    const result = await this.#db
      .deleteFrom('archive')
      .where('key_id', '=', keyId)
      .where('media_id', '=', mediaId)
      .executeTakeFirst()
    return result.numDeletedRows > 0n
  }

  /** Forgets all of a key, some at a time; returns how many there were. */
  async clear(keyId: string): Promise<number> {
    for (let removed = 0; ;) {
      const result = await this.#db
        .deleteFrom('archive')
        .where('key_id', '=', keyId)
        .where('media_id', 'in', (eb) =>
          eb.selectFrom('archive').select('media_id').where('key_id', '=', keyId).limit(CHUNK),
        )
        .executeTakeFirst()
      removed += Number(result.numDeletedRows)
      if (Number(result.numDeletedRows) < CHUNK) return removed
      await nextTurn()
    }
  }
}

/** Notes in the archive that a task has fetched its medium; part of the transaction that settles the task. */
export async function archive(
  db: Kysely<Tables>,
  task: Readonly<{ id: string; key_id: string; archive_id: string | null; title: string | null }>,
  at: number,
): Promise<void> {
  if (task.archive_id === null) return
  const row = { title: task.title, task_id: task.id, at }
  await db
    .insertInto('archive')
    .values({ key_id: task.key_id, media_id: task.archive_id, ...row })
    .onConflict((conflict) => conflict.columns(['key_id', 'media_id']).doUpdateSet(row))
    .execute()
}
