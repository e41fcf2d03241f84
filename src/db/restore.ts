import fs from 'node:fs/promises'
import path from 'node:path'
import SqliteDatabase, { type Database } from 'better-sqlite3'
import { copyDatabase, sync } from './backup.ts'
import { migrations } from './migrations.ts'
import { BACKUP_DIR, DATABASE_NAME, DatabaseError, takeLock } from './open.ts'

/** What a restored database holds. */
export type Restored = Readonly<{
  tasks: number
  keys: number
  /** Where the database that was there is now; null when there was none. */
  aside: string | null
}>

/**
 * Puts the backup `file` in the place of the database of `stateDir`, which is kept beside it under a new name.
 * Throws DatabaseError, and has changed nothing, when a daemon uses the folder or the file is no whole database of a
 * ytdlpd that this one understands. `file` itself is only read.
 */
export async function restoreBackup(stateDir: string, file: string): Promise<Restored> {
  const database = path.join(stateDir, DATABASE_NAME)
  await requireFile(file, database)
  await fs.mkdir(stateDir, { recursive: true, mode: 0o700 })
  const lock = takeLock(stateDir)
  const fresh = `${database}.restoring`
  try {
    await fs.rm(fresh, { force: true })
    await copyDatabase(file, fresh).catch((cause: unknown) => {
      throw refusal(file, cause instanceof Error ? cause.message : String(cause), cause)
    })
    const counts = await inspect(file, fresh)
    const aside = await putAside(stateDir, database)
    await fs.rename(fresh, database)
    await sync(stateDir)
    return { ...counts, aside }
  } catch (error) {
    await Promise.all(['', '-journal'].map((suffix) => fs.rm(`${fresh}${suffix}`, { force: true })))
    throw error
  } finally {
    lock.close()
  }
}

async function requireFile(file: string, database: string): Promise<void> {
  const [stat, present] = await Promise.all([file, database].map((name) => fs.stat(name).catch(() => null)))
  if (!stat?.isFile()) throw refusal(file, 'there is no such file')
  if (stat.size === 0) throw refusal(file, 'it is empty')
  if (present?.ino === stat.ino && present.dev === stat.dev) throw refusal(file, 'it is the database in use')
}

/** What the copy holds. */
async function inspect(file: string, copy: string): Promise<{ tasks: number; keys: number }> {
  const known = Object.keys(await migrations.getMigrations())
  let raw: Database | undefined
  try {
    raw = new SqliteDatabase(copy, { readonly: true })
    const names = raw.prepare<[], string>('select name from kysely_migration').pluck().all()
    const unknown = names.filter((name) => !known.includes(name))
    if (unknown.length > 0) throw new Error(`it was written by a newer ytdlpd (${unknown.join(', ')})`)
    const count = (table: string) => Number(raw?.prepare(`select count(*) from ${table}`).pluck().get())
    return { tasks: count('task'), keys: count('api_key') }
  } catch (cause) {
    throw refusal(file, cause instanceof Error ? cause.message : String(cause), cause)
  } finally {
    raw?.close()
  }
}

/** The log goes with its database, and before another takes the name: SQLite would play it into that one. */
async function putAside(stateDir: string, database: string): Promise<string | null> {
  // From here on a start is refused, not silently empty, should this end half way.
  await fs.mkdir(path.join(stateDir, BACKUP_DIR), { recursive: true, mode: 0o700 })
  const aside = `${database.replace(/\.sqlite$/, '')}-before-${new Date().toISOString().replaceAll(':', '-')}.sqlite`
  let moved = false
  for (const suffix of ['', '-wal', '-shm']) {
    try {
      await fs.rename(`${database}${suffix}`, `${aside}${suffix}`)
      moved = true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return moved ? aside : null
}

function refusal(file: string, why: string, cause?: unknown): DatabaseError {
  return new DatabaseError(`${file} cannot be restored: ${why}. Nothing was changed.`, { cause })
}
