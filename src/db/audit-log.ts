import type { Kysely } from 'kysely'
import type { Tables } from './schema.ts'

/** Rows that are kept. */
const KEEP = 100_000
/** After how many new rows the oldest are looked for. */
const TRIM_EVERY = 100

/** Something that somebody did. */
export type AuditEntry = Readonly<{
  /** Milliseconds since the epoch. */
  at: number
  /** Null for whoever did it without a key. */
  keyId: string | null
  keyName: string
  /** Where the call came from; null when it was no call. */
  address: string | null
  action: string
  /** What it was done to. */
  target: string | null
  detail: string | null
}>

/** Who did what; the newest 100,000. */
export class AuditLog {
  readonly #db: Kysely<Tables>
  #added = 0

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  async add({ keyId, keyName, ...entry }: AuditEntry): Promise<void> {
    await this.#db
      .insertInto('audit')
      .values({ ...entry, key_id: keyId, key_name: keyName })
      .execute()
    if (this.#added++ % TRIM_EVERY === 0) await this.#trim()
  }

  /** Up to `limit` entries before `seq`, newest first; from the newest when null. */
  async before(seq: number | null, limit: number): Promise<(AuditEntry & Readonly<{ seq: number }>)[]> {
    const rows = await this.#db
      .selectFrom('audit')
      .selectAll()
      .$if(seq !== null, (query) => query.where('seq', '<', seq))
      .orderBy('seq', 'desc')
      .limit(limit)
      .execute()
    return rows.map(({ key_id: keyId, key_name: keyName, ...row }) => ({ ...row, keyId, keyName }))
  }

  async #trim(): Promise<void> {
    await this.#db
      .deleteFrom('audit')
      .where('seq', '<=', (eb) => eb.selectFrom('audit').select((row) => row(row.fn.max('seq'), '-', KEEP).as('last')))
      .execute()
  }
}
