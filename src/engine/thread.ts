import { TaskError } from '../domain/errors.ts'
import { inThread } from '../thread.ts'

/** A document takes many times its length while it is being read. */
const MEMORY_MB = 2_048

/** What a thread hands back: classes do not come through. */
export type ThreadAnswer<T> = Readonly<{ value: T } | { code: TaskError['code']; message: string }>

/** As `inThread`; throws the TaskError that the script reports, and `too_large` when it runs out of memory. */
export async function inTaskThread<T>(script: URL, workerData: unknown): Promise<T> {
  const answer = await inThread<ThreadAnswer<T>>(script, workerData, { memoryMb: MEMORY_MB }).catch(
    (cause: unknown) => {
      const isTooLarge = cause instanceof Error && 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY'
      throw isTooLarge ? new TaskError('too_large', 'the description of this page is too large', { cause }) : cause
    },
  )
  if ('code' in answer) throw new TaskError(answer.code, answer.message)
  return answer.value
}

/** What the script of a thread posts: the result of `work`, or the TaskError it threw. */
export async function threadAnswer<T>(work: () => T | Promise<T>): Promise<ThreadAnswer<T>> {
  try {
    return { value: await work() }
  } catch (error) {
    if (!(error instanceof TaskError)) throw error
    return { code: error.code, message: error.message }
  }
}
