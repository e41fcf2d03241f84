import { z } from 'zod'
import type { Queue } from '../../tasks/queue.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'

const queueSchema = z
  .strictObject({
    paused: z.boolean().meta({ description: 'Tasks are accepted and wait; running ones go on' }),
    waiting: z.number().int().min(0).meta({ description: 'Tasks of all keys' }),
    processing: z.number().int().min(0).meta({ description: 'Tasks of all keys' }),
    cooling_sites: z.array(z.string()).meta({ description: 'Sites that are being left in peace for a while' }),
    disk_full: z.boolean().meta({ description: 'Tasks wait until there is space again' }),
  })
  .meta({ id: 'Queue' })

async function queueView(queue: Queue): Promise<z.output<typeof queueSchema>> {
  const { isPaused, waiting, processing, coolingSites, diskIsFull } = await queue.view()
  return { paused: isPaused, waiting, processing, cooling_sites: [...coolingSites], disk_full: diskIsFull }
}

/** `GET /v1/queue`: the queue of all keys together. */
const getQueue = defineRoute<V1Context>({
  method: 'get',
  path: '/queue',
  permission: null,
  body: null,
  doc: { summary: 'Show the queue as a whole', tag: 'Queue', answers: { 200: queueSchema } },
  handle: ({ queue }) => queueView(queue),
})

const switchQueue = (word: 'pause' | 'resume', summary: string) =>
  defineRoute<V1Context>({
    method: 'post',
    path: `/queue/${word}`,
    permission: 'manage_queue',
    counts: false,
    body: null,
    doc: {
      summary,
      description: 'It stays so when the server is started again.',
      tag: 'Queue',
      answers: { 200: queueSchema },
    },
    async handle({ queue, audit }, { key, req }) {
      await queue.setPaused(word === 'pause')
      await audit.record(key, req, word === 'pause' ? 'queue.paused' : 'queue.resumed')
      return queueView(queue)
    },
  })

/** The queue as a whole. */
export const queueRoutes: readonly AnyRoute<V1Context>[] = [
  getQueue,
  switchQueue('pause', 'Begin no more tasks'),
  switchQueue('resume', 'Begin tasks again'),
]
