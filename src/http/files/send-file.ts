import { create as contentDisposition } from 'content-disposition'
import type { Request, Response } from 'express'
import mime from 'mime-types'
import send from 'send'
import { Refusal } from '../../domain/errors.ts'
import type { Task, TaskFile } from '../../domain/task.ts'
import { MADE_THUMBNAIL, type LocalFiles } from '../../files/local.ts'
import { offeredName } from './file-name.ts'
import { mediaTypeOf } from './media-type.ts'
import { pumpFile } from './pump-file.ts'

/** Types that a browser may show in place; everything else is handed over as a download of no particular type. */
const SHOWN_TYPES = /^(video|audio)\/|^image\/(jpeg|png|webp|gif)$|^application\/json$|^text\/(vtt|plain)$/

/** A file and the task that made it. `inline`: to be shown in place, whatever the query says. */
export type FinishedFile = Readonly<{
  task: Task
  file: Pick<TaskFile, 'name'>
  inline?: boolean
  /** What it is called, and its media type, where a face has words of its own for that. */
  offered?: Readonly<{ name: string; type?: string }>
}>

/**
 * Answers with a finished file, or the part of it that is asked for: `Range`, `If-Range`, `If-None-Match`; as a download
 * unless the query says `raw`. Resolves when all is handed over or the client has left. Refuses `file_not_found`,
 * `range_not_satisfiable`, `precondition_failed`.
 */
export async function sendFile(files: LocalFiles, found: FinishedFile, req: Request, res: Response): Promise<void> {
  const { task, file } = found
  if ((await files.sizeOf(task.id, file.name)) === null) throw new Refusal('file_not_found', 'File not found')
  setHeaders(found, req, res)
  await new Promise<void>((resolve, reject) => {
    const options = {
      root: files.root,
      dotfiles: file.name === MADE_THUMBNAIL ? 'allow' : 'deny',
      index: false,
      cacheControl: false,
    } as const
    const sending = send(req, `/${task.id}/${encodeURIComponent(file.name)}`, options)
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

/** The type that is told, and whether a browser may show such a file in place. */
function typeOf({ task, file, offered }: FinishedFile): Readonly<{ told: string; isShown: boolean }> {
  const kind = task.files.find(({ name }) => name === file.name)?.kind ?? 'thumbnail'
  const type = mediaTypeOf({ name: file.name, kind })
  const isShown = type !== null && SHOWN_TYPES.test(type)
  const told = isShown ? mime.contentType(type) || type : 'application/octet-stream'
  return { told: offered?.type ?? told, isShown }
}

function setHeaders(finished: FinishedFile, req: Request, res: Response): void {
  const { task, file, inline = false, offered } = finished
  const { told, isShown } = typeOf(finished)
  const isRaw = inline || req.query['raw'] !== undefined || file.name === 'info.json'
  const asAttachment = req.query['download'] !== undefined || !isRaw
  res.setHeader('Content-Type', told)
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.setHeader('Content-Security-Policy', "sandbox; default-src 'none'; media-src 'self'; img-src 'self'")
  // Strong: a published file never changes.
  res.setHeader('ETag', `"${task.id}.${task.attempt}"`)
  res.setHeader('Cache-Control', 'private, no-cache')
  res.setHeader(
    'Content-Disposition',
    contentDisposition(offered?.name ?? offeredName(task, file), {
      type: asAttachment || !isShown ? 'attachment' : 'inline',
    }),
  )
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
