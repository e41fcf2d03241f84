import { z } from 'zod'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { whole } from './task-fields.ts'
import { taskParams, type TaskParams } from './params.ts'
import { taskSchema, taskView } from './task-view.ts'

/** `POST /v1/tasks/:id/cancel`: ends a task that waits or runs. */
const cancelTask = defineRoute<V1Context, null, TaskParams>({
  method: 'post',
  path: '/tasks/:id/cancel',
  permission: null,
  params: taskParams,
  body: null,
  doc: {
    summary: 'End a task that waits or runs',
    description: 'A playlist ends with everything it made that has not ended yet.',
    tag: 'Tasks',
    answers: { 200: taskSchema },
  },
  async handle({ tasks }, { key, params }) {
    await tasks.cancel(key, params.id)
    return taskView(await tasks.view(key, params.id))
  },
})

/** `POST /v1/tasks/:id/retry`: costs a key as much as a new task. */
const retryTask = defineRoute<V1Context, null, TaskParams>({
  method: 'post',
  path: '/tasks/:id/retry',
  permission: null,
  counts: true,
  params: taskParams,
  body: null,
  doc: {
    summary: 'Try a task again that ended without a file',
    description:
      'Of a playlist, also what it made and was cancelled; for what failed, `POST /v1/tasks/retry` with `batch`.',
    tag: 'Tasks',
    answers: { 200: taskSchema },
  },
  async handle({ tasks }, { key, params }) {
    await tasks.retry(key, params.id)
    return taskView(await tasks.view(key, params.id))
  },
})

/** How soon a waiting task is begun, beside others of its key. */
export const priorityField = whole('priority', -100, 100).meta({ description: 'Higher ones of a key run first' })

const priorityBody = z.strictObject({ priority: priorityField })

/** `POST /v1/tasks/:id/priority`: moves a waiting task before or behind others. */
const prioritiseTask = defineRoute<V1Context, z.output<typeof priorityBody>, TaskParams>({
  method: 'post',
  path: '/tasks/:id/priority',
  permission: null,
  params: taskParams,
  body: priorityBody,
  doc: { summary: 'Move a waiting task before or behind others', tag: 'Tasks', answers: { 200: taskSchema } },
  async handle({ tasks }, { key, params, input }) {
    await tasks.prioritise(key, params.id, input.priority)
    return taskView(await tasks.view(key, params.id))
  },
})

/** `DELETE /v1/tasks/:id`: removes the record and the files. */
const deleteTask = defineRoute<V1Context, null, TaskParams>({
  method: 'delete',
  path: '/tasks/:id',
  permission: null,
  params: taskParams,
  body: null,
  doc: {
    summary: 'Remove a task with its files',
    description: 'One that waits or runs is ended first.',
    tag: 'Tasks',
    answers: { 200: z.strictObject({ id: z.string(), deleted: z.literal(true) }) },
  },
  async handle({ tasks, audit }, { key, params, req }) {
    await tasks.remove(key, params.id)
    await audit.record(key, req, 'tasks.deleted', { target: params.id })
    return { id: params.id, deleted: true }
  },
})

/** What is done to one task. */
export const taskActionRoutes: readonly AnyRoute<V1Context>[] = [cancelTask, retryTask, prioritiseTask, deleteTask]
