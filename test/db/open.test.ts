import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { sql } from 'kysely'
import { DATABASE_NAME, DatabaseError, openStore, type Store } from '../../src/db/open.ts'
import { TaskStore } from '../../src/db/task-store.ts'
import { taskOf } from '../support/samples.ts'
import { tempDir } from '../support/temp-dir.ts'

const OPEN = path.resolve(import.meta.dirname, '../../src/db/open.ts')

/** A folder with a database of 300 tasks, closed in good order. */
async function usedState(): Promise<AsyncDisposable & { state: string; file: string }> {
  const dir = tempDir()
  const state = path.join(dir.path, 'state')
  await using store = await openStore(state)
  await fill(store, 300)
  return {
    state,
    file: path.join(state, DATABASE_NAME),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  }
}

async function fill(store: Store, count: number): Promise<void> {
  await store.db.transaction().execute(async (transaction) => {
    const tasks = new TaskStore(transaction)
    for (let n = 0; n < count; n++) await tasks.add(taskOf())
  })
}

/** Every file of a folder but the lock, by content; an empty write-ahead log is none. */
function fingerprints(dir: string): Record<string, string> {
  const names = fs.readdirSync(dir, { recursive: true, encoding: 'utf8' }).toSorted()
  const files = names.filter((name) => {
    const stat = fs.statSync(path.join(dir, name))
    return stat.isFile() && !/\.lock|-shm$/.test(name) && !(name.endsWith('-wal') && stat.size === 0)
  })
  return Object.fromEntries(
    files.map((name) => [
      name,
      createHash('sha256')
        .update(fs.readFileSync(path.join(dir, name)))
        .digest('hex'),
    ]),
  )
}

/** Opening refuses with a message that matches, and leaves every file as it was. */
async function expectRefusal(state: string, message: RegExp): Promise<void> {
  const before = fingerprints(state)
  const error = await openStore(state).then(
    async (store) => {
      await store[Symbol.asyncDispose]()
      return null
    },
    (cause: unknown) => cause,
  )
  expect(error).toBeInstanceOf(DatabaseError)
  expect((error as DatabaseError).message).toMatch(message)
  expect(fingerprints(state)).toEqual(before)
}

/** File descriptors this process has below a folder. */
function openFilesBelow(dir: string): string[] {
  return fs.readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = fs.readlinkSync(`/proc/self/fd/${fd}`)
      return target.startsWith(dir) ? [target] : []
    } catch {
      return [] // the descriptor that read the folder
    }
  })
}

describe('openStore', () => {
  test('makes a folder that only its owner can enter, and finds its rows again', async () => {
    await using dir = tempDir()
    const state = path.join(dir.path, 'deep', 'state')
    {
      await using store = await openStore(state)
      await fill(store, 3)
    }
    await using store = await openStore(state)
    expect(await new TaskStore(store.db).countWaiting()).toBe(3)
    expect(fs.statSync(state).mode & 0o777).toBe(0o700)
  })

  test('writes ahead with full synchronisation, with an SQLite that is free of the known write-ahead damage', async () => {
    await using dir = tempDir()
    await using store = await openStore(dir.path)
    const { rows: sync } = await sql<{ synchronous: number }>`pragma synchronous`.execute(store.db)
    const { rows: mode } = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(store.db)
    const { rows: version } = await sql<{ v: string }>`select sqlite_version() as v`.execute(store.db)
    expect(sync).toEqual([{ synchronous: 2 }])
    expect(mode).toEqual([{ journal_mode: 'wal' }])
    const [major = 0, minor = 0, patch = 0] = (version[0]?.v ?? '').split('.').map(Number)
    expect(major * 1e6 + minor * 1e3 + patch).toBeGreaterThanOrEqual(3_051_003) // https://sqlite.org/wal.html#walresetbug
  })

  test('leaves no write-ahead log and no open file behind when it is closed', async () => {
    await using dir = tempDir()
    {
      await using store = await openStore(dir.path)
      await fill(store, 10)
    }
    expect(fs.readdirSync(dir.path)).not.toContain(`${DATABASE_NAME}-wal`)
    expect(openFilesBelow(dir.path)).toEqual([])
  })
})

describe('a second daemon on the same folder', () => {
  test('is refused in the same process and in another, and the first goes on', async () => {
    await using dir = tempDir()
    await using store = await openStore(dir.path)
    await fill(store, 1)
    await expect(openStore(dir.path)).rejects.toThrow(/another ytdlpd uses .*STATE_DIR/)
    const program = `import { openStore } from ${JSON.stringify(OPEN)}
      await openStore(process.argv[1]).then(() => console.log('opened'), (error) => console.log(error.name, error.message))`
    const printed = execFileSync(process.execPath, ['--input-type=module-typescript', '-e', program, dir.path])
    expect(printed.toString()).toMatch(/^DatabaseError another ytdlpd uses/)
    await fill(store, 1)
    expect(await new TaskStore(store.db).countWaiting()).toBe(2)
  })
})

