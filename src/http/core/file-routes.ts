import type { Request, RequestHandler, Response } from 'express'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { isTaskId } from '../../files/local.ts'
import { filePath, isSigned } from '../files/links.ts'
import { sendFile, type FinishedFile } from '../files/send-file.ts'
import type { Endpoint } from '../route.ts'
import type { CoreContext } from './context.ts'
import { coreErrorSchema } from './answers.ts'
import { selectedNames } from './info-query.ts'
import { InfoReader } from './info-reader.ts'

/** How `getFile` is described. */
export const fileEndpoint: Endpoint = {
  method: 'get',
  path: '/files/:id/:name',
  permission: null,
  params: z.object({
    id: z.string().meta({ description: 'Id of the task' }),
    name: z.string().meta({ description: 'Name of the file, as `file` of `/status` has it' }),
  }),
  query: z.object({
    raw: z.string().optional().meta({ description: 'Show the file in place instead of downloading it' }),
    download: z.string().optional().meta({ description: 'Download it, `info.json` too' }),
    qualities: z.string().optional().meta({ description: 'Of an `info.json`: the qualities there are, best last' }),
    expires: z.string().optional().meta({ description: 'Part of a signed address' }),
    signature: z.string().optional().meta({ description: 'Part of a signed address' }),
  }),
  body: null,
  doc: {
    summary: 'Download a finished file',
    description:
      'Answers ranges and conditional calls. Of an `info.json` any other name in the query selects the field of that name.',
    tag: 'Core: tasks',
    keyless: 'An address that is signed needs no key, nor does any with `PUBLIC_FILES`.',
    answers: { 200: '*/*', 206: '*/*', 304: null, 412: null, 416: coreErrorSchema },
  },
}

/** `GET` and `HEAD /files/<task id>/<name>`: a key's own files, or any with a signature of ours. */
export function getFile(ctx: CoreContext, identify: (req: Request) => ApiKey | null): RequestHandler {
  const reader = new InfoReader()
  return async (req, res) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') throw new Refusal('method_not_allowed', 'Method not allowed')
    const { task, file } = await requireFile(ctx, req, identify)
    if (file.name === 'info.json' && selectedNames(req.query).length > 0)
      return sendSelected(reader, ctx.files.pathOf(task.id, file.name), req, res)
    await sendFile(ctx.files, { task, file }, req, res)
  }
}

/** That file of the task, if the caller may have it. What does not exist and what is another's look the same. */
async function requireFile(
  ctx: CoreContext,
  req: Request,
  identify: (req: Request) => ApiKey | null,
): Promise<FinishedFile> {
  const [taskId = '', name = '', ...more] = segmentsOf(req)
  const isOpen = ctx.settings.publicFiles || isSigned(filePath(taskId, name), req.query, ctx.seal)
  const key = isOpen ? null : identify(req)
  const missing = new Refusal('file_not_found', 'File not found')
  if (more.length > 0 || !isTaskId(taskId)) throw missing
  const { task } = await ctx.tasks.view(key, taskId).catch(() => {
    throw missing
  })
  const file = task.state === 'completed' ? task.files.find((known) => known.name === name) : undefined
  if (!file) throw missing
  return { task, file }
}

/** The path below the mount, each part decoded once; a part that holds a separator or NUL after that names no file. */
function segmentsOf(req: Request): string[] {
  try {
    const parts = req.path.split('/').slice(1).map(decodeURIComponent)
    return parts.some((part) => /[/\\\0]/.test(part)) ? [] : parts
  } catch {
    return [] // a stray % in the path
  }
}

async function sendSelected(reader: InfoReader, path: string, req: Request, res: Response): Promise<void> {
  const names = selectedNames(req.query)
  const selected = await reader
    .select(path, names, () => !res.destroyed)
    .catch((cause: NodeJS.ErrnoException) => {
      throw cause.code === 'ENOENT' ? new Refusal('file_not_found', 'File not found', { cause }) : cause
    })
  if (selected === null) return void res.status(404).json({ error: 'No matching parameters' })
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.type('application/json').send(selected)
}
