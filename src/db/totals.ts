import type { Kysely } from 'kysely'
import type { TaskState } from '../domain/task.ts'
import { countsOf } from './batch-store.ts'
import type { Tables } from './schema.ts'

/** Tasks of all keys by state; read off running counts, whatever there is of them. */
export async function tasksByState(db: Kysely<Tables>): Promise<Record<TaskState, number>> {
  const rows = await db
    .selectFrom('task_count')
    .select((eb) => ['state', eb.fn.sum<number>('count').as('count')])
    .groupBy('state')
    .execute()
  return countsOf(rows)
}

/** Messages that are to be delivered; off an index that holds only those. */
export async function webhooksWaiting(db: Kysely<Tables>): Promise<number> {
  const row = await db
    .selectFrom('webhook_delivery')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', '=', 'waiting')
    .executeTakeFirstOrThrow()
  return row.count
}
