import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import SqliteDatabase from 'better-sqlite3'
import { sql } from 'kysely'
import { makeBackup, newestBackup } from '../../src/db/backup.ts'
import { DATABASE_NAME, DatabaseError, openStore, type Store } from '../../src/db/open.ts'
import { restoreBackup } from '../../src/db/restore.ts'
import { TaskStore } from '../../src/db/task-store.ts'
import { taskOf } from '../support/samples.ts'
import { tempDir } from '../support/temp-dir.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

async function fill(store: Store, count: number): Promise<string[]> {
  const tasks = Array.from({ length: count }, () => taskOf())
  await store.db.transaction().execute(async (transaction) => {
    for (const task of tasks) await new TaskStore(transaction).add(task)
  })
  return tasks.map(({ id }) => id)
}

async function idsIn(state: string): Promise<string[]> {
  await using store = await openStore(state)
  const rows = await store.db.selectFrom('task').select('id').orderBy('seq').execute()
  return rows.map(({ id }) => id)
}

/** Looks at a backup as SQLite sees it, and leaves nothing beside it. */
function look(file: string): { check: unknown; ids: string[] } {
  const database = new SqliteDatabase(file, { readonly: true })
  try {
    const ids = database.prepare<[], string>('select id from task order by seq').pluck().all()
    return { check: database.pragma('integrity_check', { simple: true }), ids }
  } finally {
    database.close()
  }
}

const files = (dir: string) => fs.readdirSync(dir).toSorted()

