import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import SqliteDatabase from 'better-sqlite3'
import { Client } from '../support/client.ts'
import type { TestDaemon } from '../support/daemon.ts'
import { tokenIn, type Catalogue } from './catalogue.ts'
import { look } from './clients.ts'
import type { Entry, Ledger } from './ledger.ts'

/** How long the queue may take to run empty when the daemon is left in peace. */
const DRAIN_TIMEOUT_MS = 30 * 60_000
const REPORT_EVERY_MS = 10_000

type Row = Readonly<{
  id: string
  url: string
  state: string
  code: string | null
  name: string | null
  size: number | null
}>

/** Waits until nothing waits or runs any more. */
export async function drain(daemon: TestDaemon, ledger: Ledger): Promise<void> {
  const deadline = performance.now() + DRAIN_TIMEOUT_MS
  let nextReport = performance.now() + REPORT_EVERY_MS
  while (performance.now() < deadline) {
    const health = await (await fetch(`${daemon.url}/health`)).json()
    const { waiting, processing } = (health as { queue: { waiting: number; processing: number } }).queue
    if (waiting + processing === 0) return
    if (performance.now() > nextReport) {
      console.log(`${waiting} wait, ${processing} run`)
      nextReport += REPORT_EVERY_MS
    }
    await wait(200)
  }
  ledger.report('unexpected', 'the queue did not run empty')
}

/** Every acknowledged task has ended, and its own key is told so. */
export async function askForAll(daemon: TestDaemon, ledger: Ledger, keys: readonly string[]): Promise<void> {
  for (const entry of ledger.acknowledged) {
    const result = await look(new Client(daemon.url, keys[entry.client] ?? null), ledger, entry)
    if (result !== 'ended') ledger.report('lost', `${entry.id} has not ended (${String(result)})`)
  }
}

export type Found = Readonly<{ ends: ReadonlyMap<string, number>; recovered: number; stored: number }>

/** Compares what the database and the disk hold with what the clients know. The daemon is down. */
export async function examine(daemon: TestDaemon, ledger: Ledger, catalogue: Catalogue): Promise<Found> {
  const rows = readRows(path.join(daemon.state, 'ytdlpd.sqlite'))
  const recovered = compareRows(rows, ledger)
  await checkFolders(daemon, ledger, rows)
  await checkFiles(daemon, rows, { ledger, catalogue })
  checkStarts(daemon, ledger)
  const ends = new Map<string, number>()
  for (const { state, code } of rows) {
    const end = state === 'error' ? `error ${code}` : state
    ends.set(end, (ends.get(end) ?? 0) + 1)
  }
  return { ends, recovered, stored: rows.length }
}

function readRows(file: string): Row[] {
  const database = new SqliteDatabase(file, { readonly: true })
  try {
    return database
      .prepare<[], Row>(
        `select id, json_extract(request, '$.url') as url, state, error_code as code, file_name as name, file_size as size
         from task`,
      )
      .all()
  } finally {
    database.close()
  }
}

/** Returns how many submissions whose answer was lost were kept. */
function compareRows(rows: readonly Row[], ledger: Ledger): number {
  const entries = new Map(ledger.entries.map((entry) => [entry.token, entry]))
  const seen = new Set<string>()
  let recovered = 0
  for (const row of rows) {
    const token = tokenIn(row.url)
    const entry = entries.get(token)
    if (seen.has(token)) ledger.report('duplicated', `${token} was stored twice`)
    seen.add(token)
    if (!entry || entry.answer === 'refused') ledger.report('unexpected', `${row.id} (${token}) was never accepted`)
    else if (entry.answer === 'doubtful') recovered++
    else if (entry.id !== row.id) ledger.report('unexpected', `${token} is ${row.id}, not ${entry.id}`)
    if (!['completed', 'error', 'cancelled'].includes(row.state))
      ledger.report('unexpected', `${row.id} is left as ${row.state}`)
  }
  const ids = new Set(rows.map(({ id }) => id))
  for (const { id, token } of ledger.acknowledged)
    if (!ids.has(String(id))) ledger.report('lost', `${id} (${token}) is not in the database`)
  return recovered
}

async function checkFolders(daemon: TestDaemon, ledger: Ledger, rows: readonly Row[]): Promise<void> {
  const completed = new Map(rows.filter(({ state }) => state === 'completed').map((row) => [row.id, row]))
  for (const name of await fs.readdir(path.join(daemon.downloads, '.work')))
    ledger.report('orphans', `work folder ${name} is left`)
  for (const name of await fs.readdir(daemon.downloads)) {
    if (name.startsWith('.')) continue
    const files = await fs.readdir(path.join(daemon.downloads, name))
    const row = completed.get(name)
    if (!row) ledger.report('orphans', `folder ${name} with ${files.join(', ')} belongs to no completed task`)
    else if (files.length !== 1 || files[0] !== row.name)
      ledger.report('duplicated', `${name} holds ${files.join(', ')} instead of ${row.name}`)
  }
}

async function checkFiles(
  daemon: TestDaemon,
  rows: readonly Row[],
  { ledger, catalogue }: Readonly<{ ledger: Ledger; catalogue: Catalogue }>,
): Promise<void> {
  const entries = new Map<string, Entry>(ledger.entries.map((entry) => [entry.token, entry]))
  for (const row of rows) {
    const entry = entries.get(tokenIn(row.url))
    if (row.state !== 'completed' || !entry) continue
    const file = path.join(daemon.downloads, row.id, String(row.name))
    const bytes = await fs.readFile(file).catch(() => null)
    if (bytes === null) ledger.report('torn', `${file} of a completed task is not there`)
    else if (bytes.length !== row.size) ledger.report('torn', `${file} has ${bytes.length} bytes, not ${row.size}`)
    else {
      const fault = await catalogue.faultOf(entry.expected, { path: file, bytes })
      if (fault !== null) ledger.report('torn', `${file} ${fault} (${row.url})`)
    }
  }
}

/** One attempt is begun once: the log of the daemon says so. */
function checkStarts({ lines }: TestDaemon, ledger: Ledger): void {
  const seen = new Set<string>()
  for (const line of lines) {
    if (!line.includes('"task started"')) continue
    const { taskId, attempt } = JSON.parse(line) as { taskId: string; attempt: number }
    const start = `${taskId}.${attempt}`
    if (seen.has(start)) ledger.report('duplicated', `attempt ${start} was begun twice`)
    seen.add(start)
  }
}
