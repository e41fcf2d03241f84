import type { Request } from 'express'
import type { Task, TaskProgress, TaskState } from '../../domain/task.ts'
import { permissionOf } from '../../domain/permissions.ts'
import { isoTimeOrNull } from '../../domain/iso-time.ts'
import type { TaskView } from '../../tasks/service.ts'
import { baseUrlOf, filePath, signedFileUrl } from '../files/links.ts'
import type { CoreContext } from './context.ts'

/** The four words that clients of the core know. */
const WORD: Readonly<Record<TaskState, string>> = {
  waiting: 'waiting',
  processing: 'processing',
  completed: 'completed',
  error: 'error',
  cancelled: 'error',
}

/** A task as `/status` shows it. */
export function statusBody(ctx: CoreContext, view: TaskView, req: Request): Record<string, unknown> {
  const { task } = view
  return {
    status: WORD[task.state],
    task_type: permissionOf(task.request.kind),
    url: task.request.url,
    key_name: task.keyName,
    ...task.sent,
    ...ending(ctx, view, req),
    task_id: task.id,
    created_time: isoTimeOrNull(task.createdAt),
    attempts: task.attempt,
    ...course(view),
  }
}

function ending(ctx: CoreContext, { task }: TaskView, req: Request): Record<string, unknown> {
  const { file, errorCode } = task
  if (task.state === 'completed' && file !== null) {
    const { publicBaseUrl, retentionMs } = ctx.settings
    const base = baseUrlOf(req, publicBaseUrl)
    return {
      file: filePath(task.id, file.name),
      completed_time: isoTimeOrNull(task.finishedAt),
      file_url: signedFileUrl(base, task, file, { seal: ctx.seal, retentionMs }),
      file_size: file.size,
      ...(file.note === null ? {} : { note: file.note }),
    }
  }
  if (task.state === 'error' || task.state === 'cancelled') {
    return { error: task.errorMessage, error_code: errorCode, completed_time: isoTimeOrNull(task.finishedAt) }
  }
  return errorCode === null ? {} : { error_code: errorCode, last_error: task.errorMessage }
}

/** A finished task's file tells its bytes; before that the running attempt does. */
function course({ task, progress, queuePosition, waitReason }: TaskView): Record<string, unknown> {
  const { percent, speed, eta, downloadedBytes, totalBytes } = progress ?? finalProgress(task)
  return {
    progress: percent,
    speed,
    eta,
    downloaded_bytes: downloadedBytes,
    total_bytes: totalBytes,
    ...(progress === null ? {} : { phase: progress.phase }),
    ...(task.state === 'waiting' ? waiting(task, queuePosition, waitReason) : {}),
  }
}

function finalProgress({ state, file }: Task): Omit<TaskProgress, 'phase'> {
  const bytes = file?.size ?? null
  return {
    percent: state === 'completed' ? 100 : null,
    speed: null,
    eta: null,
    downloadedBytes: bytes,
    totalBytes: bytes,
  }
}

function waiting(task: Task, queuePosition: number | null, waitReason: string | null): Record<string, unknown> {
  return { queue_position: queuePosition, next_attempt_at: isoTimeOrNull(task.notBefore), wait_reason: waitReason }
}
