import { create as contentDisposition } from 'content-disposition'
import type { Response } from 'express'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import type { Task } from '../../domain/task.ts'
import type { LocalFiles } from '../../files/local.ts'
import { sendFile } from '../files/send-file.ts'
import { sendZip, zipLength } from '../files/zip.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { MezdiaContext } from './context.ts'
import { linkTo, textField, timeText } from './fields.ts'
import { offeredFiles, pagesOfFile, zipEntriesOf } from './instagram-files.ts'
import { jobIdOf } from './job-id.ts'
import { byJobId, type ByJobId } from './job-routes.ts'
import { errorOf, findJob, JOB_STATUSES, progressOf, statusOf } from './jobs.ts'

const tag = 'Mezdia: Instagram'

const jobSchema = z
  .strictObject({
    job_id: z.string(),
    status: z.enum(JOB_STATUSES),
    progress: z.int(),
    type: z.string(),
    files: z.array(
      z.strictObject({
        filename: z.string(),
        size: z.number(),
        size_mb: z.number(),
        download_url: z.string(),
        media_type: z.enum(['video', 'audio', 'image', 'zip']),
      }),
    ),
    error: z.string().nullable(),
    created_at: z.string(),
  })
  .meta({ id: 'MezdiaInstagramJob' })

const getStatus = defineRoute<MezdiaContext, null, ByJobId>({
  method: 'get',
  path: '/instagram/status/:id',
  permission: null,
  params: byJobId,
  body: null,
  doc: { summary: 'How far a download is', tag, answers: { 200: jobSchema } },
  async handle(ctx, { key, params, req }) {
    const { items, ...job } = await findJob(ctx, key, params.id)
    const { mezdia: type } = job.sent
    if (!type.startsWith('instagram_')) throw new Refusal('invalid_request', 'This is not an Instagram job')
    return {
      job_id: jobIdOf(job.id),
      status: statusOf(job),
      progress: await progressOf(ctx, job),
      type,
      files: items.flatMap(offeredFiles).map(({ name, size, type: mediaType }) => ({
        filename: name,
        size,
        size_mb: Math.round((size / 2 ** 20) * 100) / 100,
        download_url: linkTo(req, `/instagram/download/file/${name}`),
        media_type: mediaType,
      })),
      error: errorOf(job, items),
      created_at: timeText(job.head.createdAt),
    }
  },
})

const byFileName = z.object({ name: textField.meta({ description: 'Name of the file, out of the status of its job' }) })

const getFile = defineRoute<MezdiaContext, null, z.output<typeof byFileName>>({
  method: 'get',
  path: '/instagram/download/file/:name',
  permission: null,
  params: byFileName,
  body: null,
  doc: { summary: 'Get a file of Instagram', tag, answers: { 200: '*/*', 206: '*/*' } },
  async handle({ jobs, files }, { key, params: { name }, req, res }) {
    const pages = pagesOfFile(name)
    const tasks = pages.length === 0 ? [] : await jobs.ofPages(key.id, pages)
    const found = tasks.flatMap(offeredFiles).find((offered) => offered.name === name)
    if (!found) throw new Refusal('file_not_found', 'File not found')
    const { task, file } = found
    if (file === null) return sendAsZip(files, task, name, res)
    return sendFile(files, { task, file, offered: { name } }, req, res)
  },
})

async function sendAsZip(files: LocalFiles, task: Task, name: string, res: Response): Promise<void> {
  const entries = zipEntriesOf(task, files)
  const sizes = await Promise.all(entries.map((entry) => files.sizeOf(task.id, entry.name)))
  if (sizes.includes(null)) throw new Refusal('file_not_found', 'File not found')
  res.setHeader('Content-Type', 'application/zip')
  res.setHeader('Content-Length', zipLength(entries))
  res.setHeader('Content-Disposition', contentDisposition(name))
  res.setHeader('Cache-Control', 'private, no-cache')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  if (res.req.method === 'HEAD') res.end()
  else await sendZip(entries, res)
}

/** How far downloads of Instagram are, and their files. */
export const instagramJobRoutes: readonly AnyRoute<MezdiaContext>[] = [getStatus, getFile]
