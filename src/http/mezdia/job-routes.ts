import type { Request } from 'express'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import { isFinal, type Task } from '../../domain/task.ts'
import { sendFile } from '../files/send-file.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { MezdiaContext } from './context.ts'
import { countField, linkTo, oneOf, textField, timeText } from './fields.ts'
import { fileNameOf, filesOf } from './job-files.ts'
import { idPrefixOf, jobIdOf } from './job-id.ts'
import {
  errorOf,
  findJob,
  JOB_STATUSES,
  listedJobs,
  progressOf,
  resultsOf,
  statusOf,
  withCounts,
  type Job,
} from './jobs.ts'

const tag = 'Mezdia: jobs'

const text = z.string().nullable()
const statusField = z.enum(JOB_STATUSES)

const fileSchema = z
  .strictObject({
    filename: z.string(),
    path: z.string(),
    size: z.number(),
    download_url: z.string(),
    title: text.optional(),
    video_index: z.number().optional(),
  })
  .meta({ id: 'MezdiaFile' })

const jobSchema = z
  .strictObject({
    job_id: z.string(),
    status: statusField,
    progress: z.int(),
    files: z.array(fileSchema),
    error: text,
    title: text,
    created_at: z.string(),
  })
  .meta({ id: 'MezdiaJob' })

export const byJobId = z.object({ id: textField.meta({ description: 'UUID of the job' }) })
export type ByJobId = z.output<typeof byJobId>

const getStatus = defineRoute<MezdiaContext, null, ByJobId>({
  method: 'get',
  path: '/status/:id',
  permission: null,
  params: byJobId,
  body: null,
  doc: { summary: 'How far a job is', tag, answers: { 200: jobSchema } },
  async handle(ctx, { key, params, req }) {
    const { items, ...job } = await findJob(ctx, key, params.id)
    return {
      job_id: jobIdOf(job.id),
      status: statusOf(job),
      progress: await progressOf(ctx, job),
      files: items.flatMap((task) => filesOf(task).map((file) => fileBody(req, job, task, file))),
      error: errorOf(job, items),
      title: await titleOf(ctx, job),
      created_at: timeText(job.head.createdAt),
    }
  },
})

function fileBody(req: Request, job: Job, task: Task, file: Task['files'][number]): z.input<typeof fileSchema> {
  const filename = fileNameOf(task, file)
  const { mezdia: type } = job.sent
  return {
    filename,
    path: `tmp/downloads/${filename}`, // as clients know it; no such folder is here
    size: file.size,
    download_url: linkTo(req, `/download/file/${filename}`),
    ...(type === 'batch' || type === 'playlist' ? { title: task.title } : {}),
    ...(type === 'playlist' && task.position !== null ? { video_index: task.position - 1 } : {}),
  }
}

/** Of a playlist what the site calls it; a batch has none. */
async function titleOf({ batches }: Pick<MezdiaContext, 'batches'>, { head, id }: Job): Promise<string | null> {
  if (head.batchId === null) return head.title
  return head.id === head.batchId ? ((await batches.get(head.keyId, id))?.title ?? null) : null
}

const byFileName = z.object({ name: textField.meta({ description: 'Name of the file, out of the status of its job' }) })

const getFile = defineRoute<MezdiaContext, null, z.output<typeof byFileName>>({
  method: 'get',
  path: '/download/file/:name',
  permission: null,
  params: byFileName,
  body: null,
  doc: { summary: 'Get a file', tag, answers: { 200: 'application/octet-stream', 206: 'application/octet-stream' } },
  async handle({ jobs, files }, { key, params: { name }, req, res }) {
    const prefix = idPrefixOf(name)
    const tasks = prefix === null ? [] : await jobs.beginningWith(key.id, prefix)
    const found = tasks
      .flatMap((task) => filesOf(task).map((file) => ({ task, file })))
      .find(({ task, file }) => fileNameOf(task, file) === name)
    if (!found) throw new Refusal('file_not_found', 'File not found')
    await sendFile(files, { ...found, offered: { name, type: 'application/octet-stream' } }, req, res)
  },
})

