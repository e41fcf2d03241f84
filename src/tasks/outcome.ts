import type { ClaimedTask } from '../db/task-store.ts'
import type { TaskError } from '../domain/errors.ts'
import { nextRetry } from '../domain/retry.ts'
import type { Outcome, TaskProgress } from '../domain/task.ts'

/** What comes of an attempt that failed: the end, or another attempt that is due within `retryMaxWaitMs` (0 = none). */
export function outcomeOfFailure(
  task: Pick<ClaimedTask, 'failures'>,
  error: TaskError,
  { progress, now, retryMaxWaitMs }: Readonly<{ progress: TaskProgress | null; now: number; retryMaxWaitMs: number }>,
): Outcome {
  if (error.code === 'cancelled') return { kind: 'cancelled' }
  const { code, message } = error
  const next = nextRetry({
    code,
    attempt: task.failures + 1,
    now,
    random: Math.random(),
    retryAfter: error.retryAfter,
    httpStatus: error.httpStatus,
    media: (progress?.downloadedBytes ?? 0) > 0 || progress?.phase === 'downloading',
  })
  const isGivenBack = next !== null && !next.countsAsAttempt
  if (next === null || (!isGivenBack && (retryMaxWaitMs === 0 || next.at - now > retryMaxWaitMs))) {
    return { kind: 'error', code, message }
  }
  return { kind: 'retry', code, message, at: next.at, counts: next.countsAsAttempt }
}
