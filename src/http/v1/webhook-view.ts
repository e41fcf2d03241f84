import { z } from 'zod'
import type { BatchStore } from '../../db/batch-store.ts'
import { Refusal } from '../../domain/errors.ts'
import { WEBHOOK_EVENTS } from '../../domain/task.ts'
import { DELIVERY_STATES, type Delivery } from '../../domain/webhook.ts'
import { isoTime, isoTimeOrNull } from '../../domain/iso-time.ts'
import type { TaskService } from '../../tasks/service.ts'
import { batchSchema, batchView } from './batch-routes.ts'
import { taskSchema, taskView } from './task-view.ts'

/** What a webhook is sent. */
export const webhookMessageSchema = z
  .strictObject({
    type: z.enum([...WEBHOOK_EVENTS, 'ping']),
    timestamp: z.iso.datetime().meta({ description: 'When it happened' }),
    data: z.strictObject({
      task_id: z.string().nullable(),
      batch_id: z.string().nullable(),
      task: taskSchema.nullable().meta({ description: 'Of `task.…`: the task as it was then' }),
      batch: batchSchema.nullable().meta({ description: 'Of `batch.completed`' }),
    }),
  })
  .meta({ id: 'WebhookMessage' })

type Message = z.input<typeof webhookMessageSchema>

/** A delivery without what was sent. */
export const deliverySchema = z
  .strictObject({
    id: z.string().meta({ description: 'The `webhook-id` it goes out with, the same at every attempt' }),
    event: z.enum(WEBHOOK_EVENTS),
    task_id: z.string().nullable(),
    batch_id: z.string().nullable(),
    url: z.string(),
    state: z.enum(DELIVERY_STATES),
    attempts: z.int().min(0),
    next_attempt_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
    last_status: z.int().nullable().meta({ description: 'What the receiver answered with; null when it did not' }),
    last_error: z.string().nullable().meta({ description: 'Why the latest attempt failed' }),
  })
  .meta({ id: 'WebhookDelivery' })

/** A delivery with what was sent. */
export const fullDeliverySchema = deliverySchema
  .extend({
    body: z.string().nullable().meta({ description: 'What is sent, to the letter: a `WebhookMessage`' }),
    log: z
      .array(
        z.strictObject({
          at: z.iso.datetime(),
          status: z.int().nullable().meta({ description: 'What the receiver answered with; null when it did not' }),
          error: z.string().nullable().meta({ description: 'Null when it was delivered' }),
        }),
      )
      .meta({ description: 'The latest attempts, oldest first, those before a redelivery included' }),
  })
  .meta({ id: 'WebhookDeliveryWithBody' })

/** Shows a delivery in the shape of `deliverySchema`. */
export const deliveryView = (delivery: Delivery): z.input<typeof deliverySchema> => ({
  id: delivery.id,
  event: delivery.event,
  task_id: delivery.taskId,
  batch_id: delivery.batchId,
  url: delivery.url,
  state: delivery.state,
  attempts: delivery.attempts,
  next_attempt_at: isoTimeOrNull(delivery.nextAt),
  created_at: isoTime(delivery.createdAt),
  finished_at: isoTimeOrNull(delivery.finishedAt),
  last_status: delivery.lastStatus,
  last_error: delivery.lastError,
})

/** The message that only tries a webhook out. */
export const pingMessage = (): Message => ({
  type: 'ping',
  timestamp: isoTime(Date.now()),
  data: { task_id: null, batch_id: null, task: null, batch: null },
})

/** What the `data` of messages is made of. */
export function createDescribe({
  tasks,
  batches,
}: Readonly<{ tasks: Pick<TaskService, 'view'>; batches: BatchStore }>) {
  return async ({ keyId, event, taskId, batchId }: Delivery): Promise<Message['data']> => {
    const batch = event === 'batch.completed' && batchId !== null ? await batches.get(keyId, batchId) : null
    return {
      task_id: taskId,
      batch_id: batchId,
      task: taskId === null ? null : await taskOrNull(tasks, taskId),
      batch: batch && batchView(batch),
    }
  }
}

/** Null when it was removed before the message could be written. */
async function taskOrNull(tasks: Pick<TaskService, 'view'>, id: string): Promise<Message['data']['task']> {
  try {
    return taskView(await tasks.view(null, id))
  } catch (err) {
    if (err instanceof Refusal && err.code === 'task_not_found') return null
    throw err
  }
}
