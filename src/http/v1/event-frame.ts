import { z } from 'zod'
import { TASK_ERROR_CODES } from '../../domain/errors.ts'
import type { ProgressEvent, TaskEvent } from '../../domain/event.ts'
import { TASK_STATES } from '../../domain/task.ts'
import { progressSchema, progressView, taskSchema, type TaskBody } from './task-view.ts'

/** The data of an event `task`. */
export const taskEventSchema = z
  .strictObject({
    task_id: z.string(),
    batch_id: z.string().nullable(),
    state: z.enum(TASK_STATES).meta({ description: 'The state the task came into' }),
    attempt: z.int().min(0),
    error_code: z.enum(TASK_ERROR_CODES).nullable(),
    task: taskSchema
      .nullable()
      .meta({ description: 'The task as it was then, or as it is by now; null once it was removed' }),
  })
  .meta({ id: 'TaskEvent' })

/** The data of an event `removed`. */
export const removedEventSchema = z
  .strictObject({ task_id: z.string(), batch_id: z.string().nullable() })
  .meta({ id: 'RemovedEvent' })

/** The data of an event `progress`. */
export const progressEventSchema = progressSchema
  .extend({ task_id: z.string(), batch_id: z.string().nullable() })
  .meta({ id: 'ProgressEvent' })

/** The data of the events `ready` and `reset`. */
const positionEventSchema = z
  .strictObject({ last_event_id: z.string().meta({ description: 'What comes from now on is behind this event' }) })
  .meta({ id: 'PositionEvent' })

/** An event as it goes out, with what it is about. */
export type Frame = Readonly<{ taskId: string; batchId: string | null; text: string }>

/** A frame of a change, which has a place in the order of all. */
export type TaskFrame = Frame & Readonly<{ event: TaskEvent }>

/** An event `task`, or `removed`. */
export function taskFrame(event: TaskEvent, task: TaskBody | null): TaskFrame {
  const { taskId, batchId, state } = event
  const about = { task_id: taskId, batch_id: batchId }
  if (state === 'removed') {
    const data: z.input<typeof removedEventSchema> = about
    return { taskId, batchId, text: textOf(event.seq, 'removed', data), event }
  }
  const data: z.input<typeof taskEventSchema> = {
    ...about,
    state,
    attempt: event.attempt,
    error_code: event.errorCode,
    task,
  }
  return { taskId, batchId, text: textOf(event.seq, 'task', data), event }
}

const textOf = (seq: number, type: string, data: unknown) =>
  `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`

/** An event `progress`; it has no id, as nobody can ask for it again. */
export function progressFrame({ taskId, batchId, progress }: ProgressEvent): Frame {
  const data: z.input<typeof progressEventSchema> = {
    task_id: taskId,
    batch_id: batchId,
    ...progressView(progress),
  }
  return { taskId, batchId, text: `event: progress\ndata: ${JSON.stringify(data)}\n\n` }
}

/** `ready`: the stream goes on behind `seq`. `reset`: so it does, but what was before that is not known any more. */
export function positionFrame(type: 'ready' | 'reset', seq: number): string {
  const data: z.input<typeof positionEventSchema> = { last_event_id: String(seq) }
  return textOf(seq, type, data)
}
