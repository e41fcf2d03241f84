import { z } from 'zod'
import { TASK_ERROR_CODES } from '../../domain/errors.ts'
import { ERROR_TEXTS } from '../../domain/retry.ts'
import {
  FILE_KINDS,
  TASK_KINDS,
  TASK_STATES,
  WEBHOOK_EVENTS,
  type Task,
  type TaskFile,
  type TaskProgress,
} from '../../domain/task.ts'
import { isoTime, isoTimeOrNull } from '../../domain/iso-time.ts'
import type { TaskView } from '../../tasks/service.ts'
import { requestSchema, requestView } from './request-view.ts'

const PHASES = ['extracting', 'downloading', 'recording', 'processing', 'publishing'] as const

const time = (description: string) => z.iso.datetime().nullable().meta({ description })
const count = () => z.number().int().min(0)

/** What a running attempt has done so far. */
export const progressSchema = z
  .strictObject({
    phase: z.enum(PHASES).meta({ description: 'What it is doing' }),
    percent: z.number().nullable().meta({ description: '0 to 100; null while unknown' }),
    speed: z.number().nullable().meta({ description: 'Bytes a second' }),
    eta: z.number().nullable().meta({ description: 'Seconds to go' }),
    downloaded_bytes: z.number().nullable(),
    total_bytes: z.number().nullable(),
  })
  .meta({ id: 'TaskProgress' })

/** One finished file. */
const taskFileSchema = z
  .strictObject({
    name: z.string().meta({ example: 'video.mp4' }),
    kind: z.enum(FILE_KINDS),
    size: count().meta({ description: 'Bytes' }),
    duration: z.number().nullable().meta({ description: 'Seconds' }),
    width: z.number().nullable().meta({ description: 'Pixels' }),
    height: z.number().nullable().meta({ description: 'Pixels' }),
    note: z.string().nullable().meta({ description: 'What to know of it, such as why a recording is shorter' }),
    url: z.string().meta({ description: 'Where to fetch it, with the same key', example: '/files/<id>/video.mp4' }),
  })
  .meta({ id: 'TaskFile' })

/** What went wrong, and what can be done. */
const taskErrorSchema = z
  .strictObject({
    code: z.enum(TASK_ERROR_CODES),
    message: z.string(),
    hint: z.string().meta({ description: 'What the reader can do' }),
  })
  .meta({ id: 'TaskError' })

const webhookSchema = z
  .strictObject({ url: z.string(), events: z.array(z.enum(WEBHOOK_EVENTS)) })
  .meta({ id: 'TaskWebhook' })

/** A task as every part of this face shows it. */
export const taskSchema = z
  .strictObject({
    id: z.string().meta({ example: 'oUzzB3uYNpU6kJQ8' }),
    kind: z.enum(TASK_KINDS),
    state: z.enum(TASK_STATES).meta({ description: '`completed`, `error` and `cancelled` are final' }),
    url: z.string(),
    title: z.string().nullable().meta({ description: 'What the site calls it; null until that is known' }),
    created_at: z.iso.datetime(),
    started_at: time('When the latest attempt began'),
    finished_at: time('When it ended'),
    attempts: count().meta({ description: 'Attempts begun so far' }),
    priority: z.number().int().meta({ description: 'Higher ones of a key run first' }),
    batch_id: z.string().nullable().meta({ description: 'The batch or playlist it belongs to' }),
    position: z.number().int().nullable().meta({ description: 'Its place there, from 1' }),
    not_before: time('The time it was asked to wait for, while it does'),
    next_attempt_at: time('A waiting task is not tried before'),
    wait_reason: z.string().nullable().meta({
      description:
        'Why it waits although there may be room: `scheduled`, `paused`, `site_cooling_down`, or the error code of the attempt before',
    }),
    queue_position: z.number().int().nullable().meta({ description: 'From 1, while it waits' }),
    progress: progressSchema.nullable().meta({ description: 'Of the running attempt' }),
    error: taskErrorSchema.nullable().meta({ description: 'Why it failed, or why the attempt before did' }),
    file: taskFileSchema.nullable().meta({ description: 'The file that was asked for: the first of `files`' }),
    files: z.array(taskFileSchema),
    request: requestSchema,
    webhook: webhookSchema.nullable(),
  })
  .meta({ id: 'Task' })

/** A task in the shape of `taskSchema`. */
export type TaskBody = z.output<typeof taskSchema>

/** Shows a task in the shape of `taskSchema`. */
export function taskView({ task, progress, queuePosition, waitReason }: TaskView): TaskBody {
  const files = task.files.map((file) => fileView(task.id, file))
  return {
    id: task.id,
    kind: task.request.kind,
    state: task.state,
    url: task.request.url,
    title: task.title,
    created_at: isoTime(task.createdAt),
    started_at: isoTimeOrNull(task.startedAt),
    finished_at: isoTimeOrNull(task.finishedAt),
    attempts: task.attempt,
    priority: task.priority,
    batch_id: task.batchId,
    position: task.position,
    not_before: task.waitReason === 'scheduled' ? isoTimeOrNull(task.notBefore) : null,
    next_attempt_at: isoTimeOrNull(task.notBefore),
    wait_reason: waitReason,
    queue_position: queuePosition,
    progress: progress === null ? null : progressView(progress),
    error: errorView(task),
    file: files[0] ?? null,
    files,
    request: requestView(task.request),
    webhook: task.webhook === null ? null : { url: task.webhook.url, events: [...task.webhook.events] },
  }
}

/** Shows what a running attempt has done. */
export const progressView = (progress: TaskProgress): z.output<typeof progressSchema> => ({
  phase: progress.phase,
  percent: progress.percent,
  speed: progress.speed,
  eta: progress.eta,
  downloaded_bytes: progress.downloadedBytes,
  total_bytes: progress.totalBytes,
})

/** Shows a finished file of a task. */
const fileView = (taskId: string, file: TaskFile): z.output<typeof taskFileSchema> => ({
  name: file.name,
  kind: file.kind,
  size: file.size,
  duration: file.duration,
  width: file.width,
  height: file.height,
  note: file.note,
  url: `/files/${taskId}/${encodeURIComponent(file.name)}`,
})

function errorView({ errorCode, errorMessage }: Task): TaskBody['error'] {
  if (errorCode === null) return null
  const { message, hint } = ERROR_TEXTS[errorCode]
  return { code: errorCode, message: errorMessage ?? message, hint }
}
