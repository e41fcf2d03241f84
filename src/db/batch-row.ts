import type { ExpressionBuilder, RawBuilder } from 'kysely'
import type { Webhook } from '../domain/task.ts'
import type { Tables } from './schema.ts'

/** What tasks that are submitted together belong to. */
export type NewBatch = Readonly<{
  id: string
  keyId: string
  createdAt: number
  title: string | null
  url: string | null
  webhook: Webhook | null
}>

/** What makes a call that is repeated with the same token the same call. */
export type Idempotency = Readonly<{
  keyId: string
  token: string
  /** Of what was asked for, so that the token cannot stand for something else. */
  requestHash: string
  /** What the first call was told. */
  answer: string
  createdAt: number
}>

export const batchColumns = ({ id, keyId, createdAt, title, url, webhook }: NewBatch) => ({
  id,
  key_id: keyId,
  created_at: createdAt,
  title,
  url,
  webhook: webhook === null ? null : JSON.stringify(webhook),
})

export const idempotencyColumns = ({ keyId, token, requestHash, answer, createdAt }: Idempotency) => ({
  key_id: keyId,
  token,
  request_hash: requestHash,
  answer,
  created_at: createdAt,
})

/** The batch of the task at hand, unless all of it had ended at `before`. */
export const unfinishedBatch = (eb: ExpressionBuilder<Tables, 'task'>, before: number | RawBuilder<number>) =>
  eb
    .selectFrom('batch')
    .select('batch.id')
    .whereRef('batch.id', '=', 'task.batch_id')
    .where((batch) => batch.or([batch('batch.finished_at', 'is', null), batch('batch.finished_at', '>', before)]))
