import { permissionOf } from '../../domain/permissions.ts'
import type { TaskRequest } from '../../domain/task.ts'
import { defineRoute, type Route } from '../route.ts'
import { submittedSchema } from './answers.ts'
import { CORE_KINDS, shownFields, submissionBody, type CoreKind } from './body.ts'
import type { CoreContext } from './context.ts'

const SUMMARIES: Readonly<Record<CoreKind, string>> = {
  video: 'Download a video',
  audio: 'Download a sound',
  live_video: 'Record a live stream',
  live_audio: 'Record the sound of a live stream',
  info: 'Find out about a medium',
}

const url = 'https://www.youtube.com/watch?v=jNQXAC9IVRw'

const EXAMPLES: Readonly<Record<CoreKind, Readonly<Record<string, unknown>>>> = {
  video: {
    'As it comes': { url },
    'A clip in MP4': {
      url,
      video_format: 'bestvideo[height<=1080]',
      start_time: '00:00:05',
      end_time: 12,
      output_format: 'mp4',
    },
  },
  audio: { 'As MP3': { url, output_format: 'mp3' } },
  live_video: { 'The last minute and the next': { url, start: 60, duration: 120 } },
  live_audio: { 'A minute from now': { url, duration: 60 } },
  info: { 'Of a video': { url } },
}

/** `POST /get_<kind>`: queues a task and answers at once. */
const postTask = (kind: CoreKind): Route<CoreContext, TaskRequest> =>
  defineRoute({
    method: 'post',
    path: `/${permissionOf(kind)}`,
    permission: permissionOf(kind),
    body: submissionBody(kind),
    doc: {
      summary: SUMMARIES[kind],
      tag: 'Core: tasks',
      answers: { 200: submittedSchema },
      examples: EXAMPLES[kind],
    },
    async handle({ tasks }, { input, key, req }) {
      return { status: 'waiting', task_id: await tasks.submit(key, input, shownFields(kind, req.body)) }
    },
  })

/** One for each kind of task. */
export const postTaskRoutes = CORE_KINDS.map(postTask)
