import type { Kysely } from 'kysely'
import type { KeyStore } from './key-store.ts'
import type { Tables } from './schema.ts'

/** A credit that is reserved. Only the first of the two calls counts. */
export type CreditHold = Readonly<{
  /** Takes it for good; resolves to what the key has left then, null where nothing is counted any more. */
  spend: () => Promise<number | null>
  /** Gives it back unless it was spent. */
  release: () => Promise<void>
}>

/** Reserves credits for calls that may bring nothing; those of keys that are not counted cost nothing. */
export class CreditHolds {
  readonly #db: Kysely<Tables>
  readonly #keys: Pick<KeyStore, 'isCounted'>

  private constructor(db: Kysely<Tables>, keys: Pick<KeyStore, 'isCounted'>) {
    this.#db = db
    this.#keys = keys
  }

  /** Gives back what a daemon that died had reserved. */
  static async open(db: Kysely<Tables>, keys: Pick<KeyStore, 'isCounted'>): Promise<CreditHolds> {
    await db.deleteFrom('credit_hold').execute()
    return new CreditHolds(db, keys)
  }

  /** Reserves a credit of the key; null where its credits are not counted. Refuses `no_credits`. */
  async hold(keyId: string): Promise<CreditHold | null> {
    if (!this.#keys.isCounted(keyId)) return null
    const { id } = await this.#db
      .insertInto('credit_hold')
      .values({ key_id: keyId })
      .returning('id')
      .executeTakeFirstOrThrow()
    let isSpent = false
    return {
      spend: async () => {
        await this.#db.updateTable('credit_hold').set({ spent: 1 }).where('id', '=', id).execute()
        isSpent = true
        return this.#left(keyId)
      },
      release: async () => {
        if (!isSpent) await this.#db.deleteFrom('credit_hold').where('id', '=', id).execute()
      },
    }
  }

  async #left(keyId: string): Promise<number | null> {
    const row = await this.#db.selectFrom('api_key').select('credits').where('id', '=', keyId).executeTakeFirst()
    return row?.credits ?? null
  }
}
