import { NO_COUNTS, type BatchCounts } from '../../db/job-list.ts'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import type { Task, TaskRequest, TaskState } from '../../domain/task.ts'
import type { MezdiaContext } from './context.ts'
import { idOfJob, jobIdOf } from './job-id.ts'

/** What clients are told of files: that they stay for half an hour. */
export const RETENTION_MS = 30 * 60_000

/** What a job was started as; `subtitles` are waited for, so that nobody sees them as a job. */
export const JOB_TYPES = [
  'video',
  'playlist',
  'batch',
  'subtitles',
  'instagram_post',
  'instagram_reel',
  'instagram_story',
  'instagram_carousel',
  'instagram_batch',
] as const
export type JobType = (typeof JOB_TYPES)[number]

export const JOB_STATUSES = ['pending', 'processing', 'completed', 'failed', 'cancelled'] as const
export type JobStatus = (typeof JOB_STATUSES)[number]

/** What a task of this face keeps of its submission. */
export type Sent = Readonly<{
  mezdia: JobType
  /** Of a batch: how many were asked for. */
  total?: number
  /** Of Instagram: hand the files over as one zip. */
  zip?: boolean
  /** Of a batch: it has failed when one of its items has. */
  strict?: boolean
}>

/** What was submitted by one call. */
export type Job = Readonly<{
  /** Of its task, or of its batch. */
  id: string
  sent: Sent
  /** The task itself, a playlist's own, or the first of a batch. */
  head: Task
  counts: BatchCounts
}>

/** Starts a job; resolves to the id that clients know it by. */
export async function startJob(
  { tasks }: Pick<MezdiaContext, 'tasks'>,
  key: ApiKey,
  requests: readonly TaskRequest[],
  sent: Sent,
): Promise<string> {
  const isBatch = sent.mezdia === 'batch' || sent.mezdia === 'instagram_batch'
  const order = { requests, isBatch, priority: 0, notBefore: null, webhook: null, sent, retentionMs: RETENTION_MS }
  const { batchId, tasks: accepted } = await tasks.accept(key, order)
  return jobIdOf(batchId ?? accepted[0]?.id ?? '')
}

/** A job of the key with its tasks: itself, or those of its batch. Refuses `task_not_found`. */
export async function findJob(
  { tasks, jobs }: Pick<MezdiaContext, 'tasks' | 'jobs'>,
  key: ApiKey,
  uuid: string,
): Promise<Job & Readonly<{ items: readonly Task[] }>> {
  const id = idOfJob(uuid)
  if (id === null) throw notThere()
  const children = (await jobs.ofBatch(id)).filter(({ keyId }) => keyId === key.id)
  const [first] = children
  const isOwn = first === undefined || first.batchId !== id || !isMarked(first)
  const head = isOwn ? (await tasks.view(key, id)).task : first
  const isPartOfBatch = head.batchId !== null && head.batchId !== id
  if (!isMarked(head) || isPartOfBatch) throw notThere()
  const counts = (await jobs.counts(children.length === 0 ? [] : [id])).get(id) ?? NO_COUNTS
  const isSingle = head.batchId === null
  return { id, sent: sentOf(head), head, counts, items: isSingle ? [head] : children }
}

const notThere = () => new Refusal('task_not_found', 'Job not found')

/** Whether a task came through this face. */
const isMarked = ({ sent }: Task): boolean => JOB_TYPES.some((type) => type === sent['mezdia'])

/** What a task that came through this face keeps of its submission. */
const sentOf = ({ sent }: Task): Sent => sent as Sent

/** The jobs of a key that are listed, newest first, without what their batches have come to. */
export async function listedJobs({ jobs }: Pick<MezdiaContext, 'jobs'>, key: ApiKey): Promise<readonly Job[]> {
  const heads = (await jobs.heads(key.id)).filter((head) => isMarked(head) && sentOf(head).mezdia !== 'subtitles')
  return heads.map((head) => ({ id: head.batchId ?? head.id, sent: sentOf(head), head, counts: NO_COUNTS }))
}

/** The same jobs with what their batches have come to. */
export async function withCounts(
  { jobs }: Pick<MezdiaContext, 'jobs'>,
  listed: readonly Job[],
): Promise<readonly Job[]> {
  const ids = listed.flatMap(({ head }) => head.batchId ?? [])
  const counts = await jobs.counts(ids)
  return listed.map((job) => ({ ...job, counts: counts.get(job.id) ?? NO_COUNTS }))
}

const STATUS_OF: Readonly<Record<TaskState, JobStatus>> = {
  waiting: 'pending',
  processing: 'processing',
  completed: 'completed',
  error: 'failed',
  cancelled: 'cancelled',
}

/** A batch is done when all of it is, and has failed when nothing of it has not. */
export function statusOf({ head, sent, counts: { states } }: Job): JobStatus {
  const isSingle = head.batchId === null
  const isList = head.id === head.batchId
  if (isSingle || (isList && head.state !== 'completed')) return STATUS_OF[head.state]
  if (states.waiting + states.processing > 0) {
    const hasBegun = isList || states.waiting < totalOf(states)
    return hasBegun ? 'processing' : 'pending'
  }
  if (states.cancelled > 0) return 'cancelled'
  return states.completed > 0 && !(sent.strict === true && states.error > 0) ? 'completed' : 'failed'
}

const totalOf = (states: BatchCounts['states']): number => Object.values(states).reduce((sum, count) => sum + count, 0)

/** Whole percent; a single task that runs says so itself. */
export async function progressOf({ tasks }: Pick<MezdiaContext, 'tasks'>, job: Job): Promise<number> {
  const { head, counts } = job
  const status = statusOf(job)
  if (status === 'completed') return 100
  if (head.batchId === null) {
    if (head.state !== 'processing') return 0
    const { progress } = await tasks.viewOf(head)
    return Math.min(99, Math.floor(progress?.percent ?? 0))
  }
  const total = totalOf(counts.states)
  const open = counts.states.waiting + counts.states.processing
  return total === 0 ? 0 : Math.floor((100 * (total - open)) / total)
}

/** Tasks that made something, and that did not. */
export function resultsOf({ head, counts }: Job): Readonly<{ files: number; errors: number; completed: number }> {
  const { states, files } = counts
  if (head.batchId !== null) {
    const errors = states.error + (head.id === head.batchId && head.state === 'error' ? 1 : 0)
    return { files, errors, completed: states.completed }
  }
  const isDone = head.state === 'completed'
  return { files: head.files.length, errors: head.state === 'error' ? 1 : 0, completed: isDone ? 1 : 0 }
}

export const CANCELLED = 'Job was cancelled by user'

/** What the core calls `filtered` is a stream that is running. */
const LIVE = 'Live streams cannot be downloaded while they are active.'

/** Why a job has no file; null where it has one, or may still get one. */
export function errorOf(job: Job, items: readonly Task[]): string | null {
  const status = statusOf(job)
  if (status === 'cancelled') return CANCELLED
  if (status !== 'failed') return null
  const failed = [job.head, ...items].find(({ state }) => state === 'error')
  if (failed?.errorCode === 'filtered') return LIVE
  return failed?.errorMessage ?? 'No videos could be downloaded'
}
