import type { Kysely } from 'kysely'
import type { Outcome } from '../domain/task.ts'
import type { Tables } from './schema.ts'

/** The day (UTC) of a moment: `YYYY-MM-DD`. */
export const dayOf = (now: number): string => new Date(now).toISOString().slice(0, 10)

/** Adds the end of a task to what its key did on that day. */
export async function countUsage(
  db: Kysely<Tables>,
  keyId: string,
  outcome: Exclude<Outcome, { kind: 'retry' }>,
  now: number,
): Promise<void> {
  const completed = outcome.kind === 'completed' ? 1 : 0
  const failed = outcome.kind === 'error' ? 1 : 0
  const bytes = outcome.kind === 'completed' ? outcome.file.size : 0
  await db
    .insertInto('key_usage')
    .values({ key_id: keyId, day: dayOf(now), completed, failed, bytes })
    .onConflict((conflict) =>
      conflict.columns(['key_id', 'day']).doUpdateSet((eb) => ({
        completed: eb('key_usage.completed', '+', completed),
        failed: eb('key_usage.failed', '+', failed),
        bytes: eb('key_usage.bytes', '+', bytes),
      })),
    )
    .execute()
}
