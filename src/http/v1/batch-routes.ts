import { z } from 'zod'
import type { Batch } from '../../db/batch-store.ts'
import { Refusal } from '../../domain/errors.ts'
import { isoTime, isoTimeOrNull } from '../../domain/iso-time.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { countsSchema } from './counts-schema.ts'
import { batchParams, type BatchParams } from './params.ts'

/** A batch or playlist as every part of this face shows it. */
export const batchSchema = z
  .strictObject({
    id: z.string(),
    title: z.string().nullable().meta({ description: 'What the site calls a playlist' }),
    url: z.string().nullable().meta({ description: 'Address of a playlist' }),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable().meta({ description: 'When the last of its tasks ended' }),
    total: z.number().int().min(0).meta({ description: 'Tasks, that of a playlist itself included' }),
    counts: countsSchema,
  })
  .meta({ id: 'Batch' })

/** `GET /v1/batches/:id`: what the tasks of a batch or playlist have come to. */
const getBatch = defineRoute<V1Context, null, BatchParams>({
  method: 'get',
  path: '/batches/:id',
  permission: null,
  params: batchParams,
  body: null,
  doc: {
    summary: 'Show a batch or playlist',
    description: 'Its tasks are listed by `GET /v1/tasks?batch=<id>`.',
    tag: 'Batches',
    answers: { 200: batchSchema },
  },
  async handle({ batches }, { key, params }) {
    const batch = await batches.get(key.id, params.id)
    if (!batch) throw new Refusal('not_found', 'Batch not found')
    return batchView(batch)
  },
})

/** Shows a batch in the shape of `batchSchema`. */
export function batchView({ id, title, url, createdAt, finishedAt, counts }: Batch): z.output<typeof batchSchema> {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return { id, title, url, created_at: isoTime(createdAt), finished_at: isoTimeOrNull(finishedAt), total, counts }
}

/** Tasks that belong together. */
export const batchRoutes: readonly AnyRoute<V1Context>[] = [getBatch]
