import type { Kysely } from 'kysely'
import type { Tables } from './schema.ts'

/** What the first call with a token asked for and was told. */
export type EarlierCall = Readonly<{ requestHash: string; answer: string }>

/** Rows that one call removes at most. */
const AT_ONCE = 1_000

/** What was answered to calls that can be repeated. New ones are written with the tasks they made: `TaskStore.addAll`. */
export class IdempotencyStore {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** The call of a key that carried this token since `since`; null when there was none. */
  async find(keyId: string, token: string, since: number): Promise<EarlierCall | null> {
    const row = await this.#db
      .selectFrom('idempotency')
      .select(['request_hash', 'answer', 'created_at'])
      .where('key_id', '=', keyId)
      .where('token', '=', token)
      .executeTakeFirst()
    return row && row.created_at >= since ? { requestHash: row.request_hash, answer: row.answer } : null
  }

  /** Forgets this call of a key, and some of those that are older than `before`. */
  async forget(keyId: string, token: string, before: number): Promise<void> {
    await this.#db
      .deleteFrom('idempotency')
      .where('key_id', '=', keyId)
      .where('token', '=', token)
      .where('created_at', '<', before)
      .execute()
    await this.#db
      .deleteFrom('idempotency')
      .where('rowid' as 'token', 'in', (eb) =>
        eb
          .selectFrom('idempotency')
          .select('rowid' as 'token')
          .where('created_at', '<', before)
          .orderBy('created_at')
          .limit(AT_ONCE),
      )
      .execute()
  }
}
