import fs from 'node:fs'
import path from 'node:path'
import SqliteDatabase, { type Database } from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { BatchStore } from '../../src/db/batch-store.ts'
import { EventLog } from '../../src/db/event-log.ts'
import { FinishedFiles } from '../../src/db/finished-files.ts'
import { KeyStore } from '../../src/db/key-store.ts'
import { migrations } from '../../src/db/migrations.ts'
import { DATABASE_NAME, openStore } from '../../src/db/open.ts'
import type { Tables } from '../../src/db/schema.ts'
import { TaskList, type TaskFilter } from '../../src/db/task-list.ts'
import { TaskStore } from '../../src/db/task-store.ts'
import { tasksByState } from '../../src/db/totals.ts'
import { UsageLog } from '../../src/db/usage.ts'
import { TASK_STATES } from '../../src/domain/task.ts'
import { SAMPLE_RESULT } from '../support/samples.ts'
import { tempDir } from '../support/temp-dir.ts'

const RELEASED = path.resolve(import.meta.dirname, '../fixtures/database-0.1.0.sql')
const DAY = '2026-03-01'
const AT = Date.parse(`${DAY}T12:00:00Z`)

/** How many tasks of each state the old database holds for each of two keys. */
const OLD_TASKS = { waiting: 7, processing: 2, completed: 5, error: 4, cancelled: 3 } as const

/** The state folder of a daemon of version 0.1.0, with tasks in every state, keys and what they used. */
function oldState(): AsyncDisposable & Readonly<{ path: string }> {
  const dir = tempDir()
  const raw = new SqliteDatabase(path.join(dir.path, DATABASE_NAME))
  raw.exec(fs.readFileSync(RELEASED, 'utf8'))
  const task =
    raw.prepare(`insert into task (id, key_id, key_name, kind, host, request, sent, state, attempt, created_at,
      started_at, finished_at, error_code, error_message, file_name, file_size, file_duration)
    values (@id, @key, @key, 'video', 'video.example', @request, '{"url":"x"}', @state, @attempt, @at,
      @started, @finished, @code, @code, @file, @size, @size)`)
  for (const key of ['key-a', 'key-b']) {
    raw
      .prepare(`insert into api_key values (?, ?, ?, 'sealed', '["get_video"]', ?)`)
      .run(key, `name of ${key}`, `hash of ${key}`, AT)
    raw.prepare(`insert into key_usage values (?, ?, 5, 4, 5000)`).run(key, DAY)
    for (const state of TASK_STATES) {
      for (let n = 0; n < OLD_TASKS[state]; n++) task.run(oldTask(key, state, n))
    }
  }
  raw.close()
  return dir
}

function oldTask(key: string, state: (typeof TASK_STATES)[number], n: number) {
  const isEnded = state === 'completed' || state === 'error' || state === 'cancelled'
  return {
    id: `${key}-${state}-${n}`,
    key,
    state,
    request: JSON.stringify({ kind: 'video', url: 'https://video.example/watch', clip: { start: 1, end: 2 } }),
    attempt: state === 'waiting' ? 0 : 1,
    at: AT,
    started: state === 'waiting' ? null : AT,
    finished: isEnded ? AT : null,
    code: state === 'error' ? 'timeout' : state === 'cancelled' ? 'cancelled' : null,
    file: state === 'completed' ? 'video.mp4' : null,
    size: state === 'completed' ? 1000 : null,
  }
}

const ANY_TASK: TaskFilter = {
  states: null,
  kinds: null,
  batchId: null,
  text: null,
  createdAfter: null,
  createdBefore: null,
}

/** What makes up a schema, without the tables of the migrator and those of SQLite itself. */
const schemaOf = (raw: Database): unknown[] =>
  raw
    .prepare(
      `select type, name, sql from sqlite_schema where name not like 'kysely%' and sql is not null order by name`,
    )
    .raw()
    .all()
    .filter((row) => !String((row as unknown[])[1]).startsWith('sqlite_'))

