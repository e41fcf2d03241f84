import type { Logger } from 'pino'
import type { Keys } from '../../keys/keys.ts'
import type { TaskService } from '../../tasks/service.ts'

/** What the native face may use. */
export type V1Context = Readonly<{ tasks: TaskService; keys: Keys; log: Logger }>
