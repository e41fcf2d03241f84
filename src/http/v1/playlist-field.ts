import { z } from 'zod'
import type { PlaylistWish } from '../../domain/task.ts'
import { flagField, text } from '../fields.ts'
import { ENTRY_KINDS } from './request-view.ts'
import { list, object, whole, word } from './task-fields.ts'

/** More entries than any playlist that is downloaded at once. */
const MAX_ENTRIES = 100_000
const MAX_ITEMS = 1000
const MAX_SECONDS = 7 * 86_400
const ITEM = 'an item must be a number from 1, "3-7" or "3-"'

const item = z
  .union([z.int({ error: ITEM }), z.string().max(16, ITEM)], { error: ITEM })
  .transform((value) => rangeOf(String(value)))
  .refine((range) => range !== null, ITEM)

const day = (name: string) =>
  text(name, 10)
    .refine((value) => z.iso.date().safeParse(value).success, `${name} must be a day such as 2026-01-31`)
    .nullish()
    .meta({ description: `YYYY-MM-DD; an entry whose day is unknown passes` })

const seconds = (name: string) =>
  z
    .number({ error: `${name} must be a number of seconds` })
    .min(0, `${name} must not be negative`)
    .max(MAX_SECONDS, `${name} may be at most ${MAX_SECONDS}`)
    .nullish()
    .meta({ description: 'Seconds; an entry whose duration is unknown passes' })

/** Which entries of a playlist, and what is made of each. */
export const playlistField = object('playlist', {
  kind: word('kind', ENTRY_KINDS).nullish().meta({ description: 'What is made of each entry; video if left out' }),
  items: list('items', item, MAX_ITEMS)
    .min(1, 'items must have at least one entry')
    .nullish()
    .meta({ description: 'Places from 1: numbers and ranges; all if left out', example: [1, '5-10', '20-'] }),
  date_after: day('date_after'),
  date_before: day('date_before'),
  min_duration: seconds('min_duration'),
  max_duration: seconds('max_duration'),
  title: text('title', 200).nullish().meta({ description: 'Text that the title contains, whatever the case' }),
  limit: whole('limit', 1, MAX_ENTRIES).nullish().meta({ description: 'At most so many of those that are left' }),
  skip_downloaded: flagField('skip_downloaded').nullish().meta({ description: "Leave out what the key's archive has" }),
})
  .refine(({ min_duration: min, max_duration: max }) => (min ?? 0) <= (max ?? Infinity), {
    error: 'max_duration must not be less than min_duration',
    path: ['max_duration'],
  })
  .refine(({ date_after: after, date_before: before }) => (after ?? '') <= (before ?? '9'), {
    error: 'date_before must not be earlier than date_after',
    path: ['date_before'],
  })

/** The field as a request has it. */
export function playlistWish(given: z.output<typeof playlistField>): PlaylistWish {
  return {
    kind: given.kind ?? 'video',
    items: given.items?.filter((range) => range !== null) ?? null,
    dateAfter: given.date_after ?? null,
    dateBefore: given.date_before ?? null,
    minDuration: given.min_duration ?? null,
    maxDuration: given.max_duration ?? null,
    title: given.title ?? null,
    limit: given.limit ?? null,
    skipDownloaded: given.skip_downloaded ?? false,
  }
}

function rangeOf(value: string): { from: number; to: number | null } | null {
  const match = /^(\d{1,6})(?:(-)(\d{1,6})?)?$/.exec(value)
  if (!match) return null
  const from = Number(match[1])
  const to = match[2] === undefined ? from : match[3] === undefined ? null : Number(match[3])
  return from < 1 || (to !== null && to < from) ? null : { from, to }
}
