import type { Kysely } from 'kysely'
import type { Outcome, TaskState } from '../domain/task.ts'
import { isoDay } from '../domain/iso-time.ts'
import type { Tables } from './schema.ts'

/** Adds tasks that were taken on to what their key did on that day. */
export async function countAccepted(db: Kysely<Tables>, keyId: string, count: number, now: number): Promise<void> {
  await db
    .insertInto('key_usage')
    .values({ key_id: keyId, day: isoDay(now), completed: 0, failed: 0, bytes: 0, accepted: count })
    .onConflict((conflict) =>
      conflict.columns(['key_id', 'day']).doUpdateSet((eb) => ({ accepted: eb('key_usage.accepted', '+', count) })),
    )
    .execute()
}

/** Adds the end of a task to what its key did on that day. */
export async function countUsage(
  db: Kysely<Tables>,
  keyId: string,
  outcome: Exclude<Outcome, { kind: 'retry' }>,
  now: number,
): Promise<void> {
  const completed = outcome.kind === 'completed' ? 1 : 0
  const failed = outcome.kind === 'error' ? 1 : 0
  const bytes = outcome.kind === 'completed' ? outcome.files.reduce((sum, { size }) => sum + size, 0) : 0
  await db
    .insertInto('key_usage')
    .values({ key_id: keyId, day: isoDay(now), completed, failed, bytes })
    .onConflict((conflict) =>
      conflict.columns(['key_id', 'day']).doUpdateSet((eb) => ({
        completed: eb('key_usage.completed', '+', completed),
        failed: eb('key_usage.failed', '+', failed),
        bytes: eb('key_usage.bytes', '+', bytes),
      })),
    )
    .execute()
}

/** How many tasks of a key wait and run. */
export type KeyUsage = Readonly<{ waiting: number; processing: number }>

/** Read off running counts: it costs the same however many there are. */
export async function openTasks(db: Kysely<Tables>, keyId: string): Promise<KeyUsage> {
  const rows = await db
    .selectFrom('task_count')
    .select(['state', 'count'])
    .where('key_id', '=', keyId)
    .where('state', 'in', ['waiting', 'processing'])
    .execute()
  const count = (state: TaskState) => rows.find((row) => row.state === state)?.count ?? 0
  return { waiting: count('waiting'), processing: count('processing') }
}

/** What a key's tasks came to on one day (UTC). */
export type DayUsage = Readonly<{ day: string; accepted: number; completed: number; failed: number; bytes: number }>

/** What keys used, by day; it outlives the tasks. */
export class UsageLog {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** The days on which the key did something, from `from` to `to` (`YYYY-MM-DD`, both included), oldest first. */
  days(keyId: string, from: string, to: string): Promise<DayUsage[]> {
    return this.#db
      .selectFrom('key_usage')
      .select(['day', 'accepted', 'completed', 'failed', 'bytes'])
      .where('key_id', '=', keyId)
      .where('day', '>=', from)
      .where('day', '<=', to)
      .orderBy('day')
      .execute()
  }

  /** The day of `now`, with zeros when nothing was done. */
  async today(keyId: string, now: number): Promise<DayUsage> {
    const day = isoDay(now)
    const [usage] = await this.days(keyId, day, day)
    return usage ?? { day, accepted: 0, completed: 0, failed: 0, bytes: 0 }
  }
  /** How many of its tasks wait and run now. */
  open(keyId: string): Promise<KeyUsage> {
    return openTasks(this.#db, keyId)
  }
}
