import { sql, type Kysely, type Selectable } from 'kysely'
import type { WebhookEvent } from '../domain/task.ts'
import type { Delivery, DeliveryAttempt, DeliveryState } from '../domain/webhook.ts'
import type { DeliveryTable, Tables } from './schema.ts'

/** Attempts of one delivery that are remembered: two whole schedules. */
const MAX_LOGGED = 24

/** Deliveries that are being dealt with, and hosts that have enough to do. */
export type Busy = Readonly<{ ids: readonly string[]; hosts: readonly string[] }>

/** A delivery that may be sent: it has a body and a host. */
export type DueDelivery = Delivery & Readonly<{ body: string; host: string }>

/** How an attempt is recorded; `nextAt` null = it was the last. */
export type AttemptRecord = Readonly<{
  isDelivered: boolean
  status: number | null
  error: string | null
  nextAt: number | null
}>

/** A key's secrets, sealed. */
export type SealedSecrets = Readonly<{
  sealed: string
  oldSealed: string | null
  /** Until when the old one counts. */
  oldUntil: number | null
  createdAt: number
}>

/** What is to be told to webhooks, and what was. The database itself adds it, with the end that it tells of. */
export class WebhookStore {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** Up to `limit` new ones whose body was not written yet, oldest first. */
  async withoutBody(limit: number): Promise<Delivery[]> {
    const rows = await this.#select().where('body', 'is', null).orderBy('seq').limit(limit).execute()
    return rows.map(toDelivery)
  }

  async setBody(id: string, body: string, host: string): Promise<void> {
    await this.#db.updateTable('webhook_delivery').set({ body, host }).where('id', '=', id).execute()
  }

  /** Up to `limit` that may be sent now, those that have waited longest first. */
  async due(now: number, limit: number, busy: Busy): Promise<DueDelivery[]> {
    const rows = await this.#select()
      .where('state', '=', 'waiting')
      .where('next_at', '<=', now)
      .where('body', 'is not', null)
      .$if(busy.ids.length > 0, (query) => query.where('id', 'not in', [...busy.ids]))
      .$if(busy.hosts.length > 0, (query) => query.where('host', 'not in', [...busy.hosts]))
      .orderBy('next_at')
      .limit(limit)
      .execute()
    return rows.flatMap((row) => {
      const { body, host } = row
      return body === null || host === null ? [] : [{ ...toDelivery(row), body, host }]
    })
  }

  /** When the next one behind `now` is due, null when none is. */
  async nextAt(now: number): Promise<number | null> {
    const row = await this.#db
      .selectFrom('webhook_delivery')
      .select('next_at')
      .where('state', '=', 'waiting')
      .where('next_at', '>', now)
      .orderBy('next_at')
      .limit(1)
      .executeTakeFirst()
    return row?.next_at ?? null
  }

  async recordAttempt(id: string, { isDelivered, status, error, nextAt }: AttemptRecord, now: number): Promise<void> {
    const state: DeliveryState = isDelivered ? 'delivered' : nextAt === null ? 'failed' : 'waiting'
    await this.#db
      .updateTable('webhook_delivery')
      .set((eb) => ({
        attempts: eb('attempts', '+', 1),
        state,
        last_status: status,
        last_error: error,
        log: sql<string>`json_insert(
          case when json_array_length(log) < ${MAX_LOGGED} then log else json_remove(log, '$[0]') end,
          '$[#]', json_object('at', ${now}, 'status', ${status}, 'error', ${error}))`,
        next_at: state === 'waiting' ? nextAt : null,
        finished_at: state === 'waiting' ? null : now,
      }))
      .where('id', '=', id)
      .where('state', '=', 'waiting')
      .execute()
  }

  /** Puts a key's delivery at the beginning of its schedule; false when there is none. */
  async sendAgain(keyId: string, id: string, now: number): Promise<boolean> {
    const result = await this.#db
      .updateTable('webhook_delivery')
      .set({ state: 'waiting', attempts: 0, next_at: now, finished_at: null })
      .where('id', '=', id)
      .where('key_id', '=', keyId)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  /** Up to `limit` of a key, the newest first; `before`: only those that came up before that one. */
  async list(
    keyId: string,
    {
      state,
      taskId,
      before,
      limit,
    }: Readonly<{
      state: DeliveryState | null
      taskId: string | null
      before: number | null
      limit: number
    }>,
  ): Promise<Delivery[]> {
    const rows = await this.#select()
      .where('key_id', '=', keyId)
      .$if(before !== null, (query) => query.where('seq', '<', before))
      .$if(state !== null, (query) => query.where('state', '=', state ?? ''))
      .$if(taskId !== null, (query) => query.where('task_id', '=', taskId))
      .orderBy('seq', 'desc')
      .limit(limit)
      .execute()
    return rows.map(toDelivery)
  }

  async get(keyId: string, id: string): Promise<Delivery | null> {
    const row = await this.#select().where('id', '=', id).where('key_id', '=', keyId).executeTakeFirst()
    return row ? toDelivery(row) : null
  }

  /** Forgets what came up before `before`, and all but the newest `keep` of each key. */
  async trim(before: number, keep: number): Promise<void> {
    await this.#db.deleteFrom('webhook_delivery').where('created_at', '<', before).execute()
    await sql`
      with recursive owner(key_id) as (
        select min(key_id) from webhook_delivery
        union all
        select (select min(key_id) from webhook_delivery where key_id > owner.key_id) from owner
        where owner.key_id is not null
      ), last_kept as (
        select key_id, (select seq from webhook_delivery as delivery where delivery.key_id = owner.key_id
          order by seq desc limit 1 offset ${keep}) as seq from owner where key_id is not null
      )
      delete from webhook_delivery where rowid in (select delivery.rowid from last_kept
        join webhook_delivery as delivery on delivery.key_id = last_kept.key_id and delivery.seq <= last_kept.seq)
    `.execute(this.#db)
  }

  async secrets(keyId: string): Promise<SealedSecrets | null> {
    const row = await this.#db.selectFrom('webhook_secret').selectAll().where('key_id', '=', keyId).executeTakeFirst()
    if (!row) return null
    return { sealed: row.sealed, oldSealed: row.old_sealed, oldUntil: row.old_until, createdAt: row.created_at }
  }

  async putSecrets(keyId: string, { sealed, oldSealed, oldUntil, createdAt }: SealedSecrets): Promise<void> {
    const columns = { sealed, old_sealed: oldSealed, old_until: oldUntil, created_at: createdAt }
    await this.#db
      .insertInto('webhook_secret')
      .values({ key_id: keyId, ...columns })
      .onConflict((conflict) => conflict.column('key_id').doUpdateSet(columns))
      .execute()
  }

  #select() {
    return this.#db.selectFrom('webhook_delivery').selectAll()
  }
}

const toDelivery = (row: Selectable<DeliveryTable>): Delivery => ({
  seq: row.seq,
  id: row.id,
  keyId: row.key_id,
  taskId: row.task_id,
  batchId: row.batch_id,
  event: row.event as WebhookEvent,
  url: row.url,
  body: row.body,
  state: row.state as DeliveryState,
  attempts: row.attempts,
  nextAt: row.next_at,
  createdAt: row.created_at,
  finishedAt: row.finished_at,
  lastStatus: row.last_status,
  lastError: row.last_error,
  log: JSON.parse(row.log) as DeliveryAttempt[],
})
