import fs from 'node:fs'
import path from 'node:path'
import SqliteDatabase, { type Database } from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import { forKysely } from './kysely-database.ts'
import { migrations } from './migrations.ts'
import type { Tables } from './schema.ts'

/** The file of the database, in the state folder. */
export const DATABASE_NAME = 'ytdlpd.sqlite'
const LOCK_NAME = '.lock.sqlite'
/** Where backups are, in the state folder. */
export const BACKUP_DIR = 'backups'
/** The sealing key, which is made right after the first database. */
const SEAL_NAME = 'seal.key'

/** How long a writer may wait for a backup program that holds the file. */
const BUSY_TIMEOUT_MS = 5_000

/** A database that cannot be used as it is. The message tells the operator what to do; nothing was changed. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
}

/** An open database and the right to use its folder; disposing gives both back. */
export type Store = AsyncDisposable & Readonly<{ db: Kysely<Tables> }>

/**
 * Opens `<stateDir>/ytdlpd.sqlite`, creates it at the first start and brings older schemas up to date.
 *
 * WAL with `synchronous=FULL`: what was answered is on the disk (better-sqlite3 is compiled with NORMAL for WAL).
 * Throws DatabaseError when another daemon uses the folder, when the file is damaged, newer than this program, or
 * missing although the folder was in use: it never starts silently empty.
 */
export async function openStore(stateDir: string): Promise<Store> {
  fs.mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const file = path.join(stateDir, DATABASE_NAME)
  const lock = takeLock(stateDir)
  try {
    refuseToStartEmpty(stateDir, file)
    if (fs.existsSync(file)) requireUndamaged(stateDir, file)
    const raw = openRaw(stateDir, file)
    const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: forKysely(raw) }) })
    await migrate(db).catch((error: unknown) => {
      raw.close()
      throw error
    })
    return {
      db,
      [Symbol.asyncDispose]: async () => {
        raw.pragma('wal_checkpoint(TRUNCATE)')
        await db.destroy()
        lock.close()
      },
    }
  } catch (error) {
    lock.close()
    throw error
  }
}

/** The right to use a state folder: an exclusive transaction on a file of its own, freed by the kernel however we end. */
export function takeLock(stateDir: string): Database {
  const lock = new SqliteDatabase(path.join(stateDir, LOCK_NAME), { timeout: 0 })
  try {
    lock.exec('begin exclusive')
    return lock
  } catch (cause) {
    lock.close()
    throw new DatabaseError(`another ytdlpd uses ${stateDir}: stop it, or give this one a STATE_DIR of its own`, {
      cause,
    })
  }
}

function refuseToStartEmpty(stateDir: string, file: string): void {
  if (fs.existsSync(file)) {
    if (fs.statSync(file).size > 0) return
    throw new DatabaseError(`${file} is empty. ${wayOut(stateDir)}`)
  }
  const traces = [`${DATABASE_NAME}-wal`, BACKUP_DIR, SEAL_NAME].filter((name) =>
    fs.existsSync(path.join(stateDir, name)),
  )
  if (traces.length === 0) return
  throw new DatabaseError(
    `${file} is gone, but ${traces.join(' and ')} beside it shows that there was one. ${wayOut(stateDir)}`,
  )
}

/** Looks with a connection that cannot write: any other moves the write-ahead log into the file when it is closed. */
function requireUndamaged(stateDir: string, file: string): void {
  let raw: Database | undefined
  try {
    raw = new SqliteDatabase(file, { readonly: true, timeout: BUSY_TIMEOUT_MS })
    const findings = raw.pragma('quick_check(5)', { simple: true })
    if (findings !== 'ok') throw new DatabaseError(`${file} is damaged: ${String(findings)}. ${wayOut(stateDir)}`)
  } catch (cause) {
    throw unusable(stateDir, file, cause)
  } finally {
    raw?.close()
  }
}

function openRaw(stateDir: string, file: string): Database {
  let raw: Database | undefined
  try {
    raw = new SqliteDatabase(file, { timeout: BUSY_TIMEOUT_MS })
    raw.pragma('journal_mode = WAL')
    raw.pragma('synchronous = FULL')
    return raw
  } catch (cause) {
    raw?.close()
    throw unusable(stateDir, file, cause)
  }
}

function unusable(stateDir: string, file: string, cause: unknown): DatabaseError {
  if (cause instanceof DatabaseError) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new DatabaseError(`${file} cannot be read: ${why}. ${wayOut(stateDir)}`, { cause })
}

function wayOut(stateDir: string): string {
  const dir = path.join(stateDir, BACKUP_DIR)
  const newest = fs.existsSync(dir)
    ? fs
        .readdirSync(dir)
        .filter((name) => name.endsWith('.sqlite'))
        .toSorted()
        .at(-1)
    : undefined
  const restore =
    newest === undefined
      ? 'There is no backup; to begin anew, move the whole state folder away.'
      : `To go back to the newest backup: scripts/restore ${path.join(dir, newest)}`
  return `Nothing was changed. ${restore}`
}

async function migrate(db: Kysely<Tables>): Promise<void> {
  const { error } = await new Migrator({ db, provider: migrations }).migrateToLatest()
  if (error === undefined) return
  const why = error instanceof Error ? error.message : 'unknown'
  if (why.includes('is missing')) {
    throw new DatabaseError(
      `the database was written by a newer ytdlpd (${why}): start that version, or restore an older backup`,
    )
  }
  throw new DatabaseError(`the database could not be brought up to date: ${why}`, { cause: error })
}
