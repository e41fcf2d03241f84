import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import { FILE_KINDS, type Task } from '../../domain/task.ts'
import { isoTime } from '../../domain/iso-time.ts'
import { baseUrlOf, filePath, removalOf, signedUntil } from '../files/links.ts'
import { mediaTypeOf } from '../files/media-type.ts'
import { sendFile } from '../files/send-file.ts'
import { signedAddress } from '../files/signed-call.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { feedRoutes } from './feed-routes.ts'
import { linkBody as linkTerms, linkOf, linkSchema, requireCompleted } from './file-access.ts'
import { taskParams, type TaskParams } from './params.ts'
import { zipRoutes } from './zip-routes.ts'

const TAG = 'Files'

/** A file's own type. */
const ANY = '*/*'

/** How long an answer waits for checksums; the work goes on behind it. */
const CHECKSUM_WAIT_MS = 60_000

/** Containers that every current browser plays. */
const PLAYED = new Set(['mp4', 'm4v', 'webm', 'mp3', 'm4a', 'aac', 'ogg', 'oga', 'opus', 'flac', 'wav'])

const fileParams = taskParams.extend({
  name: z.string().max(1024).meta({ description: 'Name of the file, as the list has it', example: 'video.mp4' }),
})

const listQuery = z.strictObject({
  checksum: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Find out SHA-256 where it is not known; waits up to 60 seconds for it' }),
})

/** A finished file, as it is listed. */
const storedFileSchema = z
  .strictObject({
    name: z.string().meta({ example: 'video.mp4' }),
    kind: z.enum(FILE_KINDS),
    size: z.int().min(0).meta({ description: 'Bytes' }),
    type: z.string().meta({ description: 'MIME type', example: 'video/mp4' }),
    duration: z.number().nullable().meta({ description: 'Seconds' }),
    width: z.number().nullable().meta({ description: 'Pixels' }),
    height: z.number().nullable().meta({ description: 'Pixels' }),
    note: z.string().nullable().meta({ description: 'What to know of it, such as why a recording is shorter' }),
    sha256: z.string().nullable().meta({ description: 'Hex; null as long as nobody has asked for it by `checksum`' }),
    url: z.string().meta({ description: 'Where to fetch it, with the same key' }),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'StoredFile' })

const fileListSchema = z.strictObject({ items: z.array(storedFileSchema) }).meta({ id: 'StoredFileList' })

const linkBody = linkTerms.extend({
  name: z.string().max(1024).optional().meta({ description: 'Which file; left out: the main one' }),
  inline: z.boolean().default(false).meta({ description: 'Show the file in the browser instead of saving it' }),
  zip: z.boolean().default(false).meta({ description: 'A zip of all files of the task instead of one file' }),
})

/** `GET /v1/tasks/:id/files` */
const listFiles = defineRoute<V1Context, null, TaskParams, z.output<typeof listQuery>>({
  method: 'get',
  path: '/tasks/:id/files',
  permission: null,
  params: taskParams,
  query: listQuery,
  body: null,
  doc: {
    summary: 'List the files of a task',
    description: 'The file that was asked for comes first. Empty until the task is completed.',
    tag: TAG,
    answers: { 200: fileListSchema },
  },
  async handle({ tasks, checksums }, { key, params, query, res }) {
    const { task } = await tasks.view(key, params.id)
    const gone = new AbortController()
    res.once('close', () => gone.abort())
    const patience = AbortSignal.any([gone.signal, AbortSignal.timeout(CHECKSUM_WAIT_MS)])
    const found = query.checksum === 'true' ? await checksums.of(task, patience) : new Map<string, string>()
    const items = task.files.map(({ name, kind, size, duration, width, height, note, sha256 }) => ({
      ...{ name, kind, size, type: mediaTypeOf({ name, kind }) ?? 'application/octet-stream' },
      ...{ duration, width, height, note, sha256: sha256 ?? found.get(name) ?? null },
      ...{ url: filePath(task.id, name), created_at: isoTime(task.finishedAt ?? task.createdAt) },
    }))
    return { items } satisfies z.input<typeof fileListSchema>
  },
})

const fileQuery = z.strictObject({
  raw: z.string().optional().meta({ description: 'Present: the file is shown in the browser where that is safe' }),
  download: z.string().optional().meta({ description: 'Present: the file is saved, whatever else is asked for' }),
})

/** `GET /v1/tasks/:id/files/:name` */
const getFile = defineRoute<V1Context, null, z.output<typeof fileParams>, z.output<typeof fileQuery>>({
  method: 'get',
  path: '/tasks/:id/files/:name',
  permission: null,
  params: fileParams,
  query: fileQuery,
  body: null,
  doc: {
    summary: 'Fetch a file',
    description: 'Knows `Range`, `If-Range`, `If-None-Match` and `HEAD`. A finished file never changes.',
    tag: TAG,
    answers: { 200: ANY, 206: ANY, 304: null },
    headers: { Range: 'The bytes that are wanted, such as `bytes=0-1048575`' },
  },
  async handle({ tasks, files }, { key, params, req, res }) {
    const { task } = await tasks.view(key, params.id)
    await sendFile(files, { task, file: fileOf(task, params.name) }, req, res)
  },
})

