import { sql, type Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { TRIGGERS } from './0002-triggers.ts'

/**
 * What lists, batches, events, webhooks, limits, credits and cookies need. Numbers of tasks by state are counted here once
 * and kept by triggers from then on.
 */
export const nativeApi: Migration = {
  async up(db: Kysely<unknown>) {
    await addColumns(db)
    await createQueueTables(db)
    await createWebhookTables(db)
    await createKeyTables(db)
    await createIndexes(db)
    await sql`insert into task_count (key_id, state, count)
      select key_id, state, count(*) from task group by key_id, state`.execute(db)
    for (const trigger of TRIGGERS) await sql.raw(trigger).execute(db)
  },
}

async function addColumns(db: Kysely<unknown>): Promise<void> {
  for (const [name, type] of [
    ['title', 'text'],
    ['files', 'text'],
    ['batch_id', 'text'],
    ['position', 'integer'],
    ['archive_id', 'text'],
    ['webhook', 'text'],
  ] as const) {
    await db.schema.alterTable('task').addColumn(name, type).execute()
  }
  for (const name of ['priority', 'charged'] as const) {
    await db.schema
      .alterTable('task')
      .addColumn(name, 'integer', (c) => c.notNull().defaultTo(0))
      .execute()
  }
  for (const [name, type] of [
    ['limits', 'text'],
    ['credits', 'integer'],
    ['expires_at', 'bigint'],
    ['disabled_at', 'bigint'],
    ['last_used_at', 'bigint'],
    ['old_hash', 'text'],
    ['old_until', 'bigint'],
  ] as const) {
    await db.schema.alterTable('api_key').addColumn(name, type).execute()
  }
  await db.schema
    .alterTable('key_usage')
    .addColumn('accepted', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
}

/** What tasks belong to, and what is known of them all. */
async function createQueueTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('batch')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('finished_at', 'bigint')
    .addColumn('open', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('title', 'text')
    .addColumn('url', 'text')
    .addColumn('webhook', 'text')
    .execute()
  await db.schema
    .createTable('task_count')
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('count', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('task_count_pk', ['key_id', 'state'])
    .execute()
  await db.schema
    .createTable('task_event')
    .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('task_id', 'text', (c) => c.notNull())
    .addColumn('batch_id', 'text')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('attempt', 'integer', (c) => c.notNull())
    .addColumn('error_code', 'text')
    .execute()
  await db.schema
    .createTable('idempotency')
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('token', 'text', (c) => c.notNull())
    .addColumn('request_hash', 'text', (c) => c.notNull())
    .addColumn('answer', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('idempotency_pk', ['key_id', 'token'])
    .execute()
}

/** What clients are told by webhooks. */
async function createWebhookTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('webhook_delivery')
    .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('id', 'text', (c) => c.notNull().unique())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('task_id', 'text')
    .addColumn('batch_id', 'text')
    .addColumn('event', 'text', (c) => c.notNull())
    .addColumn('url', 'text', (c) => c.notNull())
    .addColumn('host', 'text')
    .addColumn('body', 'text')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('attempts', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('next_at', 'bigint')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('finished_at', 'bigint')
    .addColumn('last_status', 'integer')
    .addColumn('last_error', 'text')
    .addColumn('log', 'text', (c) => c.notNull().defaultTo('[]'))
    .execute()
  await db.schema
    .createTable('webhook_secret')
    .addColumn('key_id', 'text', (c) => c.primaryKey())
    .addColumn('sealed', 'text', (c) => c.notNull())
    .addColumn('old_sealed', 'text')
    .addColumn('old_until', 'bigint')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute()
}

/** What keys keep here, and what was done with them. */
async function createKeyTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('audit')
    .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('key_id', 'text')
    .addColumn('key_name', 'text', (c) => c.notNull())
    .addColumn('address', 'text')
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('target', 'text')
    .addColumn('detail', 'text')
    .execute()
  await db.schema
    .createTable('cookie_jar')
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('site', 'text', (c) => c.notNull())
    .addColumn('sealed', 'text', (c) => c.notNull())
    .addColumn('revision', 'integer', (c) => c.notNull())
    .addColumn('cookies', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addColumn('expires_at', 'bigint')
    .addColumn('last_success_at', 'bigint')
    .addColumn('last_failure_at', 'bigint')
    .addColumn('last_failure', 'text')
    .addPrimaryKeyConstraint('cookie_jar_pk', ['key_id', 'site'])
    .execute()
  await db.schema
    .createTable('archive')
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('media_id', 'text', (c) => c.notNull())
    .addColumn('title', 'text')
    .addColumn('task_id', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('archive_pk', ['key_id', 'media_id'])
    .execute()
  await db.schema
    .createTable('setting')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute()
}

async function createIndexes(db: Kysely<unknown>): Promise<void> {
  await sql`drop index task_waiting`.execute(db)
  // With the id, positions in the queue are read off the index alone: rows hold whole requests.
  await sql`create index task_waiting on task (key_id, priority desc, seq, id) where state = 'waiting'`.execute(db)
  await sql`create index task_of_key on task (key_id, seq)`.execute(db)
  await sql`create index task_of_key_state on task (key_id, state, seq)`.execute(db)
  await sql`create index task_of_batch on task (batch_id, seq) where batch_id is not null`.execute(db)
  await sql`create index task_of_batch_state on task (batch_id, state, seq) where batch_id is not null`.execute(db)
  await sql`create index task_event_of_key on task_event (key_id, seq)`.execute(db)
  await sql`create index idempotency_age on idempotency (created_at)`.execute(db)
  await sql`create index webhook_due on webhook_delivery (next_at) where state = 'waiting'`.execute(db)
  await sql`create index webhook_of_key on webhook_delivery (key_id, seq)`.execute(db)
  await sql`create index webhook_without_body on webhook_delivery (seq) where body is null`.execute(db)
  await sql`create index webhook_age on webhook_delivery (created_at)`.execute(db)
  await sql`create index archive_age on archive (key_id, at desc, media_id desc)`.execute(db)
}
