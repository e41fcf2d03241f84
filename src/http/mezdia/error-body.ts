import { z } from 'zod'
import { TaskError, type Refusal, type RefusalCode, type TaskErrorCode } from '../../domain/errors.ts'
import type { ErrorBody } from '../errors.ts'

/** The body of every error. */
export const detailSchema = z.strictObject({ detail: z.string() }).meta({ id: 'MezdiaError' })

/** Codes of a page that nobody can have, with the status and the sentence that clients know; others are an error of 400. */
const PAGE_FAULTS: Partial<Readonly<Record<TaskErrorCode, readonly [status: number, detail: string]>>> = {
  private: [403, 'This video is private and cannot be accessed.'],
  age_restricted: [403, 'This video is age-restricted. Login may be required.'],
  login_required: [403, 'This content requires authentication.'],
  auth_failed: [403, 'This content requires authentication.'],
  payment_required: [403, 'This content requires authentication.'],
  geo_blocked: [404, 'This video is not available in your region or has been removed.'],
  not_found: [404, 'This video is not available in your region or has been removed.'],
  live_not_started: [400, 'Live streams cannot be downloaded while they are active.'],
  no_media: [400, 'Could not extract video information. The video may be private, age-restricted, or unavailable.'],
  unknown: [500, 'Internal server error'],
  crashed: [500, 'Internal server error'],
  dependency_missing: [500, 'Internal server error'],
  timeout: [500, 'Extracting video information took too long'],
}

/** `{"detail": …}` with the status that clients of this face know for it. */
export const mezdiaErrorBody: ErrorBody = (refusal, { res, status }) => {
  const [known, detail] = answerOf(refusal, status, res.req.path)
  res.status(known)
  return { detail }
}

/** What clients know by another status, or in other words. */
const KNOWN: Partial<Readonly<Record<RefusalCode, readonly [status: number, detail: string | null]>>> = {
  conflict: [400, null],
  unsupported_media_type: [400, null],
  task_not_found: [404, 'Job not found'],
  file_not_found: [404, 'File not found or has been cleaned up'],
  route_not_found: [404, 'Not Found'],
  method_not_allowed: [405, 'Method Not Allowed'],
  internal: [500, 'Internal server error'],
}

function answerOf(refusal: Refusal, status: number, path: string): readonly [status: number, detail: string] {
  const { code, message, cause } = refusal
  const isOfInstagram = path.startsWith('/instagram/')
  if (code === 'invalid_request') return isOfShape(refusal) ? [422, shapeFault(refusal)] : [400, message]
  if (code === 'extraction_failed') {
    if (!(cause instanceof TaskError)) return [400, withoutCode(message)]
    return pageFault(cause, isOfInstagram ? subjectOf(path) : null)
  }
  if (code === 'task_not_found' && isOfInstagram) return [404, 'Job not found or has expired']
  const [known, detail] = KNOWN[code] ?? [status, null]
  return [known, detail ?? message]
}

/** Whether the call itself is not as it should be, rather than what it asks for. */
const isOfShape = ({ cause }: Refusal): boolean => cause instanceof z.ZodError

function shapeFault({ details: [first], message }: Refusal): string {
  return first === undefined ? message : `${first.field}: ${first.message}`
}

function pageFault({ code, message }: TaskError, subject: Subject | null): readonly [status: number, detail: string] {
  if (subject !== null) return postFault(code, message, subject)
  return PAGE_FAULTS[code] ?? [400, `Error extracting video info: ${message}`]
}

/** What of Instagram a path is about. */
type Subject = 'post' | 'reel' | 'account'

function subjectOf(path: string): Subject {
  if (/^\/instagram\/(story|profile)\//.test(path)) return 'account'
  return path.startsWith('/instagram/reel/') ? 'reel' : 'post'
}

function postFault(code: TaskErrorCode, message: string, subject: Subject): readonly [status: number, detail: string] {
  const name = { post: 'Post', reel: 'Reel', account: 'Profile' }[subject]
  if (code === 'private')
    return [403, subject === 'account' ? 'This account is private.' : `This ${subject} is from a private account.`]
  if (code === 'not_found' || code === 'geo_blocked')
    return [404, subject === 'account' ? 'Profile not found.' : `${name} not found or has been deleted.`]
  if (code === 'no_media')
    return [400, `Could not extract ${subject} information. It may be private or have been deleted.`]
  return PAGE_FAULTS[code] ?? [400, `Error extracting ${subject} info: ${message}`]
}

/** Without the word of the daemon's own that other faces show. */
const withoutCode = (message: string): string => message.replace(/^[a-z_]+: /, '')