/** By the exact name on record: no path can be talked into another. */
function fileOf(task: Task, name: string) {
  const file = task.state === 'completed' ? task.files.find((known) => known.name === name) : undefined
  if (!file) throw new Refusal('file_not_found', 'File not found')
  return file
}

/** `POST /v1/tasks/:id/links` */
const createLink = defineRoute<V1Context, z.output<typeof linkBody>, TaskParams>({
  method: 'post',
  path: '/tasks/:id/links',
  permission: null,
  params: taskParams,
  body: linkBody,
  status: 201,
  doc: {
    summary: 'Make a link to a file that needs no key',
    description: 'Whoever has the link can fetch that one file until it expires, or the file is removed.',
    tag: TAG,
    answers: { 201: linkSchema },
    examples: { 'a day': { expires_in: 86_400 }, 'a video to be shown': { expires_in: 3_600, inline: true } },
  },
  async handle(ctx, { key, params, input, req }) {
    const task = await requireCompleted(ctx, key, params.id)
    const { name, inline, zip } = input
    if (zip && (name !== undefined || inline)) {
      const message = 'zip goes with neither name nor inline'
      throw new Refusal('invalid_request', message, { details: [{ field: 'zip', message }] })
    }
    const base = baseUrlOf(req, ctx.settings.publicBaseUrl)
    const expiresAt = Date.now() + input.expires_in * 1000
    const batch = task.batchId === null ? null : await ctx.finished.batch(key.id, task.batchId)
    const removedAt = removalOf(task, batch, ctx.settings.retentionMs)
    const by = { seal: ctx.seal, expiresAt }
    const url = zip
      ? signedAddress(base, `/v1/tasks/${task.id}/zip`, { ...by, keyId: key.id })
      : signedUntil(base, filePath(task.id, fileOf(task, name ?? task.file?.name ?? '').name), by)
    return linkOf(inline ? `${url}&raw=true` : url, expiresAt, removedAt)
  },
})

/** `GET /v1/tasks/:id/thumbnail` */
const getThumbnail = defineRoute<V1Context, null, TaskParams>({
  method: 'get',
  path: '/tasks/:id/thumbnail',
  permission: null,
  params: taskParams,
  body: null,
  doc: {
    summary: 'Show a picture of what was downloaded',
    description: 'The thumbnail that was asked for; else a frame of the video, or the cover that a sound carries.',
    tag: TAG,
    answers: { 200: ANY, 304: null },
  },
  async handle(ctx, { key, params, req, res }) {
    const task = await requireCompleted(ctx, key, params.id)
    const name = await ctx.thumbnails.nameOf(task)
    if (name === null) throw new Refusal('file_not_found', 'There is no picture of this')
    await sendFile(ctx.files, { task, file: { name }, inline: true }, req, res)
  },
})

/** `GET /v1/tasks/:id/stream` */
const streamFile = defineRoute<V1Context, null, TaskParams>({
  method: 'get',
  path: '/tasks/:id/stream',
  permission: null,
  params: taskParams,
  body: null,
  doc: {
    summary: 'Play the main file in a browser',
    description:
      'The file as it is, shown in place and in parts, where browsers play its container; 409 with what to ask for instead where they do not. ' +
      'For a player that cannot send a key, make a link with `inline`.',
    tag: TAG,
    answers: { 200: ANY, 206: ANY, 304: null },
    headers: { Range: 'The bytes that are wanted' },
  },
  async handle(ctx, { key, params, req, res }) {
    const task = await requireCompleted(ctx, key, params.id)
    const file = task.files.find(({ kind }) => kind === 'video' || kind === 'audio')
    if (!file) throw new Refusal('conflict', 'There is nothing to play: the task made no video and no audio')
    const extension = file.name.slice(file.name.lastIndexOf('.') + 1).toLowerCase()
    if (!PLAYED.has(extension)) {
      const better = file.kind === 'video' ? 'container mp4 or webm' : 'audio_codec mp3, m4a or opus'
      throw new Refusal('conflict', `Browsers do not play ${extension}: ask for ${better}`)
    }
    await sendFile(ctx.files, { task, file, inline: true }, req, res)
  },
})

/** Files of tasks and batches. */
export const fileRoutes: readonly AnyRoute<V1Context>[] = [
  listFiles,
  getFile,
  createLink,
  getThumbnail,
  streamFile,
  ...zipRoutes,
  ...feedRoutes,
]
