import type { ExpressionBuilder, Selectable } from 'kysely'
import type { TaskErrorCode } from '../domain/errors.ts'
import { siteOf } from '../domain/site.ts'
import {
  fileKindOf,
  REQUEST_DEFAULTS,
  type Outcome,
  type Task,
  type TaskFile,
  type TaskRequest,
  type TaskState,
  type Webhook,
} from '../domain/task.ts'
import type { Tables, TaskTable } from './schema.ts'

/** A task as it is submitted. `createdAt`: milliseconds since the epoch. */
export type NewTask = Pick<Task, 'id' | 'keyId' | 'keyName' | 'request' | 'sent' | 'createdAt'> &
  Partial<
    Pick<Task, 'notBefore' | 'priority' | 'batchId' | 'position' | 'archiveId' | 'title' | 'webhook' | 'retentionMs'>
  >

/** Why a task waits whose client wanted it later. */
const SCHEDULED = 'scheduled'

/** Who wants what, and when. */
export function requestColumns(task: NewTask) {
  const notBefore = task.notBefore ?? null
  return {
    id: task.id,
    key_id: task.keyId,
    key_name: task.keyName,
    kind: task.request.kind,
    host: siteOf(task.request.url),
    request: JSON.stringify(task.request),
    sent: JSON.stringify(task.sent),
    created_at: task.createdAt,
    not_before: notBefore,
    wait_reason: notBefore === null ? null : SCHEDULED,
    priority: task.priority ?? 0,
    batch_id: task.batchId ?? null,
    position: task.position ?? null,
    archive_id: task.archiveId ?? null,
    title: task.title ?? null,
    webhook: task.webhook ? JSON.stringify(task.webhook) : null,
    retention: task.retentionMs ?? null,
  }
}

/** How a task ended. */
export function finalColumns(outcome: Exclude<Outcome, { kind: 'retry' }>, now: number) {
  return {
    state: outcome.kind satisfies TaskState,
    finished_at: now,
    not_before: null,
    wait_reason: null,
    ...errorColumns(outcome),
    ...(outcome.kind === 'completed'
      ? { ...fileColumns(outcome.files), ...titleColumn(outcome.title) }
      : fileColumns([])),
  }
}

/** Back into the queue, until it is due. */
export function retryColumns(outcome: Extract<Outcome, { kind: 'retry' }>, eb: ExpressionBuilder<Tables, 'task'>) {
  return {
    state: 'waiting' satisfies TaskState,
    not_before: outcome.at,
    wait_reason: outcome.code,
    error_code: outcome.code,
    error_message: outcome.message,
    failures: eb('failures', '+', outcome.counts ? 1 : 0),
    deaths: 0,
  }
}

/** Back into the queue, as a new one. */
export const AFRESH = {
  state: 'waiting' satisfies TaskState,
  failures: 0,
  deaths: 0,
  started_at: null,
  finished_at: null,
  not_before: null,
  wait_reason: null,
  error_code: null,
  error_message: null,
} as const

/** What is known of a task's files; those of the first are columns of their own. */
export function fileColumns(files: readonly TaskFile[]) {
  const [main] = files
  return {
    file_name: main?.name ?? null,
    file_size: main?.size ?? null,
    file_duration: main?.duration ?? null,
    file_note: main?.note ?? null,
    files: main ? JSON.stringify(files) : null,
  }
}

/** What an attempt did not find out stays as it was. */
const titleColumn = (title: string | null) => (title === null ? {} : { title })

function errorColumns(outcome: Exclude<Outcome, { kind: 'retry' }>) {
  switch (outcome.kind) {
    case 'completed':
      return { error_code: null, error_message: null }
    case 'cancelled':
      return { error_code: 'cancelled' satisfies TaskErrorCode, error_message: 'the task was cancelled' }
    case 'error':
      return { error_code: outcome.code, error_message: outcome.message }
  }
}

/** Rows are written by this folder alone, so their words are ours. */
export function toTask(row: Selectable<TaskTable>): Task {
  const request = toRequest(row.request)
  const files = toFiles(row, request)
  return {
    id: row.id,
    keyId: row.key_id,
    keyName: row.key_name,
    request,
    sent: JSON.parse(row.sent) as Record<string, unknown>,
    state: row.state as TaskState,
    attempt: row.attempt,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    notBefore: row.state === 'waiting' ? row.not_before : null,
    waitReason: row.wait_reason,
    errorCode: row.error_code as TaskErrorCode | null,
    errorMessage: row.error_message,
    file: files[0] ?? null,
    files,
    title: row.title,
    priority: row.priority,
    batchId: row.batch_id,
    position: row.position,
    archiveId: row.archive_id,
    webhook: row.webhook === null ? null : (JSON.parse(row.webhook) as Webhook),
    ...(row.retention === null ? {} : { retentionMs: row.retention }),
  }
}

/** Requests of earlier versions lack what was not thought of then, and could have one clip. */
function toRequest(text: string): TaskRequest {
  const { clip, ...stored } = JSON.parse(text) as TaskRequest & { clip?: TaskRequest['clips'][number] | null }
  return { ...REQUEST_DEFAULTS, ...(clip ? { clips: [clip] } : {}), ...stored }
}

function toFiles(row: Selectable<TaskTable>, { kind }: TaskRequest): TaskFile[] {
  if (row.files !== null) return JSON.parse(row.files) as TaskFile[]
  if (row.file_name === null) return []
  return [
    {
      name: row.file_name,
      size: row.file_size ?? 0,
      kind: fileKindOf(kind),
      duration: row.file_duration,
      width: null,
      height: null,
      note: row.file_note,
    },
  ]
}