describe('a database of version 0.1.0', () => {
  test('is what the first migration makes', async () => {
    await using old = oldState()
    using raw = disposable(new SqliteDatabase(path.join(old.path, DATABASE_NAME), { readonly: true }))
    using made = disposable(new SqliteDatabase(':memory:'))
    const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: made.db }) })
    const first = (await migrations.getMigrations())['0001-initial']
    await first?.up(db)
    expect(schemaOf(made.db).length).toBeGreaterThan(5)
    expect(schemaOf(raw.db)).toEqual(schemaOf(made.db))
  })

  test('is brought up to date with every task, key and number it had', async () => {
    await using old = oldState()
    await using store = await openStore(old.path)
    const tasks = new TaskStore(store.db)
    expect(await new TaskList(store.db).counts('key-b')).toEqual(OLD_TASKS)
    expect(await tasksByState(store.db)).toEqual(
      Object.fromEntries(TASK_STATES.map((state) => [state, 2 * OLD_TASKS[state]])),
    )
    expect(await tasks.usageOf('key-a')).toEqual({ waiting: 7, processing: 2 })
    expect(await tasks.get('key-a-completed-0')).toMatchObject({
      state: 'completed',
      files: [{ name: 'video.mp4', size: 1000, kind: 'video', duration: 1000 }],
      request: { clips: [{ start: 1, end: 2 }], url: 'https://video.example/watch' },
      priority: 0,
      batchId: null,
      webhook: null,
    })
    expect(await new UsageLog(store.db).days('key-a', DAY, DAY)).toEqual([
      { day: DAY, accepted: 0, completed: 5, failed: 4, bytes: 5000 },
    ])
    const keys = await new KeyStore(store.db).all()
    expect(keys.map(({ id, permissions, disabledAt, old: before }) => [id, permissions, disabledAt, before])).toEqual(
      ['key-a', 'key-b'].map((id) => [id, ['get_video'], null, null]),
    )
  })

  test('goes on counting and telling, with what was running put back into the queue', async () => {
    await using old = oldState()
    await using store = await openStore(old.path)
    const tasks = new TaskStore(store.db)
    expect(await tasks.recover(AT, 3)).toEqual({ requeued: 4, quarantined: 0 })
    expect(await tasks.countWaiting()).toBe(18)
    const claimed = await tasks.claim({ keyId: 'key-a', now: AT, blockedHosts: [] })
    await tasks.settle(claimed?.id ?? '', claimed?.attempt ?? 0, { kind: 'completed', ...SAMPLE_RESULT }, AT)
    await tasks.remove('key-a-error-0')
    expect(await new TaskList(store.db).counts('key-a')).toEqual({
      ...OLD_TASKS,
      waiting: 8,
      processing: 0,
      completed: 6,
      error: 3,
    })
    const events = await new EventLog(store.db).after(0, 100, 'key-a')
    expect(events.map(({ state }) => state)).toEqual(['waiting', 'waiting', 'processing', 'completed', 'removed'])
  })
})