const postCancel = defineRoute<MezdiaContext, null, ByJobId>({
  method: 'post',
  path: '/jobs/:id/cancel',
  permission: null,
  params: byJobId,
  body: null,
  doc: {
    summary: 'Cancel a job',
    tag,
    answers: {
      200: z
        .strictObject({
          job_id: z.string(),
          status: z.literal('cancelled'),
          message: z.string(),
          cancelled_at: z.string(),
        })
        .meta({ id: 'MezdiaJobCancelled' }),
    },
  },
  async handle(ctx, { key, params }) {
    const job = await findJob(ctx, key, params.id)
    requireOpen(job)
    const isBatch = job.head.batchId !== null && job.head.id !== job.head.batchId
    const open = isBatch ? job.items.filter(({ state }) => !isFinal(state)) : [job.head]
    for (const { id } of open) await ctx.tasks.cancel(key, id).catch(unlessEnded)
    const now = await findJob(ctx, key, params.id)
    if (statusOf(now) !== 'cancelled') requireOpen(now)
    return {
      job_id: jobIdOf(job.id),
      status: 'cancelled',
      message: 'Download job has been cancelled',
      cancelled_at: timeText(Date.now()),
    }
  },
})

function requireOpen(job: Job): void {
  const status = statusOf(job)
  if (status === 'pending' || status === 'processing') return
  throw new Refusal(
    'conflict',
    `Cannot cancel job with status '${status}'. Only pending or processing jobs can be cancelled.`,
  )
}

/** A task that ended by itself needs no end. */
function unlessEnded(cause: unknown): void {
  if (!(cause instanceof Refusal && cause.code === 'conflict')) throw cause
}

const LISTED_TYPES = ['video', 'playlist', 'batch'] as const

const listQuery = z.object({
  skip: countField(0, 1_000_000).default(0).meta({ description: 'Jobs to pass over' }),
  limit: countField(1, 100).default(10).meta({ description: 'Most jobs of the answer' }),
  status: textField.optional().meta({ description: `One of ${JOB_STATUSES.join(', ')}` }),
  type: textField.optional().meta({ description: `One of ${LISTED_TYPES.join(', ')}` }),
})

const listSchema = z
  .strictObject({
    total: z.number(),
    skip: z.number(),
    limit: z.number(),
    jobs: z.array(
      z.strictObject({
        job_id: z.string(),
        status: statusField,
        type: z.string(),
        progress: z.int(),
        created_at: z.string(),
        files_count: z.number(),
        error_count: z.number(),
        title: text,
        total_urls: z.number().nullable(),
        completed_count: z.number().nullable(),
      }),
    ),
    has_more: z.boolean(),
  })
  .meta({ id: 'MezdiaJobs' })

const getJobs = defineRoute<MezdiaContext, null, null, z.output<typeof listQuery>>({
  method: 'get',
  path: '/jobs',
  permission: null,
  query: listQuery,
  body: null,
  doc: { summary: 'All jobs, the newest first', tag, answers: { 200: listSchema } },
  async handle(ctx, { key, query: { skip, limit, status, type } }) {
    const wantedType = type === undefined ? null : oneOf(LISTED_TYPES, type, 'type')
    const wanted = status === undefined ? null : oneOf(JOB_STATUSES, status, 'status')
    const all = (await listedJobs(ctx, key)).filter(({ sent }) => wantedType === null || sent.mezdia === wantedType)
    // What a batch has come to matters for all of them only where the status decides.
    const matching = wanted === null ? all : (await withCounts(ctx, all)).filter((job) => statusOf(job) === wanted)
    const page = await withCounts(ctx, matching.slice(skip, skip + limit))
    const total = matching.length
    return {
      total,
      skip,
      limit,
      jobs: await Promise.all(page.map((job) => summaryOf(ctx, job))),
      has_more: skip + limit < total,
    }
  },
})

async function summaryOf(ctx: MezdiaContext, job: Job) {
  const { files, errors, completed } = resultsOf(job)
  const { mezdia: type, total = null } = job.sent
  const isBatch = total !== null
  return {
    job_id: jobIdOf(job.id),
    status: statusOf(job),
    type,
    progress: await progressOf(ctx, job),
    created_at: timeText(job.head.createdAt),
    files_count: files,
    error_count: errors,
    title: isBatch ? null : await titleOf(ctx, job),
    total_urls: total,
    completed_count: isBatch ? Math.min(completed, total) : null,
  }
}

/** What is done with jobs and their files. */
export const jobRoutes: readonly AnyRoute<MezdiaContext>[] = [getStatus, getFile, postCancel, getJobs]
