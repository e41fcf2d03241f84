import { permissionOf } from '../../domain/permissions.ts'
import { TASK_KINDS, type TaskKind, type TaskRequest } from '../../domain/task.ts'
import { defineRoute, type Route } from '../route.ts'
import { shownFields, submissionBody } from './body.ts'
import type { CoreContext } from './context.ts'

/** `POST /get_<kind>`: queues a task and answers at once. */
const postTask = (kind: TaskKind): Route<CoreContext, TaskRequest> =>
  defineRoute({
    method: 'post',
    path: `/${permissionOf(kind)}`,
    permission: permissionOf(kind),
    body: submissionBody(kind),
    async handle({ tasks }, { input, key, req }) {
      return { status: 'waiting', task_id: await tasks.submit(key, input, shownFields(kind, req.body)) }
    },
  })

/** One for each kind of task. */
export const postTaskRoutes = TASK_KINDS.map(postTask)
