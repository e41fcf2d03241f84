import type { Kysely, Selectable } from 'kysely'
import { NO_LIMITS, type ApiKey, type KeyLimits } from '../domain/key.ts'
import { isPermission } from '../domain/permissions.ts'
import type { KeyTable, Tables } from './schema.ts'

/** A key with what proves it: the hash of its value, and the value itself sealed. */
export type StoredKey = ApiKey &
  Readonly<{
    hash: string
    sealed: string
    /** The value before, while it still works. */
    old: Readonly<{ hash: string; until: number }> | null
    lastUsedAt: number | null
  }>

/** Where keys live. What resolved is on the disk. */
export class KeyStore {
  readonly #db: Kysely<Tables>
  readonly #counted = new Set<string>()

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** In the order in which they were made. */
  async all(): Promise<StoredKey[]> {
    const rows = await this.#db.selectFrom('api_key').selectAll().orderBy('created_at').orderBy('name').execute()
    for (const { id, credits } of rows) this.#noteCredits(id, credits)
    return rows.map(toKey)
  }

  /**
   * Creates the key, or writes everything anew of the one with its id; its tasks stay its own. `credits` stay as they are
   * when left out: they change with every task.
   */
  async put(key: StoredKey, credits?: number | null): Promise<void> {
    const columns = {
      name: key.name,
      hash: key.hash,
      sealed: key.sealed,
      permissions: JSON.stringify(key.permissions),
      limits: JSON.stringify(key.limits),
      expires_at: key.expiresAt,
      disabled_at: key.disabledAt,
      old_hash: key.old?.hash ?? null,
      old_until: key.old?.until ?? null,
      ...(credits === undefined ? {} : { credits }),
    }
    await this.#db
      .insertInto('api_key')
      .values({ id: key.id, created_at: key.createdAt, ...columns })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(columns))
      .execute()
    this.#noteCredits(key.id, credits)
  }

  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('api_key').where('id', '=', id).execute()
    this.#counted.delete(id)
  }

  /** Tasks that may still bring a file, by key; keys whose tasks are not counted are not in it. */
  async creditsOf(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (ids.length === 0) return new Map()
    const rows = await this.#db
      .selectFrom('api_key')
      .select(['id', 'credits'])
      .where('id', 'in', [...ids])
      .execute()
    return new Map(rows.flatMap(({ id, credits }) => (credits === null ? [] : [[id, credits] as const])))
  }

  /** Whether the key's credits count, as far as was read or written here: costs no query. */
  isCounted(id: string): boolean {
    return this.#counted.has(id)
  }

  #noteCredits(id: string, credits: number | null | undefined): void {
    if (credits === null) this.#counted.delete(id)
    else if (credits !== undefined) this.#counted.add(id)
  }

  /** When keys were last used. */
  async setLastUsed(times: ReadonlyMap<string, number>): Promise<void> {
    for (const [id, at] of times) {
      await this.#db.updateTable('api_key').set({ last_used_at: at }).where('id', '=', id).execute()
    }
  }
}

function toKey(row: Selectable<KeyTable>): StoredKey {
  const permissions = JSON.parse(row.permissions) as string[]
  return {
    id: row.id,
    name: row.name,
    permissions: permissions.filter(isPermission),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    disabledAt: row.disabled_at,
    limits: row.limits === null ? NO_LIMITS : { ...NO_LIMITS, ...(JSON.parse(row.limits) as Partial<KeyLimits>) },
    hash: row.hash,
    sealed: row.sealed,
    old: row.old_hash === null || row.old_until === null ? null : { hash: row.old_hash, until: row.old_until },
    lastUsedAt: row.last_used_at,
  }
}
