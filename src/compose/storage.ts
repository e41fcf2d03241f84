import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import type { Config } from '../config/index.ts'
import { ArchiveStore } from '../db/archive-store.ts'
import { AuditLog } from '../db/audit-log.ts'
import { CookieStore } from '../db/cookie-store.ts'
import { EventLog } from '../db/event-log.ts'
import { KeyStore } from '../db/key-store.ts'
import { openStore } from '../db/open.ts'
import type { Tables } from '../db/schema.ts'
import { TaskStore } from '../db/task-store.ts'
import { UsageLog } from '../db/usage.ts'
import { LocalFiles } from '../files/local.ts'
import { Audit } from '../keys/audit.ts'
import { CookieJars } from '../keys/cookie-jars.ts'
import { Keys } from '../keys/keys.ts'
import { openSeal, type Seal } from '../keys/seal.ts'
import { TaskEvents } from '../tasks/events.ts'

/** What outlives the daemon: the database, the finished files, and the stores in them. */
export type Storage = Readonly<{
  db: Kysely<Tables>
  events: TaskEvents
  tasks: TaskStore
  seal: Seal
  keyStore: KeyStore
  keys: Keys
  jars: CookieJars
  audit: Audit
  usage: UsageLog
  archive: ArchiveStore
  files: LocalFiles
}>

/** Opens all of it; what has to be closed is on the stack. */
export async function openStorage({ dirs }: Config, stack: AsyncDisposableStack, log: Logger): Promise<Storage> {
  const { db } = stack.use(await openStore(dirs.state))
  const events = stack.use(await TaskEvents.open(new EventLog(db), log))
  const seal = openSeal(dirs.state)
  const keyStore = new KeyStore(db)
  const keys = stack.use(await Keys.open(keyStore, seal))
  return {
    db,
    events,
    tasks: new TaskStore(db, () => events.poke()),
    seal,
    keyStore,
    keys,
    jars: new CookieJars(new CookieStore(db), seal),
    audit: new Audit(new AuditLog(db)),
    usage: new UsageLog(db),
    archive: new ArchiveStore(db),
    files: await LocalFiles.open(dirs.downloads),
  }
}
