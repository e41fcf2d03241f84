import { create as contentDisposition } from 'content-disposition'
import type { Request, RequestHandler, Response } from 'express'
import mime from 'mime-types'
import send from 'send'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import type { Task, TaskFile } from '../../domain/task.ts'
import { isTaskId } from '../../files/local.ts'
import type { CoreContext } from './context.ts'
import { selectedNames } from './info-query.ts'
import { InfoReader } from './info-reader.ts'
import { filePath, isSigned } from './links.ts'
import { pumpFile } from './pump-file.ts'

/** Types that a browser may show in place; everything else is handed over as a download of no particular type. */
const SHOWN_TYPES = /^(video|audio)\/|^image\/(jpeg|png|webp|gif)$|^application\/json$|^text\/(vtt|plain)$/

/** `GET` and `HEAD /files/<task id>/<name>`: a key's own files, or any with a signature of ours. */
export function getFile(ctx: CoreContext, identify: (req: Request) => ApiKey | null): RequestHandler {
  const reader = new InfoReader()
  return async (req, res) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') throw new Refusal('method_not_allowed', 'Method not allowed')
    const { task, file } = await requireFile(ctx, req, identify)
    if (file.name === 'info.json' && selectedNames(req.query).length > 0)
      return sendSelected(reader, ctx.files.pathOf(task.id, file.name), req, res)
    await sendFile(ctx, { task, file }, req, res)
  }
}

type Found = Readonly<{ task: Task; file: TaskFile }>

/** The task's one file, if the caller may have it. What does not exist and what is another's look the same. */
async function requireFile(ctx: CoreContext, req: Request, identify: (req: Request) => ApiKey | null): Promise<Found> {
  const [taskId = '', name = '', ...more] = segmentsOf(req)
  const isOpen = ctx.settings.publicFiles || isSigned(filePath(taskId, name), req.query, ctx.seal)
  const key = isOpen ? null : identify(req)
  const missing = new Refusal('file_not_found', 'File not found')
  if (more.length > 0 || !isTaskId(taskId)) throw missing
  const { task } = await ctx.tasks.view(key, taskId).catch(() => {
    throw missing
  })
  if (task.state !== 'completed' || task.file?.name !== name) throw missing
  return { task, file: task.file }
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

async function sendFile(ctx: CoreContext, { task, file }: Found, req: Request, res: Response): Promise<void> {
  if ((await ctx.files.sizeOf(task.id, file.name)) === null) throw new Refusal('file_not_found', 'File not found')
  setHeaders({ task, file }, req, res)
  await new Promise<void>((resolve, reject) => {
    const options = {
      root: ctx.files.root,
      dotfiles: 'deny',
      index: false,
      cacheControl: false,
    } as const
    const sending = send(req, `/${task.id}/${file.name}`, options)
    // By now the headers are set, the length of the part that is asked for among them.
    sending.stream = (path: string, { start = 0 }: { start?: number } = {}) => {
      pumpFile(path, { start, length: Number(res.getHeader('Content-Length')) }, res).then(resolve, reject)
    }
    sending
      .on('error', (error: unknown) => reject(toRefusal(error, res)))
      .on('directory', () => reject(new Refusal('file_not_found', 'File not found')))
      .pipe(res)
    res.on('close', resolve)
  })
}

function setHeaders({ task, file }: Found, req: Request, res: Response): void {
  const type = mime.lookup(file.name)
  const isShown = type !== false && SHOWN_TYPES.test(type)
  const asAttachment =
    req.query['download'] !== undefined || (req.query['raw'] === undefined && file.name !== 'info.json')
  res.setHeader('Content-Type', isShown ? mime.contentType(type) || type : 'application/octet-stream')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.setHeader('Content-Security-Policy', "sandbox; default-src 'none'; media-src 'self'; img-src 'self'")
  // Strong: a published file never changes.
  res.setHeader('ETag', `"${task.id}.${task.attempt}"`)
  res.setHeader('Cache-Control', 'private, no-cache')
  res.setHeader(
    'Content-Disposition',
    contentDisposition(offeredName(task, file), { type: asAttachment || !isShown ? 'attachment' : 'inline' }),
  )
}

/** The name the client asked for, with the extension that the file really has. */
function offeredName(task: Task, file: TaskFile): string {
  const wanted = task.request.outputFilename
  if (wanted === null) return file.name
  const extension = file.name.slice(file.name.lastIndexOf('.'))
  return wanted.toLowerCase().endsWith(extension.toLowerCase()) ? wanted : `${wanted}${extension}`
}

/** `send` reports with HTTP errors; only an unsatisfiable range is the client's to know. */
function toRefusal(error: unknown, res: Response): Error {
  const status = error instanceof Error && 'status' in error ? error.status : 500
  if (status === 416) {
    const range =
      error instanceof Error && 'headers' in error ? (error.headers as Record<string, string> | undefined) : undefined
    if (range?.['Content-Range']) res.setHeader('Content-Range', range['Content-Range'])
    return new Refusal('range_not_satisfiable', 'The requested range is not in the file', { cause: error })
  }
  if (status === 404 || status === 403) return new Refusal('file_not_found', 'File not found', { cause: error })
  if (status === 412)
    return new Refusal('precondition_failed', 'The file is not the one that was asked for', { cause: error })
  return error instanceof Error ? error : new Error('a file could not be sent', { cause: error })
}
