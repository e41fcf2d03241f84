import fs from 'node:fs'
import path from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { faultOf } from './kysely-database.ts'
import { DATABASE_NAME } from './open.ts'

/** How long a daemon that writes may hold us up. */
const BUSY_TIMEOUT_MS = 5_000

/** Most cookie jars that are told of. */
const MAX_JARS = 100

/** What is known of a cookie jar without opening it. Times are milliseconds since the epoch. */
export type JarFacts = Readonly<{
  site: string
  keyName: string
  updatedAt: number
  expiresAt: number | null
  /** Why the last task with it failed; null when none did since the last that did not. */
  lastFailure: string | null
}>

export type DatabaseFacts = Readonly<{
  bytes: number
  /** What is wrong with the file; null when nothing is. */
  damage: string | null
  tasks: number
  keys: number
  jars: readonly JarFacts[]
}>

/** Looks at the database without changing it, while a daemon uses it or not. Null when there is none. Throws when it cannot be read. */
export function inspectDatabase(stateDir: string): DatabaseFacts | null {
  const file = path.join(stateDir, DATABASE_NAME)
  if (!fs.existsSync(file)) return null
  const bytes = fs.statSync(file).size
  using db = disposable(new SqliteDatabase(file, { readonly: true, timeout: BUSY_TIMEOUT_MS }))
  const findings = check(db.raw)
  if (findings !== null) return { bytes, damage: findings, tasks: 0, keys: 0, jars: [] }
  const has = (table: string) =>
    db.raw.prepare("select 1 from sqlite_master where type = 'table' and name = ?").get(table) !== undefined
  const count = (query: string) => db.raw.prepare(query).pluck().get() as number
  return {
    bytes,
    damage: null,
    tasks: has('task_count') ? count('select coalesce(sum(count), 0) from task_count') : 0,
    keys: has('api_key') ? count('select count(*) from api_key') : 0,
    jars: has('cookie_jar') ? (db.raw.prepare(JARS).all(MAX_JARS) as JarFacts[]) : [],
  }
}

const JARS = `select j.site, coalesce(k.name, j.key_id) as keyName, j.updated_at as updatedAt, j.expires_at as expiresAt,
    case when coalesce(j.last_failure_at, 0) > coalesce(j.last_success_at, 0) then j.last_failure end as lastFailure
  from cookie_jar j left join api_key k on k.id = j.key_id order by j.site, keyName limit ?`

function check(db: SqliteDatabase.Database): string | null {
  try {
    const findings = db.pragma('quick_check(5)', { simple: true })
    return findings === 'ok' ? null : String(findings)
  } catch (error) {
    return damageIn(error)
  }
}

/** A file that is not a database is found out by the first look into it. */
function damageIn(error: unknown): string {
  const { code, message } = faultOf(error)
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return message
  throw error
}

function disposable(raw: SqliteDatabase.Database): Disposable & { raw: SqliteDatabase.Database } {
  return { raw, [Symbol.dispose]: () => void raw.close() }
}
