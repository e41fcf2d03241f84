import path from 'node:path'
import SqliteDatabase, { type Database } from 'better-sqlite3'
import type { TestDaemon } from '../../test/support/daemon.ts'
import { Api, complete } from './api.ts'
import type { Bench } from './bench.ts'
import { type Figure, type Pair, sideBySide, timed } from './figure.ts'

/** Rows written in one go, so that the daemon gets at its database in between. */
const ROWS_AT_ONCE = 20_000
const PAGE = 50
/** Pages that are read before it begins anew, and those that do not count. */
const PAGES = 15
const WARM_UP = 50

const SETTINGS = { MAX_QUEUE: '100000', TASK_CLEANUP_TIME: '1440' }

/** What a long history costs: a page of the list and a submission, beside those of a daemon that has hardly any. */
export async function history(bench: Bench): Promise<readonly Figure[]> {
  const finished = bench.quick ? 100_000 : 1_000_000
  const waiting = bench.quick ? 1_000 : 10_000
  await using large = await bench.daemon(SETTINGS)
  await using small = await bench.daemon(SETTINGS)
  await using empty = await bench.daemon(SETTINGS)
  // What waits comes first: the newest ones, which a list begins with, are finished on both sides.
  await fill(bench, large, { waiting, completed: finished })
  await fill(bench, small, { waiting: 0, completed: 1_000 })
  await setQueue(empty, 'pause')

  const rounds = bench.quick ? 3 : 7
  const list = await slowPages(large, small, bench.quick ? 300 : 3_000)
  const submit = await sideBySide(
    rounds,
    () => submissions(large, bench.quick ? 50 : 200),
    () => submissions(empty, bench.quick ? 50 : 200),
  )
  const ms = (value: number) => `${value.toFixed(2)} ms`
  const common = { unit: 'ratio', target: { most: 1.5 } } as const
  return [
    {
      ...common,
      name: 'history_submit',
      value: submit.ours / submit.theirs,
      note: `${ms(submit.ours)} with ${finished} finished and ${waiting} waiting, empty ${ms(submit.theirs)}`,
    },
    {
      ...common,
      name: 'history_list',
      value: list.ours / list.theirs,
      note: `p99 of a page of ${PAGE}: ${ms(list.ours)} with ${finished} finished, ${ms(list.theirs)} with 1000`,
    },
  ]
}

/** Milliseconds of one submission, on average. */
async function submissions(daemon: TestDaemon, count: number): Promise<number> {
  using api = new Api(daemon)
  const url = 'https://video.example/watch'
  const total = await timed(async () => {
    for (let n = 0; n < count; n++) await api.call('POST', '/v1/tasks', { url: `${url}?${n}` })
  })
  return total / count
}

/**
 * Milliseconds that one page in a hundred takes longer than, going through the first pages again and again. Each page of
 * one side is followed by one of the other, so that a load from elsewhere falls on both.
 */
async function slowPages(ours: TestDaemon, theirs: TestDaemon, count: number): Promise<Pair> {
  using our = new Api(ours)
  using their = new Api(theirs)
  const readers = [reader(our), reader(their)] as const
  const seen: readonly [number[], number[]] = [[], []]
  for (let n = 0; n < count; n++) {
    for (const side of n % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const elapsed = await timed(readers[side])
      if (n >= WARM_UP) seen[side].push(elapsed)
    }
  }
  const [p99, theirP99] = seen.map((times) => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? NaN)
  return { ours: p99 ?? NaN, theirs: theirP99 ?? NaN }
}

/** Reads the next page at each call; from the beginning again after some. */
function reader(api: Api): () => Promise<void> {
  let cursor = ''
  let read = 0
  return async () => {
    const page = await api.call('GET', `/v1/tasks?limit=${PAGE}${cursor}`)
    const next = page['next'] as string | null
    cursor = next === null || ++read % PAGES === 0 ? '' : `&cursor=${next}`
  }
}

/** Copies a real task, so often as said, into the database of a daemon that runs. */
async function fill(
  bench: Bench,
  daemon: TestDaemon,
  { completed, waiting }: Readonly<{ completed: number; waiting: number }>,
): Promise<void> {
  const origin = await bench.origin()
  await setQueue(daemon, 'resume')
  const status = await complete(daemon, 'get_video', { url: `${origin.url}/small.mp4?n=${bench.next()}` }, 50)
  await setQueue(daemon, 'pause')
  const db = new SqliteDatabase(path.join(daemon.state, 'ytdlpd.sqlite'), { timeout: 10_000 })
  try {
    withoutTriggers(db, () => {
      const id = String(status['task_id'])
      copy(db, {
        id,
        count: waiting,
        more: { state: "'waiting'", finished_at: 'null', files: 'null', file_name: 'null' },
      })
      copy(db, { id, count: completed, more: {} })
    })
  } finally {
    db.close()
  }
}

/** The triggers would do a million times what one statement can say: how many there are. */
function withoutTriggers(db: Database, work: () => void): void {
  const triggers = db
    .prepare<[], { name: string; sql: string }>("select name, sql from sqlite_master where type = 'trigger'")
    .all()
  for (const { name } of triggers) db.exec(`drop trigger "${name}"`)
  work()
  db.exec(`delete from task_count;
    insert into task_count (key_id, state, count) select key_id, state, count(*) from task group by key_id, state`)
  for (const { sql } of triggers) db.exec(sql)
}

type Copy = Readonly<{ id: string; count: number; more: Readonly<Record<string, string>> }>

function copy(db: Database, { id, count, more }: Copy): void {
  const columns = db
    .prepare<[], { name: string }>("select name from pragma_table_info('task')")
    .all()
    .map(({ name }) => name)
    .filter((name) => name !== 'seq')
  const values = columns.map((name) => (name === 'id' ? 'lower(hex(randomblob(8)))' : (more[name] ?? name)))
  const insert = db.prepare(
    `insert into task (${columns.join(', ')})
       with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
       select ${values.join(', ')} from n, (select * from task where id = ?)`,
  )
  for (let left = count; left > 0; left -= ROWS_AT_ONCE) insert.run(Math.min(left, ROWS_AT_ONCE), id)
}

async function setQueue(daemon: TestDaemon, word: 'pause' | 'resume'): Promise<void> {
  using api = new Api(daemon)
  await api.call('POST', `/v1/queue/${word}`)
}
