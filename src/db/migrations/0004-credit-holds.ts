import { sql, type Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/**
 * Credits that are reserved for calls under way. As with those of tasks, triggers take and give back: in the transaction of
 * the change itself, exactly once.
 */
export const creditHolds: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('credit_hold')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('key_id', 'text', (column) => column.notNull())
      .addColumn('spent', 'integer', (column) => column.notNull().defaultTo(0))
      .execute()
    for (const trigger of TRIGGERS) await sql.raw(trigger).execute(db)
  },
}

const TRIGGERS: readonly string[] = [
  `create trigger credit_held before insert on credit_hold begin
     select raise(abort, 'no_credits') from api_key where id = new.key_id and credits < 1;
     update api_key set credits = credits - 1 where id = new.key_id and credits is not null;
   end`,
  `create trigger credit_hold_spent after update of spent on credit_hold when new.spent = 1 begin
     delete from credit_hold where id = new.id;
   end`,
  `create trigger credit_hold_ended after delete on credit_hold when old.spent = 0 begin
     update api_key set credits = credits + 1 where id = old.key_id and credits is not null;
   end`,
  // What was held while credits counted must not bring any back once they count anew.
  `create trigger credit_holds_uncounted after update of credits on api_key
     when new.credits is null and old.credits is not null begin
     update credit_hold set spent = 1 where key_id = new.id;
   end`,
]
