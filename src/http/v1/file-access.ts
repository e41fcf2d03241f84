import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import type { FinishedBatch } from '../../db/finished-files.ts'
import type { Task } from '../../domain/task.ts'
import { isoTime, isoTimeOrNull } from '../../domain/iso-time.ts'
import type { V1Context } from './context.ts'

/** What a signed address carries; `identify` has looked at it by the time a query is parsed. */
export const SIGNED_QUERY = {
  key: z.string().optional().meta({ description: 'Of a link: the id of the key that made it' }),
  expires: z.string().optional().meta({ description: 'Of a link: until when it works' }),
  signature: z.string().optional().meta({ description: 'Of a link' }),
} as const

/** For the description of a route that knows signed addresses. */
export const SIGNED = 'A link that was made for it needs no key.'

/** The key's own batch. Refuses `not_found`. */
export async function requireBatch({ finished }: V1Context, key: ApiKey, id: string): Promise<FinishedBatch> {
  const batch = await finished.batch(key.id, id)
  if (!batch) throw new Refusal('not_found', 'Batch not found')
  return batch
}

/** An address that needs no key. */
export const linkSchema = z
  .strictObject({
    url: z.string().meta({ description: 'Absolute; works without a key' }),
    expires_at: z.iso.datetime(),
    removed_at: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When the files themselves are removed; null while the batch goes on' }),
  })
  .meta({ id: 'Link' })

/** The key's own task, once it has files. Refuses `task_not_found`, and `conflict` before. */
export async function requireCompleted({ tasks }: V1Context, key: ApiKey, id: string): Promise<Task> {
  const { task } = await tasks.view(key, id)
  if (task.state !== 'completed') throw new Refusal('conflict', `A task that is ${task.state} has no files`)
  return task
}

/** How long a link works. */
export const linkBody = z.strictObject({
  expires_in: z
    .int()
    .min(60)
    .max(7 * 86_400)
    .default(86_400)
    .meta({ description: 'Seconds for which the link works' }),
})

/** A link as it is answered. Times are milliseconds since the epoch. */
export function linkOf(url: string, expiresAt: number, removedAt: number | null): z.output<typeof linkSchema> {
  return {
    url,
    expires_at: isoTime(expiresAt),
    removed_at: isoTimeOrNull(removedAt),
  }
}
