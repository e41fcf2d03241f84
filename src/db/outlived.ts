import { sql, type Kysely } from 'kysely'
import { unfinishedBatch } from './batch-row.ts'
import type { Tables } from './schema.ts'

/** Up to `limit` tasks whose own time after their end is over at `now`, as that of their whole batch is, oldest first. */
export async function outlived(db: Kysely<Tables>, now: number, limit: number): Promise<string[]> {
  const until = sql<number>`finished_at + retention`
  const begun = sql<number>`${now} - task.retention`
  const rows = await db
    .selectFrom('task')
    .select('id')
    .where('retention', 'is not', null)
    .where('finished_at', 'is not', null)
    .where(until, '<=', now)
    .where((where) => where.or([where('batch_id', 'is', null), where.not(where.exists(unfinishedBatch(where, begun)))]))
    .orderBy(until)
    .limit(limit)
    .execute()
  return rows.map((row) => row.id)
}