describe('no query reads all tasks there are', () => {
  const old = oldState()
  let raw: Database
  beforeAll(async () => {
    await (await openStore(old.path))[Symbol.asyncDispose]()
    raw = new SqliteDatabase(path.join(old.path, DATABASE_NAME))
    raw.exec(`insert into batch (id, key_id, created_at) values ('batch', 'key-a', ${AT})`)
  })
  afterAll(async () => {
    raw.close()
    await old[Symbol.asyncDispose]()
  })

  const page = (filter: Partial<TaskFilter>) => (db: Kysely<Tables>) =>
    new TaskList(db).page({ keyId: 'key-a', filter: { ...ANY_TASK, ...filter }, before: 20, limit: 50 })

  test.each<[string, (db: Kysely<Tables>) => unknown]>([
    ['the claim', (db) => new TaskStore(db).claim({ keyId: 'key-a', now: AT, blockedHosts: ['a.example'] })],
    ['the keys that wait', (db) => new TaskStore(db).keysWaiting()],
    ['the waiting tasks in turn', (db) => new TaskStore(db).waitingSequence()],
    ['the number of waiting tasks', (db) => new TaskStore(db).countWaiting()],
    ['the recovery', (db) => new TaskStore(db).recover(AT, 3)],
    ['a settled task', (db) => new TaskStore(db).settle('key-a-processing-0', 1, { kind: 'cancelled' }, AT)],
    ['a cancelled task', (db) => new TaskStore(db).cancelWaiting('key-a-waiting-0', AT)],
    ['a task tried again', (db) => new TaskStore(db).retryEnded('key-a-error-0')],
    ['the sweeper', (db) => new TaskStore(db).finishedBefore(AT, 10)],
    ['a removal', (db) => new TaskStore(db).remove('key-a-error-0')],
    ['known tasks', (db) => new TaskStore(db).existing(['key-a-error-0', 'b'])],
    ['the list', page({})],
    ['the list of two states', page({ states: ['completed', 'error'] })],
    ['the list of a batch', page({ batchId: 'batch' })],
    ['the list of a state of a batch', page({ batchId: 'batch', states: ['completed'] })],
    ['the list of a kind', page({ kinds: ['video'], createdAfter: AT, createdBefore: AT })],
    ['the list with a text', page({ text: 'watch' })],
    ['the counts of a key', (db) => new TaskList(db).counts('key-a')],
    ['the counts of all', (db) => tasksByState(db)],
    ['what a key used', (db) => new UsageLog(db).days('key-a', DAY, DAY)],
    ['what a key has open', (db) => new UsageLog(db).open('key-a')],
    ['a batch', (db) => new BatchStore(db).get('key-a', 'batch')],
    ['the open tasks of a batch', (db) => new BatchStore(db).openTasks('batch', 0, 10)],
    ['the files of a batch', (db) => new FinishedFiles(db).completedOf('batch').next()],
    ['the newest media', (db) => new FinishedFiles(db).newestMedia('key-a', 10)],
    ['the events of a key', (db) => new EventLog(db).after(0, 10, 'key-a')],
    ['the range of events', (db) => new EventLog(db).range()],
  ])('for %s', async (_what, work) => {
    const plans = await plansOf(work)
    expect(plans.length).toBeGreaterThan(0)
    expect(plans.filter((detail) => readsAll(detail))).toEqual([])
  })

  test('the places of waiting tasks are read off an index alone, without their requests', async () => {
    const plans = await plansOf((db) => new TaskStore(db).waitingSequence())
    expect(plans[0]).toBe('SCAN task USING COVERING INDEX task_waiting')
  })

  /** How SQLite goes about the queries of some work. */
  async function plansOf(work: (db: Kysely<Tables>) => unknown): Promise<string[]> {
    const plans: string[] = []
    const db = new Kysely<Tables>({
      dialect: new SqliteDialect({ database: raw }),
      log: ({ query: { sql, parameters } }) => {
        if (/^(begin|commit|rollback)/.test(sql)) return
        const steps = raw.prepare(`explain query plan ${sql}`).all(...parameters) as { detail: string }[]
        plans.push(...steps.map(({ detail }) => detail))
      },
    })
    await work(db)
    return plans
  }

  /**
   * Indexes that hold only what waits and what runs may be read from end to end; counts are a few rows for each key.
   * Events in the order of their own table are read up to a limit.
   */
  const readsAll = (detail: string) =>
    /^SCAN (task|key_usage|batch|task_event USING)\b/.test(detail) && !/INDEX task_(waiting|processing)\b/.test(detail)
})

const disposable = (db: Database) => ({ db, [Symbol.dispose]: () => void db.close() })
