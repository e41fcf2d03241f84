import type { Request } from 'express'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import { defineRoute, type AnyRoute, type RouteDoc } from '../route.ts'
import type { V1Context } from './context.ts'
import { taskParams, type TaskParams } from './params.ts'

const lastEventId = z.coerce
  .number()
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .optional()
  .meta({ description: 'As the header `Last-Event-ID`, which counts more', example: 120 })

const taskEventsQuery = z.strictObject({ last_event_id: lastEventId })

const eventsQuery = z.strictObject({
  batch: z.string().min(1).max(64).optional().meta({ description: 'Only tasks of this batch or playlist' }),
  last_event_id: lastEventId,
})

const STREAM =
  'Server-sent events. `ready` comes first and carries the id to come back with. `task` is a change of state ' +
  '(`TaskEvent`): each once, in order, with an id; so is `removed`, when there is no such task any more. `progress` tells twice a second how far a running task is ' +
  '(`ProgressEvent`); it has no id and is left out for readers that are slow. `reset` means that what was missed is not ' +
  'known any more: list the tasks anew. A comment every 15 seconds keeps the connection up.'

const docOf = (summary: string, description: string, more: Readonly<Record<number, null>> = {}): RouteDoc => ({
  summary,
  description,
  tag: 'Events',
  answers: { 200: 'text/event-stream', ...more },
  headers: { 'Last-Event-ID': 'Id of the last event that was received: what came behind it is sent first' },
})

/** `GET /v1/events`: what happens to the key's tasks. */
const streamEvents = defineRoute<V1Context, null, null, z.output<typeof eventsQuery>>({
  method: 'get',
  path: '/events',
  permission: null,
  query: eventsQuery,
  body: null,
  doc: docOf(
    'Follow all tasks of the key',
    `${STREAM} Open the stream first and list the tasks then, so that none is missed.`,
  ),
  async handle({ streams }, { key, query, req, res }) {
    const filter = { taskId: null, batchId: query.batch ?? null }
    await streams.open(key, res, { filter, after: positionOf(req, query.last_event_id) })
  },
})

/** `GET /v1/tasks/:id/events`: what happens to one task, until it has ended. */
const streamTaskEvents = defineRoute<V1Context, null, TaskParams, z.output<typeof taskEventsQuery>>({
  method: 'get',
  path: '/tasks/:id/events',
  permission: null,
  params: taskParams,
  query: taskEventsQuery,
  body: null,
  doc: docOf(
    'Follow one task to its end',
    `${STREAM} A new stream begins with the task as it is, and every stream ends with the task; coming back then is ` +
      'answered with 204, at which an EventSource stops.',
    { 204: null },
  ),
  async handle({ streams }, { key, params, query, req, res }) {
    const filter = { taskId: params.id, batchId: null }
    await streams.open(key, res, { filter, after: positionOf(req, query.last_event_id) })
  },
})

/** Live progress. */
export const eventRoutes: readonly AnyRoute<V1Context>[] = [streamEvents, streamTaskEvents]

/** The last event that the client has seen, null when it begins. */
function positionOf(req: Request, fromQuery: number | undefined): number | null {
  const header = req.get('last-event-id')
  if (header === undefined || header === '') return fromQuery ?? null
  if (/^\d{1,15}$/.test(header)) return Number(header)
  const message = 'Last-Event-ID is not the id of an event'
  throw new Refusal('invalid_request', message, { details: [{ field: 'Last-Event-ID', message }] })
}
