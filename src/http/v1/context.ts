import type { Logger } from 'pino'
import type { ArchiveStore } from '../../db/archive-store.ts'
import type { UsageLog } from '../../db/usage.ts'
import type { Audit } from '../../keys/audit.ts'
import type { CookieJars } from '../../keys/cookie-jars.ts'
import type { Keys } from '../../keys/keys.ts'
import type { Seal } from '../../keys/seal.ts'
import type { LocalFiles } from '../../files/local.ts'
import type { TaskEvents } from '../../tasks/events.ts'
import type { Sites } from '../../tasks/sites.ts'
import type { FileServices } from '../../tasks/file-services.ts'
import type { Lookups } from '../../tasks/lookup.ts'
import type { TaskServices } from '../../tasks/task-services.ts'
import type { Webhooks } from '../../tasks/webhooks.ts'
import type { EventStreams } from './event-streams.ts'

/** What the native face may use. */
export type V1Context = FileServices &
  TaskServices &
  Readonly<{
    files: LocalFiles
    lookups: Lookups
    archive: ArchiveStore
    events: TaskEvents
    streams: EventStreams
    webhooks: Webhooks
    keys: Keys
    jars: CookieJars
    sites: Sites
    seal: Seal
    audit: Audit
    usage: UsageLog
    log: Logger
    settings: Readonly<{ publicBaseUrl: string | null; retentionMs: number }>
  }>
