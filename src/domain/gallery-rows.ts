import { z } from 'zod'

const text = z
  .union([z.string(), z.number()])
  .transform(String)
  .nullish()
  .transform((value) => value ?? null)
  .catch(null)

/** gallery-dl is told to print numbers as texts, because ids are larger than JavaScript's numbers. */
const amount = z.coerce
  .number()
  .nonnegative()
  .nullish()
  .transform((value) => value ?? null)
  .catch(null)

const link = z
  .string()
  .regex(/^https?:\/\//i)
  .nullish()
  .transform((value) => value ?? null)
  .catch(null)

const factsSchema = z.object({
  username: text,
  owner_id: text,
  id: text,
  pk: text,
  media_count: amount,
  media_id: text,
  post_shortcode: text,
  post_url: link,
  description: text,
  date: text,
  width: amount,
  height: amount,
  display_url: link,
  video_url: link,
})

/** What gallery-dl tells of an account's page, of a post in it, or of one file. */
export type GalleryFacts = z.output<typeof factsSchema>

/** The rows that gallery-dl prints of a page of Instagram: what stands above files, and the files, in order. */
export type GalleryRows = Readonly<{ heads: readonly GalleryFacts[]; files: readonly GalleryFacts[] }>

const HEAD = 2
const FILE = 3
const MAX_ROWS = 2_000

/** Null for what are no such rows. */
export function readGalleryRows(rows: unknown): GalleryRows | null {
  if (!Array.isArray(rows)) return null
  const of = (mark: number, place: number) =>
    rows.slice(0, MAX_ROWS).flatMap((row: unknown) => {
      const facts = Array.isArray(row) && row[0] === mark ? factsSchema.safeParse(row[place]).data : undefined
      return facts ? [facts] : []
    })
  return { heads: of(HEAD, 1), files: of(FILE, 2) }
}

/** Seconds since the epoch of `2024-05-17 15:20:00`, which is UTC; null for anything else. */
export function secondsOf(date: string | null): number | null {
  if (date === null || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(date)) return null
  return Date.parse(`${date.replace(' ', 'T')}Z`) / 1000
}
