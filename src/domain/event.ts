import type { TaskErrorCode } from './errors.ts'
import type { TaskProgress, TaskState } from './task.ts'

/** A change of a task's state, or its end: `removed`, when there is no such task any more. */
export type TaskEvent = Readonly<{
  /** Rises with every event of the installation. */
  seq: number
  keyId: string
  taskId: string
  batchId: string | null
  /** The state it came into. */
  state: TaskState | 'removed'
  attempt: number
  errorCode: TaskErrorCode | null
}>

/** How far a running task is; not kept anywhere. */
export type ProgressEvent = Readonly<{
  taskId: string
  keyId: string
  batchId: string | null
  progress: TaskProgress
}>
