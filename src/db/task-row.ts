import type { ExpressionBuilder, Selectable } from 'kysely'
import type { TaskErrorCode } from '../domain/errors.ts'
import { siteOf } from '../domain/site.ts'
import { type Outcome, type Task, type TaskFile, type TaskRequest, type TaskState } from '../domain/task.ts'
import type { Tables, TaskTable } from './schema.ts'

/** Who wants what: the columns that never change. */
export function requestColumns(task: Pick<Task, 'id' | 'keyId' | 'keyName' | 'request' | 'sent'>) {
  return {
    id: task.id,
    key_id: task.keyId,
    key_name: task.keyName,
    kind: task.request.kind,
    host: siteOf(task.request.url),
    request: JSON.stringify(task.request),
    sent: JSON.stringify(task.sent),
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
    ...fileColumns(outcome.kind === 'completed' ? outcome.file : null),
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

/** What is known of a task's file. */
export function fileColumns(file: TaskFile | null) {
  return {
    file_name: file?.name ?? null,
    file_size: file?.size ?? null,
    file_duration: file?.duration ?? null,
    file_note: file?.note ?? null,
  }
}

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

/** Rows are written by this class alone, so their words are ours. */
export function toTask(row: Selectable<TaskTable>): Task {
  return {
    id: row.id,
    keyId: row.key_id,
    keyName: row.key_name,
    request: JSON.parse(row.request) as TaskRequest,
    sent: JSON.parse(row.sent) as Record<string, unknown>,
    state: row.state as TaskState,
    attempt: row.attempt,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    notBefore: row.not_before,
    waitReason: row.wait_reason,
    errorCode: row.error_code as TaskErrorCode | null,
    errorMessage: row.error_message,
    file: toFile(row),
  }
}

function toFile(row: Selectable<TaskTable>): TaskFile | null {
  if (row.file_name === null) return null
  return { name: row.file_name, size: row.file_size ?? 0, duration: row.file_duration, note: row.file_note }
}
