import { sql, type Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Tasks that stay for another time than the daemon's own, and what finds the tasks of the Mezdia face by their pages. */
export const retention: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('task').addColumn('retention', 'integer').execute()
    await sql`create index task_outlived on task (finished_at + retention)
      where retention is not null and finished_at is not null`.execute(db)
    await sql`create index task_of_page on task (key_id, (request ->> '$.url'), seq)
      where (sent ->> '$.mezdia') is not null`.execute(db)
  },
}
