import type { Request, Response } from 'express'
import { z } from 'zod'
import { isFinal, TASK_KINDS, TASK_STATES, type TaskState } from '../../domain/task.ts'
import type { ApiKey } from '../../domain/key.ts'
import { etagOf, isNamed } from '../etag.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { countsSchema } from './counts-schema.ts'
import { cursorField, limitField, listOf, toCursor } from './list.ts'
import { selectionRoutes } from './selection-routes.ts'
import { submitTasks } from './submit-route.ts'
import { taskActionRoutes } from './task-action-routes.ts'
import { taskParams, type TaskParams } from './params.ts'
import { taskSchema, taskView } from './task-view.ts'

const MAX_WAIT_S = 60

/** A list of words in a query: `a,b`, or the name twice. */
const words = <const T extends readonly [string, ...string[]]>(name: string, known: T) =>
  z
    .union([z.string(), z.array(z.string())])
    .transform((value) => [...new Set([value].flat().flatMap((part) => part.split(',')))])
    .pipe(z.array(z.enum(known, { error: `${name} must be one or several of ${known.join(', ')}` })).min(1))
    .optional()
    .meta({ description: `One or several of ${known.join(', ')}, with commas between`, example: known[0] })

const moment = (name: string) =>
  z.iso
    .datetime({ offset: true, error: `${name} must be a time with its zone, such as 2026-01-31T08:00:00Z` })
    .transform((value) => Date.parse(value))
    .optional()

const listQuery = z.strictObject({
  status: words('status', TASK_STATES),
  kind: words('kind', TASK_KINDS),
  batch: z.string().max(64).optional().meta({ description: 'Id of a batch or playlist' }),
  text: z
    .string()
    .min(1, 'text must not be empty')
    .max(200, 'text may have at most 200 characters')
    .optional()
    .meta({ description: 'In the address or the title, whatever the case' }),
  created_after: moment('created_after').meta({ description: 'Then or later' }),
  created_before: moment('created_before').meta({ description: 'Earlier than that' }),
  limit: limitField,
  cursor: cursorField,
})

type ListQuery = z.output<typeof listQuery>

/** `GET /v1/tasks`: the key's tasks, newest first. */
const listTasks = defineRoute<V1Context, null, null, ListQuery>({
  method: 'get',
  path: '/tasks',
  permission: null,
  costly: true,
  query: listQuery,
  body: null,
  doc: {
    summary: 'List tasks, newest first',
    description:
      'A page may have fewer entries than `limit`, even none, while `next` is not null: an answer looks at some thousand ' +
      'tasks only. Go on until `next` is null. `counts` are of all tasks of the key, whatever the filter.',
    tag: 'Tasks',
    answers: {
      200: z.strictObject({ ...listOf(taskSchema).shape, counts: countsSchema }).meta({ id: 'TaskPage' }),
    },
  },
  async handle({ tasks, list }, { key, query }) {
    const filter = {
      states: query.status ?? null,
      kinds: query.kind ?? null,
      batchId: query.batch ?? null,
      text: query.text ?? null,
      createdAfter: query.created_after ?? null,
      createdBefore: query.created_before ?? null,
    }
    const [page, counts] = await Promise.all([
      list.page({ keyId: key.id, filter, before: query.cursor ?? null, limit: query.limit }),
      list.counts(key.id),
    ])
    const views = await Promise.all(page.items.map((task) => tasks.viewOf(task)))
    return { items: views.map(taskView), next: toCursor(page.next), counts }
  },
})

const waitQuery = z.strictObject({
  wait: z.coerce
    .number({ error: `wait must be a number of seconds from 0 to ${MAX_WAIT_S}` })
    .min(0, 'wait must not be negative')
    .max(MAX_WAIT_S, `wait may be at most ${MAX_WAIT_S} seconds`)
    .default(0)
    .meta({ description: 'Seconds to wait for a change' }),
})

/** `GET /v1/tasks/:id`: one task, at once or when it changes. */
const getTask = defineRoute<V1Context, null, TaskParams, z.output<typeof waitQuery>>({
  method: 'get',
  path: '/tasks/:id',
  permission: null,
  params: taskParams,
  query: waitQuery,
  body: null,
  doc: {
    summary: 'Show a task',
    description:
      'With `wait`, the answer comes when something has changed: the task is no longer the one that `If-None-Match` ' +
      'names, or its state or progress changed while you waited. When the time is over it is 304 if you sent ' +
      '`If-None-Match`, else the task as it is. Without `If-None-Match`, a task that has ended is shown at once.',
    tag: 'Tasks',
    answers: { 200: taskSchema, 304: null },
    headers: { 'If-None-Match': 'The `ETag` of an earlier answer' },
  },
  async handle(ctx, { key, params, query, req, res }) {
    const known = req.get('if-none-match')
    const latest =
      query.wait > 0 ? await waitForChange(ctx, { key, id: params.id, ms: query.wait * 1000, req, res }) : null
    if (res.closed) return
    const { body, etag } = latest ?? (await readTask(ctx, key, params.id))
    res.setHeader('ETag', etag)
    res.setHeader('Cache-Control', 'private, no-cache')
    if (isNamed(etag, known)) res.status(304).end()
    else res.type('json').send(body)
  },
})

type Read = Readonly<{ state: TaskState; body: string; etag: string }>

async function readTask({ tasks }: V1Context, key: ApiKey, id: string): Promise<Read> {
  const view = await tasks.view(key, id)
  const body = JSON.stringify(taskView(view))
  return { state: view.task.state, body, etag: etagOf(body) }
}

/** Null when nothing has changed within the time, or the client has gone. */
async function waitForChange(
  ctx: V1Context,
  { key, id, ms, req, res }: Readonly<{ key: ApiKey; id: string; ms: number; req: Request; res: Response }>,
): Promise<Read | null> {
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  let known = req.get('if-none-match')
  return ctx.waits.until({ keyId: key.id, taskId: id, ms, signal: gone.signal }, async () => {
    const read = await readTask(ctx, key, id)
    if (known === undefined && !isFinal(read.state)) {
      known = read.etag // of the first look: what it changes from
      return null
    }
    return isNamed(read.etag, known) ? null : read
  })
}

/** Tasks, alone and several at once. */
export const taskRoutes: readonly AnyRoute<V1Context>[] = [
  submitTasks,
  listTasks,
  getTask,
  ...taskActionRoutes,
  ...selectionRoutes,
]
