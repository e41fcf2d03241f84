import { sql, type Kysely, type SelectQueryBuilder } from 'kysely'
import type { Task, TaskKind, TaskState } from '../domain/task.ts'
import { countsOf } from './batch-store.ts'
import type { Tables } from './schema.ts'
import { toTask } from './task-row.ts'

/** Which tasks of a key are meant; null = whatever they are. Times are milliseconds since the epoch. */
export type TaskFilter = Readonly<{
  states: readonly TaskState[] | null
  kinds: readonly TaskKind[] | null
  batchId: string | null
  /** In URL or title, whatever the case. */
  text: string | null
  createdAfter: number | null
  createdBefore: number | null
}>

/** Some of a list, newest first. `next`: only older ones are left, null when there are none. */
export type TaskPage<T = Task> = Readonly<{ items: readonly T[]; next: number | null }>

/** Where in the list of a key: older than the task with that sequence number. */
export type PageWish = Readonly<{ keyId: string; filter: TaskFilter; before: number | null; limit: number }>

/** Rows that one page looks at, so that a filter that fits few holds nobody up; fewer where each costs more. */
const SCANNED = 5_000
const SCANNED_FOR_TEXT = 1_000

type Candidates = SelectQueryBuilder<Tables, 'task', Readonly<{ seq: number }>>

/** The tasks of a key, page by page: the cost of a page does not grow with their number. */
export class TaskList {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** May have fewer than `limit` although there are more: `next` says so. */
  async page(wish: PageWish): Promise<TaskPage> {
    const { items: seqs, next } = await this.#seqs(wish)
    if (seqs.length === 0) return { items: [], next }
    const rows = await this.#db
      .selectFrom('task')
      .selectAll()
      .where('seq', 'in', [...seqs])
      .orderBy('seq', 'desc')
      .execute()
    return { items: rows.map(toTask), next }
  }

  /** As `page`, but the ids alone. */
  async ids(wish: PageWish): Promise<TaskPage<string>> {
    const { items: seqs, next } = await this.#seqs(wish)
    if (seqs.length === 0) return { items: [], next }
    const rows = await this.#db
      .selectFrom('task')
      .select('id')
      .where('seq', 'in', [...seqs])
      .orderBy('seq', 'desc')
      .execute()
    return { items: rows.map(({ id }) => id), next }
  }

  /** How many tasks of a key are in each state. */
  async counts(keyId: string): Promise<Record<TaskState, number>> {
    const rows = await this.#db
      .selectFrom('task_count')
      .select(['state', 'count'])
      .where('key_id', '=', keyId)
      .execute()
    return countsOf(rows)
  }

  async #seqs(wish: PageWish): Promise<TaskPage<number>> {
    const { limit, filter } = wish
    // Each state by itself: its rows stand together in the index.
    const states = filter.states ?? [null]
    const floors = await Promise.all(states.map((state) => this.#floor(wish, state)))
    const floor = floors.reduce((highest, at) => (at !== null && at > (highest ?? 0) ? at : highest), null)
    const found = await Promise.all(states.map((state) => this.#matching(wish, state, floor)))
    const items = found.flat().toSorted((a, b) => b - a)
    if (items.length <= limit) return { items, next: floor }
    return { items: items.slice(0, limit), next: items[limit - 1] ?? null }
  }

  /** The oldest row of a state that this page looks at; null when it looks at all that there are. */
  async #floor(wish: PageWish, state: TaskState | null): Promise<number | null> {
    const { filter, limit } = wish
    const most = isScanned(filter) ? (filter.text === null ? SCANNED : SCANNED_FOR_TEXT) : limit + 1
    const row = await this.#candidates(wish, state)
      .limit(1)
      .offset(most - 1)
      .executeTakeFirst()
    return row?.seq ?? null
  }

  /** The sequence numbers of a page, and one more where there are more; newest first. */
  async #matching(wish: PageWish, state: TaskState | null, floor: number | null): Promise<number[]> {
    const { filter, limit } = wish
    const { kinds, text, createdAfter, createdBefore } = filter
    const query = this.#candidates(wish, state)
      .$if(floor !== null, (rows) => rows.where('seq', '>=', floor ?? 0))
      .$if(kinds !== null, (rows) => rows.where('kind', 'in', [...(kinds ?? [])]))
      .$if(createdAfter !== null, (rows) => rows.where('created_at', '>=', createdAfter ?? 0))
      .$if(createdBefore !== null, (rows) => rows.where('created_at', '<', createdBefore ?? 0))
    if (text !== null) return withText(query, text)
    const rows = await query.limit(limit + 1).execute()
    return rows.map(({ seq }) => seq)
  }

  /** Rows of the key, of the batch and of the state, behind the cursor; newest first. */
  #candidates({ keyId, filter, before }: PageWish, state: TaskState | null): Candidates {
    const { batchId } = filter
    return (
      this.#db
        .selectFrom('task')
        .select('seq')
        // A batch has an index of its own; the plus keeps the one of the key from being taken.
        .where(batchId === null ? sql.ref<string>('key_id') : sql<string>`+key_id`, '=', keyId)
        .$if(batchId !== null, (rows) => rows.where('batch_id', '=', batchId))
        .$if(state !== null, (rows) => rows.where('state', '=', state ?? ''))
        .$if(before !== null, (rows) => rows.where('seq', '<', before ?? 0))
        .orderBy('seq', 'desc')
    )
  }
}

/** Whether rows are looked at that may not be meant. */
const isScanned = ({ kinds, text, createdAfter, createdBefore }: TaskFilter): boolean =>
  kinds !== null || text !== null || createdAfter !== null || createdBefore !== null

/** Compared here: the database knows upper and lower case of ASCII only. */
async function withText(query: Candidates, text: string): Promise<number[]> {
  const wanted = text.toLowerCase()
  const rows = await query.select(['title', sql<string>`request ->> '$.url'`.as('url')]).execute()
  return rows.filter(({ title, url }) => `${title ?? ''}\n${url}`.toLowerCase().includes(wanted)).map(({ seq }) => seq)
}