describe('a database that cannot be used as it is', () => {
  test.each([
    ['its header is zero', (bytes: Buffer) => bytes.fill(0, 0, 100), /cannot be read/],
    [
      'it is cut off in the middle',
      (bytes: Buffer) => bytes.subarray(0, bytes.length / 2 + 100),
      /damaged|cannot be read/,
    ],
    ['it is cut to its first bytes', (bytes: Buffer) => bytes.subarray(0, 60), /cannot be read/],
    ['a page of it is noise', (bytes: Buffer) => bytes.fill(0xa5, 4096, 8192), /damaged|cannot be read/],
    ['it is text', () => Buffer.from('{"tasks": {}}'), /cannot be read/],
    ['it is empty', () => Buffer.alloc(0), /is empty/],
  ])('is refused and left as it is when %s', async (_what, damage, message) => {
    await using used = await usedState()
    fs.writeFileSync(used.file, damage(fs.readFileSync(used.file)))
    await expectRefusal(used.state, message)
    expect(openFilesBelow(used.state)).toEqual([])
  })

  test('either opens or is refused with a way out, whichever of its bytes are flipped', async () => {
    await using used = await usedState()
    const whole = fs.readFileSync(used.file)
    let refused = 0
    for (let seed = 1; seed <= 40; seed++) {
      const bytes = Buffer.from(whole)
      for (let flip = 0; flip < seed; flip++) {
        const at = (seed * 7919 + flip * 104_729) % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (flip % 8))
      }
      fs.writeFileSync(used.file, bytes)
      try {
        await using store = await openStore(used.state)
        await new TaskStore(store.db).countWaiting()
      } catch (error) {
        refused++
        expect(error).toBeInstanceOf(DatabaseError)
        expect((error as Error).message).toContain('Nothing was changed')
        expect(fs.readFileSync(used.file).equals(bytes)).toBe(true)
      }
      for (const suffix of ['-wal', '-shm']) fs.rmSync(`${used.file}${suffix}`, { force: true })
    }
    expect(refused).toBeGreaterThan(10)
    expect(openFilesBelow(used.state)).toEqual([])
  })

  test('is refused without touching its write-ahead log either', async () => {
    await using used = await usedState()
    const kept = path.join(used.state, '..', 'kept')
    fs.mkdirSync(kept)
    {
      await using store = await openStore(used.state)
      await fill(store, 50)
      for (const suffix of ['', '-wal'])
        fs.copyFileSync(`${used.file}${suffix}`, path.join(kept, `${DATABASE_NAME}${suffix}`))
    }
    const file = path.join(kept, DATABASE_NAME)
    fs.writeFileSync(file, fs.readFileSync(file).fill(0xa5, 8192, 20_480))
    await expectRefusal(kept, /damaged|cannot be read/)
  })

  test('names the newest backup as the way out', async () => {
    await using used = await usedState()
    const backups = path.join(used.state, 'backups')
    fs.mkdirSync(backups)
    for (const name of ['2026-01-01.sqlite', '2026-03-01.sqlite', 'notes.txt'])
      fs.writeFileSync(path.join(backups, name), '')
    fs.writeFileSync(used.file, '')
    await expectRefusal(used.state, /scripts\/restore .*2026-03-01\.sqlite/)
  })

  test.each([`${DATABASE_NAME}-wal`, 'backups/old.sqlite'])(
    'is not silently replaced by an empty one when it is gone beside %s',
    async (trace) => {
      await using used = await usedState()
      fs.rmSync(used.file)
      fs.mkdirSync(path.join(used.state, 'backups'), { recursive: true })
      if (!trace.startsWith('backups')) fs.rmdirSync(path.join(used.state, 'backups'))
      fs.writeFileSync(path.join(used.state, trace), '')
      await expectRefusal(used.state, /is gone/)
      expect(fs.existsSync(used.file)).toBe(false)
    },
  )

  test('is refused when a newer program wrote it', async () => {
    await using used = await usedState()
    {
      await using store = await openStore(used.state)
      await sql`insert into kysely_migration (name, timestamp) values ('9999-from-the-future', '2030-01-01')`.execute(
        store.db,
      )
    }
    await expectRefusal(used.state, /newer ytdlpd/)
    expect(openFilesBelow(used.state)).toEqual([])
  })
})