/** Runs one of the project's scripts on a state folder; resolves whatever its exit code is. */
async function script(name: string, state: string, args: readonly string[] = []) {
  const env = { ...process.env, STATE_DIR: state, LOG_LEVEL: 'info' }
  return run(path.join(ROOT, 'scripts', name), args, { env, timeout: 30_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
}

describe('a backup', () => {
  test('taken while rows are written is whole and ends at one moment, with nothing beside it', async () => {
    await using dir = tempDir()
    await using store = await openStore(dir.path)
    const before = await fill(store, 2_000)
    const stop = new AbortController()
    const after: string[] = []
    const writer = (async () => {
      const tasks = new TaskStore(store.db)
      while (!stop.signal.aborted) {
        const task = taskOf()
        await tasks.add(task)
        after.push(task.id)
        await new Promise(setImmediate)
      }
    })()
    const file = await makeBackup(dir.path, { keep: 3 })
    stop.abort()
    await writer
    const { check, ids } = look(file)
    expect(check).toBe('ok')
    expect(ids).toEqual([...before, ...after].slice(0, ids.length))
    expect(ids.length).toBeGreaterThanOrEqual(before.length)
    expect(after.length).toBeGreaterThan(0)
    expect(files(path.dirname(file))).toEqual([path.basename(file)])
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    expect(await newestBackup(dir.path)).toEqual({ file, at: expect.any(Number) as number })
  })

  test('does not hold up those who work with the database', async () => {
    await using dir = tempDir()
    await using store = await openStore(dir.path)
    await fill(store, 8_000)
    let longest = 0
    let last = performance.now()
    const beat = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 5)
    await makeBackup(dir.path, { keep: 3 })
    clearInterval(beat)
    expect(longest).toBeLessThan(250)
  })

  test('replaces the oldest when there are enough, and touches no other file', async () => {
    await using dir = tempDir()
    const backups = path.join(dir.path, 'backups')
    await using store = await openStore(dir.path)
    await fill(store, 10)
    fs.mkdirSync(backups)
    const foreign = ['before-upgrade.sqlite', 'notes.txt', 'ytdlpd-2020.sqlite']
    for (const name of foreign) fs.writeFileSync(path.join(backups, name), 'mine')
    const made: string[] = []
    for (let n = 0; n < 5; n++) made.push(path.basename(await makeBackup(dir.path, { keep: 3 })))
    expect(files(backups)).toEqual([...foreign, ...made.slice(2)].toSorted())
  })

  test('is kept although a clock that was set back makes it look the oldest', async () => {
    await using dir = tempDir()
    const backups = path.join(dir.path, 'backups')
    await using store = await openStore(dir.path)
    await fill(store, 10)
    fs.mkdirSync(backups)
    const future = [1, 2].map((n) => `ytdlpd-2199-01-0${n}T00-00-00.000Z.sqlite`)
    for (const name of future) fs.writeFileSync(path.join(backups, name), '')
    const made = path.basename(await makeBackup(dir.path, { keep: 2 }))
    expect(files(backups)).toEqual([made, ...future.slice(1)])
  })

  test('of a damaged database is not made, and the older ones stay', async () => {
    await using dir = tempDir()
    {
      await using store = await openStore(dir.path)
      await fill(store, 300)
    }
    const good = await makeBackup(dir.path, { keep: 1 })
    const file = path.join(dir.path, DATABASE_NAME)
    fs.writeFileSync(file, fs.readFileSync(file).fill(0xa5, 8192, 20_480))
    await expect(makeBackup(dir.path, { keep: 1 })).rejects.toThrow(DatabaseError)
    expect(files(path.dirname(good))).toEqual([path.basename(good)])
  })

  test('that takes too long or is not wanted any more leaves nothing behind', async () => {
    await using dir = tempDir()
    await using store = await openStore(dir.path)
    await fill(store, 100)
    await expect(makeBackup(dir.path, { keep: 1, timeoutMs: 1 })).rejects.toThrow(/no backup was made/)
    await expect(makeBackup(dir.path, { keep: 1, signal: AbortSignal.abort() })).rejects.toThrow(/no backup was made/)
    expect(files(path.join(dir.path, 'backups'))).toEqual([])
  })

  test('of nothing is refused, and does not keep the first start from making its database', async () => {
    await using dir = tempDir()
    await expect(makeBackup(dir.path, { keep: 1 })).rejects.toThrow(/no database to back up/)
    expect(await idsIn(dir.path)).toEqual([])
  })

  test('that was cut off by a crash is cleared away when it is old, and never counts', async () => {
    await using dir = tempDir()
    const backups = path.join(dir.path, 'backups')
    await using store = await openStore(dir.path)
    await fill(store, 10)
    fs.mkdirSync(backups)
    const [old, young] = [1, 2].map((n) => `ytdlpd-2026-01-0${n}T00-00-00.000Z.sqlite.new`)
    for (const name of [old, young]) fs.writeFileSync(path.join(backups, String(name)), 'half')
    fs.utimesSync(path.join(backups, String(old)), 0, 0)
    expect(await newestBackup(dir.path)).toBeNull()
    const made = path.basename(await makeBackup(dir.path, { keep: 3 }))
    expect(files(backups)).toEqual([String(young), made].toSorted())
  })
})

describe('restoring', () => {
  test('brings every row back and keeps what was there, log and all', async () => {
    await using dir = tempDir()
    const state = path.join(dir.path, 'state')
    let first: string[]
    {
      await using store = await openStore(state)
      first = await fill(store, 200)
    }
    const backup = await makeBackup(state, { keep: 3 })
    const unclean = path.join(dir.path, 'unclean')
    let all: string[]
    {
      await using store = await openStore(state)
      all = [...first, ...(await fill(store, 50))]
      // As a daemon that was killed leaves it: the newest rows are in the write-ahead log only.
      fs.cpSync(state, unclean, { recursive: true, filter: (name) => !name.includes('.lock') })
    }
    const { tasks, keys, aside } = await restoreBackup(unclean, backup)
    expect({ tasks, keys }).toEqual({ tasks: 200, keys: 0 })
    expect(await idsIn(unclean)).toEqual(first)
    const kept = path.join(dir.path, 'kept')
    fs.mkdirSync(kept)
    for (const suffix of ['', '-wal', '-shm'])
      fs.renameSync(`${String(aside)}${suffix}`, path.join(kept, `${DATABASE_NAME}${suffix}`))
    expect(await idsIn(kept)).toEqual(all)
  })

  test('begins a folder that has none, and takes a copy with its log beside it for what it is', async () => {
    await using dir = tempDir()
    const live = path.join(dir.path, 'live')
    await using store = await openStore(live)
    const ids = await fill(store, 30)
    const copy = path.join(dir.path, 'copy.sqlite')
    for (const suffix of ['', '-wal']) fs.copyFileSync(path.join(live, `${DATABASE_NAME}${suffix}`), `${copy}${suffix}`)
    const state = path.join(dir.path, 'new')
    expect(await restoreBackup(state, copy)).toEqual({ tasks: 30, keys: 0, aside: null })
    expect(await idsIn(state)).toEqual(ids)
  })

  test.each([
    ['is damaged', (bytes: Buffer) => bytes.fill(0xa5, 8192, 20_480), /damaged|malformed/],
    ['is cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2 + 100), /damaged|malformed/],
    ['is text', () => Buffer.from('{"tasks": {}}'.repeat(100)), /not a database/],
    ['is empty', () => Buffer.alloc(0), /it is empty/],
  ])('refuses a file that %s, and changes nothing', async (_what, damage, message) => {
    await using dir = tempDir()
    {
      await using store = await openStore(dir.path)
      await fill(store, 300)
    }
    const backup = await makeBackup(dir.path, { keep: 3 })
    fs.writeFileSync(backup, damage(fs.readFileSync(backup)))
    const before = files(dir.path)
    const bytes = fs.readFileSync(path.join(dir.path, DATABASE_NAME))
    await expect(restoreBackup(dir.path, backup)).rejects.toThrow(message)
    await expect(restoreBackup(dir.path, backup)).rejects.toThrow(DatabaseError)
    expect(files(dir.path).filter((name) => !name.startsWith('.lock'))).toEqual(
      before.filter((name) => !name.startsWith('.lock')),
    )
    expect(fs.readFileSync(path.join(dir.path, DATABASE_NAME)).equals(bytes)).toBe(true)
  })

  test('refuses what is not there, the database itself, a database of another program and one of a newer version', async () => {
    await using dir = tempDir()
    {
      await using store = await openStore(dir.path)
      await fill(store, 3)
    }
    const other = path.join(dir.path, 'other.sqlite')
    const foreign = new SqliteDatabase(other)
    foreign.exec('create table note (text)')
    foreign.close()
    const newer = path.join(dir.path, 'newer')
    {
      await using store = await openStore(newer)
      await sql`insert into kysely_migration (name, timestamp) values ('9999-future', '2030')`.execute(store.db)
    }
    await expect(restoreBackup(dir.path, path.join(dir.path, 'no.sqlite'))).rejects.toThrow(/no such file/)
    await expect(restoreBackup(dir.path, path.join(dir.path, DATABASE_NAME))).rejects.toThrow(/database in use/)
    await expect(restoreBackup(dir.path, other)).rejects.toThrow(/no such table/)
    await expect(restoreBackup(dir.path, path.join(newer, DATABASE_NAME))).rejects.toThrow(/newer ytdlpd/)
    expect(await idsIn(dir.path)).toHaveLength(3)
  })
})

describe('the scripts', () => {
  test('back up a database in use, refuse to restore it until it is free, and then do', async () => {
    await using dir = tempDir()
    let backup: string
    {
      await using store = await openStore(dir.path)
      await fill(store, 20)
      const made = await script('backup', dir.path)
      expect(made).toMatchObject({ code: 0, stderr: '' })
      backup = made.stdout.trim()
      expect(look(backup).ids).toHaveLength(20)
      await fill(store, 5)
      const refused = await script('restore', dir.path, [backup])
      expect(refused).toMatchObject({ code: 1, stdout: '' })
      expect(refused.stderr).toMatch(/another ytdlpd uses/)
    }
    const restored = await script('restore', dir.path, [path.relative(process.cwd(), backup)])
    expect(restored).toMatchObject({ code: 0, stderr: '' })
    expect(restored.stdout).toMatch(
      /^Restored 20 tasks and 0 keys from .*\nThe database that was there is now .*before/,
    )
    expect(await idsIn(dir.path)).toHaveLength(20)
    expect(await script('restore', dir.path)).toMatchObject({ code: 2, stderr: 'usage: scripts/restore FILE\n' })
  })
})
