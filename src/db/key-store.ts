import type { Kysely, Selectable } from 'kysely'
import type { ApiKey } from '../domain/key.ts'
import { isPermission } from '../domain/permissions.ts'
import type { KeyTable, Tables } from './schema.ts'

/** A key with what proves it: the hash of its value, and the value itself sealed. */
export type StoredKey = ApiKey & Readonly<{ hash: string; sealed: string }>

/** Where keys live. Each method is one statement; what resolved is on the disk. */
export class KeyStore {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** In the order in which they were made. */
  async all(): Promise<StoredKey[]> {
    const rows = await this.#db.selectFrom('api_key').selectAll().orderBy('created_at').orderBy('name').execute()
    return rows.map(toKey)
  }

  /** Creates the key, or gives the key of that name a new value and new permissions; its id, and so its tasks, stay. */
  async put(key: StoredKey): Promise<void> {
    const secret = { hash: key.hash, sealed: key.sealed, permissions: JSON.stringify(key.permissions) }
    await this.#db
      .insertInto('api_key')
      .values({ id: key.id, name: key.name, created_at: key.createdAt, ...secret })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(secret))
      .execute()
  }

  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('api_key').where('id', '=', id).execute()
  }
}

function toKey(row: Selectable<KeyTable>): StoredKey {
  const permissions = JSON.parse(row.permissions) as string[]
  return {
    id: row.id,
    name: row.name,
    permissions: permissions.filter(isPermission),
    createdAt: row.created_at,
    hash: row.hash,
    sealed: row.sealed,
  }
}
