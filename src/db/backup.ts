import { existsSync } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { inThread } from '../thread.ts'
import { BACKUP_DIR, DATABASE_NAME, DatabaseError } from './open.ts'

const BACKUP_NAME = /^ytdlpd-(\d{4}-\d{2}-\d{2})T(\d{2})-(\d{2})-(\d{2}\.\d{3}Z)\.sqlite$/
/** A copy that is not proven yet. Whatever of that kind is older than this was left by a process that died. */
const UNPROVEN = '.new'
const ABANDONED_MS = 6 * 3_600_000

/** Far more than a database of this kind takes: 100,000 tasks are copied and checked in about a second. */
const TIMEOUT_MS = 10 * 60_000

/** Pages copied between two looks at whether to stop. */
const PAGES_PER_STEP = 2_000

const BUSY_TIMEOUT_MS = 5_000

/** A backup that was proven whole when it was made. */
export type Backup = Readonly<{ file: string; /** Epoch milliseconds, by its name. */ at: number }>

/**
 * Copies the database of `stateDir`, in use or not, to `backups/ytdlpd-<UTC>.sqlite` in it and keeps the newest `keep`.
 * The file has its name only once it is whole, checked and on the disk, and is complete in itself. The work is done in
 * a thread of its own. Throws DatabaseError when no backup could be made; nothing is removed then.
 */
export async function makeBackup(
  stateDir: string,
  options: Readonly<{ keep: number; signal?: AbortSignal; timeoutMs?: number }>,
): Promise<string> {
  const source = path.join(stateDir, DATABASE_NAME)
  const dir = path.join(stateDir, BACKUP_DIR)
  const target = path.join(dir, nameOf(new Date()))
  const unproven = `${target}${UNPROVEN}`
  const signals = [AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS), ...(options.signal ? [options.signal] : [])]
  // A folder of backups without a database would look like a database that is gone.
  if (!existsSync(source)) throw new DatabaseError(`there is no database to back up: ${source}`)
  await fs.mkdir(dir, { recursive: true, mode: 0o700 })
  await removeAbandoned(dir)
  try {
    await copyInThread(source, unproven, AbortSignal.any(signals))
    await fs.rename(unproven, target)
    await sync(dir)
  } catch (cause) {
    await Promise.all(['', '-journal'].map((suffix) => fs.rm(`${unproven}${suffix}`, { force: true })))
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new DatabaseError(`no backup was made of ${source}: ${why}`, { cause })
  }
  await removeOldest(dir, { keep: options.keep, spare: path.basename(target) })
  return target
}

/** The newest backup of `stateDir` by its name; null when there is none. */
export async function newestBackup(stateDir: string): Promise<Backup | null> {
  const dir = path.join(stateDir, BACKUP_DIR)
  const newest = (await backupsIn(dir)).at(-1)
  return newest === undefined ? null : { file: path.join(dir, newest), at: timeIn(newest) }
}

/**
 * Copies a database, its write-ahead log included, as it is at one moment, into a file that needs no other beside it.
 * Writers go on meanwhile. Throws when the copy does not pass SQLite's own check or is not safely on the disk.
 */
export async function copyDatabase(source: string, target: string): Promise<void> {
  const from = new SqliteDatabase(source, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
  try {
    from.exec('begin')
    from.prepare('select count(*) from sqlite_schema').get() // holds this moment: what is written later stays out
    await from.backup(target, { progress: () => PAGES_PER_STEP })
  } finally {
    from.close()
  }
  const copy = new SqliteDatabase(target, { fileMustExist: true })
  try {
    copy.pragma('journal_mode = delete')
    requireWhole(copy)
  } finally {
    copy.close()
  }
  await fs.chmod(target, 0o600)
  await sync(target)
}

function requireWhole(database: SqliteDatabase.Database): void {
  const findings = database.pragma('quick_check(5)', { simple: true })
  if (findings !== 'ok') throw new Error(`it is damaged: ${String(findings)}`)
}

/** SQLite works without a pause, and the daemon has requests to answer. */
const copyInThread = (source: string, target: string, signal: AbortSignal): Promise<unknown> =>
  inThread(new URL('./backup-worker.ts', import.meta.url), { source, target }, { signal })

const nameOf = (at: Date) => `ytdlpd-${at.toISOString().replaceAll(':', '-')}.sqlite`

const timeIn = (name: string) => Date.parse(name.replace(BACKUP_NAME, '$1T$2:$3:$4'))

/** Names of backups, oldest first; of other files there nothing is known. */
async function backupsIn(dir: string): Promise<string[]> {
  const names = await fs.readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names.filter((name) => BACKUP_NAME.test(name)).toSorted()
}

/** The one that was just made stays, even if a clock that was set back makes it look the oldest. */
async function removeOldest(dir: string, { keep, spare }: Readonly<{ keep: number; spare: string }>): Promise<void> {
  const others = (await backupsIn(dir)).filter((name) => name !== spare)
  const surplus = others.slice(0, Math.max(0, others.length - (keep - 1)))
  await Promise.all(surplus.map((name) => fs.rm(path.join(dir, name), { force: true })))
}

async function removeAbandoned(dir: string): Promise<void> {
  for (const name of (await fs.readdir(dir)).filter((name) => /\.new(-journal)?$/.test(name))) {
    const file = path.join(dir, name)
    const stat = await fs.stat(file).catch(() => null) // its maker has removed or renamed it
    if (stat && Date.now() - stat.mtimeMs > ABANDONED_MS) await fs.rm(file, { force: true })
  }
}

/** Puts a file, or the names in a folder, on the disk. */
export async function sync(file: string): Promise<void> {
  await using handle = await fs.open(file, 'r')
  await handle.sync()
}
