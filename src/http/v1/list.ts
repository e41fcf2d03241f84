import { z } from 'zod'

const PREFIX = 's'

/** A place in a list, as answers show it: `next`. */
export const toCursor = (seq: number | null): string | null =>
  seq === null ? null : Buffer.from(`${PREFIX}${seq}`).toString('base64url')

const fromCursor = (text: string): number | null => {
  const seq = /^s(\d{1,15})$/.exec(Buffer.from(text, 'base64url').toString('latin1'))?.[1]
  return seq === undefined ? null : Number(seq)
}

/** `cursor` of a list: what an answer had as `next`. */
export const cursorField = z
  .string()
  .max(64)
  .transform(fromCursor)
  .refine((seq) => seq !== null, 'cursor must be what an answer had as next')
  .optional()
  .meta({ description: '`next` of the answer before' })

/** `limit` of a list. */
export const limitField = z.coerce
  .number({ error: 'limit must be a number from 1 to 200' })
  .int('limit must be a number from 1 to 200')
  .min(1, 'limit must be at least 1')
  .max(200, 'limit may be at most 200')
  .default(50)
  .meta({ description: 'Most entries of one answer' })

/** What a list answers with: some of it, and where it goes on; null when that was all. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), next: z.string().nullable() })

/** What a list answers with that is short enough for one answer. */
export const wholeListOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), next: z.null().meta({ description: 'All are in one answer' }) })

/** A page out of what was found when one more than `limit` was asked for. `cursorOf`: where the list goes on behind an entry. */
export function pageOf<T>(
  found: readonly T[],
  limit: number,
  cursorOf: (last: T) => string | null,
): Readonly<{ items: readonly T[]; next: string | null }> {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return { items, next: found.length > limit && last !== undefined ? cursorOf(last) : null }
}
