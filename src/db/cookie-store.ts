import type { Kysely, Selectable } from 'kysely'
import type { TaskErrorCode } from '../domain/errors.ts'
import type { JarTable, Tables } from './schema.ts'

/** A key's cookies of one site, sealed. Times are milliseconds since the epoch. */
export type StoredJar = Readonly<{
  keyId: string
  site: string
  sealed: string
  revision: number
  cookies: number
  createdAt: number
  updatedAt: number
  expiresAt: number | null
  lastSuccessAt: number | null
  lastFailureAt: number | null
  lastFailure: TaskErrorCode | null
}>

/** What a jar holds, sealed. */
export type JarContent = Pick<StoredJar, 'sealed' | 'cookies' | 'expiresAt'>

/** Where cookie jars live. Each method is one statement; what resolved is on the disk. */
export class CookieStore {
  readonly #db: Kysely<Tables>
  /** Keys known to have no jar: most of them, and asked for by every call. */
  readonly #without = new Set<string>()

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  async ofKey(keyId: string, limit: number): Promise<StoredJar[]> {
    const rows = await this.#db
      .selectFrom('cookie_jar')
      .selectAll()
      .where('key_id', '=', keyId)
      .orderBy('site')
      .limit(limit)
      .execute()
    return rows.map(toJar)
  }

  /** The one of the key for the first of these sites that it has one for. */
  async find(keyId: string, sites: readonly string[]): Promise<StoredJar | null> {
    if (this.#without.has(keyId)) return null
    const rows = await this.#db
      .selectFrom('cookie_jar')
      .selectAll()
      .where('key_id', '=', keyId)
      .where('site', 'in', sites)
      .execute()
    const row = rows.toSorted((a, b) => sites.indexOf(a.site) - sites.indexOf(b.site))[0]
    if (row !== undefined) return toJar(row)
    this.#without.add(keyId)
    // One that is put while this looks takes the note away again.
    if ((await this.ofKey(keyId, 1)).length > 0) this.#without.delete(keyId)
    return null
  }

  /** Puts a jar in the place of the one there was; what became of that with the site is forgotten. */
  async put(keyId: string, site: string, content: JarContent, now: number): Promise<StoredJar> {
    const fresh = {
      ...columnsOf(content),
      created_at: now,
      updated_at: now,
      last_success_at: null,
      last_failure_at: null,
      last_failure: null,
    }
    const row = await this.#db
      .insertInto('cookie_jar')
      // Not 1 each time: a task that still has the cookies of a jar that was removed must not take this one for it.
      .values({ key_id: keyId, site, revision: now, ...fresh })
      .onConflict((conflict) =>
        conflict
          .columns(['key_id', 'site'])
          .doUpdateSet((update) => ({ ...fresh, revision: update('cookie_jar.revision', '+', 1) })),
      )
      .returningAll()
      .executeTakeFirstOrThrow()
    this.#without.delete(keyId)
    return toJar(row)
  }

  /** Changes what a jar holds, unless somebody else did since that revision. */
  async renew(jar: Pick<StoredJar, 'keyId' | 'site' | 'revision'>, content: JarContent, now: number): Promise<boolean> {
    const result = await this.#db
      .updateTable('cookie_jar')
      .set((update) => ({ ...columnsOf(content), updated_at: now, revision: update('revision', '+', 1) }))
      .where('key_id', '=', jar.keyId)
      .where('site', '=', jar.site)
      .where('revision', '=', jar.revision)
      .executeTakeFirst()
    return result.numUpdatedRows > 0n
  }

  /** Notes how a task with these cookies ended; null = well. Nothing is noted of a jar that was replaced meanwhile. */
  async note(
    jar: Pick<StoredJar, 'keyId' | 'site' | 'createdAt'>,
    failure: TaskErrorCode | null,
    now: number,
  ): Promise<void> {
    await this.#db
      .updateTable('cookie_jar')
      .set(failure === null ? { last_success_at: now } : { last_failure_at: now, last_failure: failure })
      .where('key_id', '=', jar.keyId)
      .where('site', '=', jar.site)
      .where('created_at', '=', jar.createdAt)
      .execute()
  }

  async remove(keyId: string, site: string): Promise<boolean> {
    const result = await this.#db
      .deleteFrom('cookie_jar')
      .where('key_id', '=', keyId)
      .where('site', '=', site)
      .executeTakeFirst()
    return result.numDeletedRows > 0n
  }
}

const columnsOf = ({ sealed, cookies, expiresAt }: JarContent) => ({ sealed, cookies, expires_at: expiresAt })

function toJar(row: Selectable<JarTable>): StoredJar {
  return {
    keyId: row.key_id,
    site: row.site,
    sealed: row.sealed,
    revision: row.revision,
    cookies: row.cookies,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    expiresAt: row.expires_at,
    lastSuccessAt: row.last_success_at,
    lastFailureAt: row.last_failure_at,
    lastFailure: row.last_failure as TaskErrorCode | null,
  }
}
