import type { Generated } from 'kysely'

/** The tables as Kysely sees them. Times are milliseconds since the epoch; JSON is text, so that SQLite and PostgreSQL agree. */
export type Tables = {
  task: TaskTable
  api_key: KeyTable
  key_usage: UsageTable
  batch: BatchTable
  task_count: CountTable
  task_event: EventTable
  idempotency: IdempotencyTable
  webhook_delivery: DeliveryTable
  webhook_secret: WebhookSecretTable
  audit: AuditTable
  cookie_jar: JarTable
  archive: ArchiveTable
  setting: SettingTable
  credit_hold: HoldTable
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
  /** JSON of all files; null in rows that were finished before there could be several. */
  files: string | null
  title: string | null
  priority: Generated<number>
  batch_id: string | null
  position: number | null
  archive_id: string | null
  webhook: string | null
  /** 1 where a credit of the key is reserved for it or was spent on it. */
  charged: Generated<number>
  /** Milliseconds that it stays after its end; null = as long as the daemon says. */
  retention: number | null
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
  limits: string | null
  /** Tasks that may still bring a file; null = not counted. */
  credits: number | null
  expires_at: number | null
  disabled_at: number | null
  last_used_at: number | null
  /** SHA-256 of the value before the last rotation, hex, and until when it still works. */
  old_hash: string | null
  old_until: number | null
}

/** What a key's tasks came to on one day (UTC, `YYYY-MM-DD`); outlives the tasks. */
export type UsageTable = {
  key_id: string
  day: string
  completed: number
  failed: number
  bytes: number
  /** Tasks that were taken on. */
  accepted: Generated<number>
}

/** What was submitted together. `open` counts its tasks that have not ended, and is kept by triggers, as `finished_at` is. */
export type BatchTable = {
  id: string
  key_id: string
  created_at: number
  finished_at: number | null
  open: Generated<number>
  title: string | null
  url: string | null
  webhook: string | null
}

/** How many tasks of a key are in a state; kept by triggers. */
export type CountTable = { key_id: string; state: string; count: number }

/** Every change of a task's state, in order; written by triggers, kept for a while. */
export type EventTable = {
  seq: Generated<number>
  key_id: string
  task_id: string
  batch_id: string | null
  state: string
  attempt: number
  error_code: string | null
}

/** What was answered to a call with an `Idempotency-Key`. */
export type IdempotencyTable = {
  key_id: string
  token: string
  request_hash: string
  answer: string
  created_at: number
}

/** One message to a client's webhook; added by triggers, its body when it is first looked at. */
export type DeliveryTable = {
  seq: Generated<number>
  id: string
  key_id: string
  task_id: string | null
  batch_id: string | null
  event: string
  url: string
  body: string | null
  /** `waiting`, `delivered` or `failed`. */
  state: string
  attempts: Generated<number>
  next_at: number | null
  created_at: number
  finished_at: number | null
  last_status: number | null
  last_error: string | null
  /** JSON: a list of `DeliveryAttempt`, oldest first. */
  log: Generated<string>
  /** Whom it is sent to; set with the body. */
  host: string | null
}

/** What a key's webhooks are signed with, sealed; the one before counts until `old_until`. */
export type WebhookSecretTable = {
  key_id: string
  sealed: string
  old_sealed: string | null
  old_until: number | null
  created_at: number
}

/** Who did what to the installation. */
export type AuditTable = {
  seq: Generated<number>
  at: number
  key_id: string | null
  key_name: string
  address: string | null
  action: string
  target: string | null
  detail: string | null
}

/** A key's cookies of one site, sealed. */
export type JarTable = {
  key_id: string
  site: string
  sealed: string
  /** Raised by every change. */
  revision: number
  /** How many. */
  cookies: number
  created_at: number
  updated_at: number
  /** When the first of those that prove a login expires, null when none does. */
  expires_at: number | null
  last_success_at: number | null
  last_failure_at: number | null
  last_failure: string | null
}

/** Media that a key has downloaded out of playlists. */
export type ArchiveTable = { key_id: string; media_id: string; title: string | null; task_id: string; at: number }

/** What the operator switched while the daemon runs. */
export type SettingTable = { name: string; value: string }

/** A credit of a key that is reserved for a call under way; `spent` = 1 removes it without giving anything back. */
export type HoldTable = { id: Generated<number>; key_id: string; spent: Generated<number> }
