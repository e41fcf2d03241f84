import type { Kysely } from 'kysely'
import type { Tables } from './schema.ts'

/** What the operator switched while the daemon ran, by name. */
export class SettingStore {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** Null when it was never set. */
  async get(name: string): Promise<string | null> {
    const row = await this.#db.selectFrom('setting').select('value').where('name', '=', name).executeTakeFirst()
    return row?.value ?? null
  }

  async set(name: string, value: string): Promise<void> {
    await this.#db
      .insertInto('setting')
      .values({ name, value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute()
  }
}
