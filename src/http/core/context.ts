import type { Logger } from 'pino'
import type { LocalFiles } from '../../files/local.ts'
import type { Audit } from '../../keys/audit.ts'
import type { Keys } from '../../keys/keys.ts'
import type { Seal } from '../../keys/seal.ts'
import type { Health } from '../../tasks/health.ts'
import type { TaskService } from '../../tasks/service.ts'

/** What the core face may use. */
export type CoreContext = Readonly<{
  tasks: TaskService
  keys: Keys
  files: LocalFiles
  seal: Seal
  audit: Audit
  health: Health
  log: Logger
  settings: Readonly<{
    publicBaseUrl: string | null
    publicFiles: boolean
    publicStatus: boolean
    revealKeys: boolean
    retentionMs: number
    requestLimit: number
    requestWindowMs: number
  }>
}>
