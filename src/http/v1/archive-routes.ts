import { z } from 'zod'
import { MAX_ARCHIVED, type ArchiveEntry, type ArchivePlace } from '../../db/archive-store.ts'
import { Refusal } from '../../domain/errors.ts'
import { isoTime } from '../../domain/iso-time.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { limitField, listOf, pageOf } from './list.ts'

/** Lines of one import, and characters of each. */
const MAX_LINES = 10_000
const MAX_LINE_CHARS = 300

const tag = 'Archive'
const permission = 'get_playlist'

const mediaId = z.string().meta({
  description: 'As in a download archive of yt-dlp: the site and its own id of the medium',
  example: 'youtube dQw4w9WgXcQ',
})

const cursor = z
  .string()
  .max(1_000)
  .transform(placeOf)
  .refine((place) => place !== null, 'cursor must be what an answer had as next')

const listQuery = z.strictObject({
  limit: limitField,
  cursor: cursor.optional().meta({ description: '`next` of the answer before' }),
})

const entrySchema = z
  .strictObject({
    media_id: mediaId,
    title: z.string().nullable(),
    task_id: z.string().nullable().meta({ description: 'The task that fetched it; null when it was imported' }),
    at: z.iso.datetime(),
  })
  .meta({ id: 'ArchiveEntry', description: 'A medium that playlists leave out with `skip_downloaded`' })

const archiveSchema = listOf(entrySchema)

/** `GET /v1/archive`: what the key has downloaded out of playlists. */
const getArchive = defineRoute<V1Context, null, null, z.output<typeof listQuery>>({
  method: 'get',
  path: '/archive',
  permission,
  counts: false,
  query: listQuery,
  body: null,
  doc: {
    summary: 'List the archive',
    description: 'What the key has downloaded out of playlists, the newest first.',
    tag,
    answers: { 200: archiveSchema },
  },
  async handle({ archive }, { key, query: { limit, cursor: after } }): Promise<z.input<typeof archiveSchema>> {
    const found = await archive.page(key.id, after ?? null, limit + 1)
    const { items, next } = pageOf(found, limit, cursorOf)
    return { items: items.map(entryView), next }
  },
})

const line = z
  .string()
  .trim()
  .max(MAX_LINE_CHARS, `a line may have at most ${MAX_LINE_CHARS} characters`)
  .regex(/^(?:[a-z0-9_.:+-]+ [^\s\p{Cc}]\P{Cc}*)?$/iu, 'a line must be a site and an id, such as youtube dQw4w9WgXcQ')

const importBody = z.strictObject({
  lines: z
    .array(line, { error: 'lines must be a list' })
    .max(MAX_LINES, `lines may have at most ${MAX_LINES} entries`)
    .meta({
      description: 'Lines of a download archive of yt-dlp; empty ones do not matter',
      example: ['youtube dQw4w9WgXcQ'],
    }),
})

const importAnswer = z.strictObject({ added: z.int().meta({ description: 'Those that were not there yet' }) })

/** `POST /v1/archive`: takes over a download archive of yt-dlp. */
const importArchive = defineRoute<V1Context, z.output<typeof importBody>>({
  method: 'post',
  path: '/archive',
  permission,
  body: importBody,
  doc: {
    summary: 'Import an archive',
    description: 'Takes over lines of a file that yt-dlp wrote with `--download-archive`.',
    tag,
    answers: { 200: importAnswer },
    examples: { 'Two media': { lines: ['youtube dQw4w9WgXcQ', 'vimeo 76979871'] } },
  },
  async handle({ archive }, { key, input }): Promise<z.input<typeof importAnswer>> {
    const ids = [...new Set(input.lines.filter((text) => text !== '').map(normalised))]
    if ((await archive.count(key.id)) + ids.length > MAX_ARCHIVED) {
      throw new Refusal('limit_exceeded', `An archive may have ${MAX_ARCHIVED} entries`)
    }
    return { added: await archive.bring(key.id, ids, Date.now()) }
  },
})

const params = z.object({ media_id: z.string().max(MAX_LINE_CHARS).meta({ description: 'Percent-encoded' }) })
const removedAnswer = z.strictObject({ removed: z.int() })

/** `DELETE /v1/archive/:media_id`: the medium is fetched again when a playlist has it. */
const removeFromArchive = defineRoute<V1Context, null, z.output<typeof params>>({
  method: 'delete',
  path: '/archive/:media_id',
  permission,
  counts: false,
  params,
  body: null,
  doc: { summary: 'Forget a medium', tag, answers: { 200: removedAnswer } },
  async handle({ archive, audit }, { key, params: { media_id: id }, req }): Promise<z.input<typeof removedAnswer>> {
    if (!(await archive.remove(key.id, id))) throw new Refusal('not_found', 'The archive does not have it')
    await audit.record(key, req, 'archive.deleted', { target: id })
    return { removed: 1 }
  },
})

/** `DELETE /v1/archive`. */
const clearArchive = defineRoute<V1Context>({
  method: 'delete',
  path: '/archive',
  permission,
  counts: false,
  body: null,
  doc: { summary: 'Forget the whole archive', tag, answers: { 200: removedAnswer } },
  async handle({ archive, audit }, { key, req }): Promise<z.input<typeof removedAnswer>> {
    const removed = await archive.clear(key.id)
    if (removed > 0) await audit.record(key, req, 'archive.deleted', { detail: `${removed} media` })
    return { removed }
  },
})

/** yt-dlp writes the site in lower case. */
function normalised(text: string): string {
  const space = text.indexOf(' ')
  return text.slice(0, space).toLowerCase() + text.slice(space)
}

const entryView = ({ mediaId: media_id, title, taskId: task_id, at }: ArchiveEntry): z.input<typeof entrySchema> => ({
  media_id,
  title,
  task_id,
  at: isoTime(at),
})

const cursorOf = ({ at, mediaId: id }: ArchivePlace): string => Buffer.from(`${at} ${id}`).toString('base64url')

function placeOf(text: string): ArchivePlace | null {
  const match = /^(\d{1,15}) (.+)$/s.exec(Buffer.from(text, 'base64url').toString())
  return match ? { at: Number(match[1]), mediaId: match[2] ?? '' } : null
}

/** What the key has downloaded out of playlists. */
export const archiveRoutes: readonly AnyRoute<V1Context>[] = [
  getArchive,
  importArchive,
  clearArchive,
  removeFromArchive,
]
