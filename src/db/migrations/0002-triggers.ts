const COUNT_ONE = (row: 'new' | 'old') =>
  `insert into task_count (key_id, state, count) values (${row}.key_id, ${row}.state, 1)
     on conflict (key_id, state) do update set count = count + 1;`
const UNCOUNT_ONE = `update task_count set count = count - 1 where key_id = old.key_id and state = old.state;`
const TELL = `insert into task_event (key_id, task_id, batch_id, state, attempt, error_code)
     values (new.key_id, new.id, new.batch_id, new.state, new.attempt, new.error_code);`
const TELL_REMOVED = `insert into task_event (key_id, task_id, batch_id, state, attempt)
     values (old.key_id, old.id, old.batch_id, 'removed', old.attempt);`
const IS_OPEN = (row: 'new' | 'old') => `(${row}.state in ('waiting', 'processing'))`

const HAS_FAILED = (row: 'new' | 'old') => `${row}.state in ('error', 'cancelled')`
const IS_COUNTED = `exists (select 1 from api_key where id = new.key_id and credits is not null)`
/** What brings no file of its own costs nothing. */
const COSTS = `new.kind not in ('info', 'playlist')`

const RESERVE = `select raise(abort, 'no_credits') from api_key where id = new.key_id and credits < 1;
     update api_key set credits = credits - 1 where id = new.key_id;
     update task set charged = 1 where seq = new.seq;`
const GIVE_BACK = (row: 'new' | 'old') =>
  `update api_key set credits = credits + 1 where id = ${row}.key_id and credits is not null;`

/**
 * What is written with the change it tells of, whichever statement made it: counts, events, the ends of batches, webhook
 * deliveries, and credits, which are reserved and given back exactly once.
 */
export const TRIGGERS: readonly string[] = [
  `create trigger key_removed after delete on api_key begin
     delete from cookie_jar where key_id = old.id;
     delete from webhook_secret where key_id = old.id;
     delete from webhook_delivery where key_id = old.id;
   end`,
  `create trigger task_added after insert on task begin
     ${COUNT_ONE('new')}
     ${TELL}
   end`,
  `create trigger task_moved after update of state on task when old.state <> new.state begin
     ${UNCOUNT_ONE}
     ${COUNT_ONE('new')}
     ${TELL}
   end`,
  `create trigger task_removed after delete on task begin
     ${UNCOUNT_ONE}
     ${TELL_REMOVED}
     delete from batch where id = old.batch_id and not exists (select 1 from task where batch_id = old.batch_id);
   end`,
  // A batch ends with its last task, and opens again when one of them is tried again.
  `create trigger batch_joined after insert on task when new.batch_id is not null and ${IS_OPEN('new')} begin
     update batch set open = open + 1, finished_at = null where id = new.batch_id;
   end`,
  `create trigger batch_moved after update of state on task
     when new.batch_id is not null and ${IS_OPEN('old')} <> ${IS_OPEN('new')} begin
     update batch set open = open + case when ${IS_OPEN('new')} then 1 else -1 end,
       finished_at = case when ${IS_OPEN('new')} or open > 1 then null else new.finished_at end
       where id = new.batch_id;
   end`,
  // What ends with the batch's last task is told of the batch, too.
  `create trigger task_webhook after update of state on task
     when new.webhook is not null and not ${IS_OPEN('new')} and ${IS_OPEN('old')} begin
     insert into webhook_delivery (id, key_id, task_id, batch_id, event, url, state, next_at, created_at)
       select lower(hex(randomblob(16))), new.key_id, new.id, new.batch_id,
         'task.' || case new.state when 'error' then 'failed' else new.state end,
         new.webhook ->> '$.url', 'waiting', new.finished_at, new.finished_at
       where exists (select 1 from json_each(new.webhook, '$.events')
         where value = 'task.' || case new.state when 'error' then 'failed' else new.state end);
   end`,
  `create trigger batch_webhook after update of finished_at on batch
     when new.webhook is not null and new.finished_at is not null and old.finished_at is null begin
     insert into webhook_delivery (id, key_id, batch_id, event, url, state, next_at, created_at)
       select lower(hex(randomblob(16))), new.key_id, new.id, 'batch.completed',
         new.webhook ->> '$.url', 'waiting', new.finished_at, new.finished_at
       where exists (select 1 from json_each(new.webhook, '$.events') where value = 'batch.completed');
   end`,
  `create trigger credit_reserved after insert on task when ${IS_OPEN('new')} and ${COSTS} and ${IS_COUNTED} begin
     ${RESERVE}
   end`,
  `create trigger credit_reserved_again after update of state on task
     when ${IS_OPEN('new')} and ${HAS_FAILED('old')} and new.charged = 0 and ${COSTS} and ${IS_COUNTED} begin
     ${RESERVE}
   end`,
  `create trigger credit_given_back after update of state on task
     when ${HAS_FAILED('new')} and ${IS_OPEN('old')} and new.charged = 1 begin
     ${GIVE_BACK('new')}
     update task set charged = 0 where seq = new.seq;
   end`,
  `create trigger credit_of_removed after delete on task when ${IS_OPEN('old')} and old.charged = 1 begin
     ${GIVE_BACK('old')}
   end`,
  // Tasks that were taken on while credits counted must not bring any back once they count anew.
  `create trigger credits_uncounted after update of credits on api_key
     when new.credits is null and old.credits is not null begin
     update task set charged = 0 where key_id = new.id and state in ('waiting', 'processing');
   end`,
]
