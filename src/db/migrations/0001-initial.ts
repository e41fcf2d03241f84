import { sql, type Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Tasks, keys and what keys used. */
export const initial: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('task')
      .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
      .addColumn('id', 'text', (c) => c.notNull().unique())
      .addColumn('key_id', 'text', (c) => c.notNull())
      .addColumn('key_name', 'text', (c) => c.notNull())
      .addColumn('kind', 'text', (c) => c.notNull())
      .addColumn('host', 'text', (c) => c.notNull())
      .addColumn('request', 'text', (c) => c.notNull())
      .addColumn('sent', 'text', (c) => c.notNull())
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('attempt', 'integer', (c) => c.notNull().defaultTo(0))
      .addColumn('failures', 'integer', (c) => c.notNull().defaultTo(0))
      .addColumn('deaths', 'integer', (c) => c.notNull().defaultTo(0))
      .addColumn('created_at', 'bigint', (c) => c.notNull())
      .addColumn('started_at', 'bigint')
      .addColumn('finished_at', 'bigint')
      .addColumn('not_before', 'bigint')
      .addColumn('wait_reason', 'text')
      .addColumn('error_code', 'text')
      .addColumn('error_message', 'text')
      .addColumn('file_name', 'text')
      .addColumn('file_size', 'bigint')
      .addColumn('file_duration', 'real')
      .addColumn('file_note', 'text')
      .execute()
    // Partial indexes: what waits and what is due stays cheap however long the history grows.
    await sql`create index task_waiting on task (key_id, seq) where state = 'waiting'`.execute(db)
    await sql`create index task_processing on task (seq) where state = 'processing'`.execute(db)
    await sql`create index task_finished on task (finished_at) where finished_at is not null`.execute(db)
    await db.schema
      .createTable('api_key')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull().unique())
      .addColumn('hash', 'text', (c) => c.notNull().unique())
      .addColumn('sealed', 'text', (c) => c.notNull())
      .addColumn('permissions', 'text', (c) => c.notNull())
      .addColumn('created_at', 'bigint', (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('key_usage')
      .addColumn('key_id', 'text', (c) => c.notNull())
      .addColumn('day', 'text', (c) => c.notNull())
      .addColumn('completed', 'integer', (c) => c.notNull())
      .addColumn('failed', 'integer', (c) => c.notNull())
      .addColumn('bytes', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('key_usage_pk', ['key_id', 'day'])
      .execute()
  },
  async down(db: Kysely<unknown>) {
    await db.schema.dropTable('key_usage').execute()
    await db.schema.dropTable('api_key').execute()
    await db.schema.dropTable('task').execute()
  },
}
