import type { Generated } from 'kysely'

/** The tables as Kysely sees them. Times are milliseconds since the epoch; JSON is text, so that SQLite and PostgreSQL agree. */
export type Tables = {
  task: TaskTable
  api_key: KeyTable
  key_usage: UsageTable
}

/** One row for each task there is, from its submission to its removal. */
export type TaskTable = {
  /** Order of arrival. */
  seq: Generated<number>
  id: string
  key_id: string
  key_name: string
  kind: string
  host: string
  request: string
  sent: string
  state: string
  attempt: Generated<number>
  /** Attempts that failed and counted; what the retry policy goes by. */
  failures: Generated<number>
  /** How often the daemon died while the task ran. */
  deaths: Generated<number>
  created_at: number
  started_at: number | null
  finished_at: number | null
  not_before: number | null
  wait_reason: string | null
  error_code: string | null
  error_message: string | null
  file_name: string | null
  file_size: number | null
  file_duration: number | null
  file_note: string | null
}

/** One row for each key. */
export type KeyTable = {
  id: string
  name: string
  /** SHA-256 of the value, hex. */
  hash: string
  /** The value, sealed with the key file. */
  sealed: string
  permissions: string
  created_at: number
}

/** What a key's tasks came to on one day (UTC, `YYYY-MM-DD`); outlives the tasks. */
export type UsageTable = {
  key_id: string
  day: string
  completed: number
  failed: number
  bytes: number
}
