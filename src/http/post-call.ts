import type { Response } from 'express'
import { Refusal, TaskError, type TaskErrorCode } from '../domain/errors.ts'

/** Aborted when the client leaves before it has its answer. */
export function goneSignal(res: Response): AbortSignal {
  const gone = new AbortController()
  res.once('close', () => {
    if (!res.writableFinished) gone.abort(new TaskError('cancelled', 'the client is gone'))
  })
  return gone.signal
}

/** What no client and no site has to do with. */
const OWN_FAULTS: ReadonlySet<TaskErrorCode> = new Set([
  'dependency_missing',
  'crashed',
  'bad_request_options',
  'storage_error',
  'no_space',
  'shutdown',
])

/** Whether what a reading of a post ended with says that there is nothing to be had at that address. */
export function isAboutPost(error: unknown): boolean {
  if (error instanceof TaskError) return !OWN_FAULTS.has(error.code)
  return error instanceof Refusal && (error.code === 'extraction_failed' || error.code === 'invalid_request')
}
