import { pino } from 'pino'
import { EventLog } from '../../src/db/event-log.ts'
import { openStore, type Store } from '../../src/db/open.ts'
import { TaskStore, type NewTask } from '../../src/db/task-store.ts'
import { NO_LIMITS, type ApiKey } from '../../src/domain/key.ts'
import { PERMISSIONS } from '../../src/domain/permissions.ts'
import { REQUEST_DEFAULTS, type TaskFile, type TaskRequest, type TaskResult } from '../../src/domain/task.ts'
import type { SiteAccess } from '../../src/engine/site-access.ts'
import { LocalFiles } from '../../src/files/local.ts'
import { TaskEvents } from '../../src/tasks/events.ts'
import { tempDir } from './temp-dir.ts'

export const SILENT = pino({ level: 'silent' })

export const SAMPLE_FILE: TaskFile = {
  name: 'video.mp4',
  size: 1000,
  kind: 'video',
  duration: 10,
  width: 640,
  height: 360,
  note: null,
}

export const SAMPLE_RESULT: TaskResult = { files: [SAMPLE_FILE], title: null }

/** What a run uses of a site when neither its key nor the operator says anything. */
export const NO_SITE_ACCESS: SiteAccess = { cookieFile: null, preset: null, scope: '' }

/** A request as a face hands it over. */
export function requestOf(more: Partial<TaskRequest> = {}): TaskRequest {
  return {
    kind: 'video',
    url: 'https://video.example/watch',
    ...REQUEST_DEFAULTS,
    ...more,
  }
}

let serial = 0

/** A task id of the right shape, different at every call. */
export const nextTaskId = () => `task${String(++serial).padStart(12, '0')}`

export function taskOf(more: Partial<NewTask> = {}): NewTask {
  const keyId = more.keyId ?? 'key-a'
  return { id: nextTaskId(), keyId, keyName: keyId, request: requestOf(), sent: {}, createdAt: Date.now(), ...more }
}

export const keyOf = (id: string): ApiKey => ({
  id,
  name: id,
  permissions: PERMISSIONS,
  createdAt: 0,
  expiresAt: null,
  disabledAt: null,
  limits: NO_LIMITS,
})

export type Ground = AsyncDisposable &
  Readonly<{ dir: string; store: Store; tasks: TaskStore; events: TaskEvents; files: LocalFiles }>

/** A database and a folder of files, both real, in a temporary folder. */
export async function openGround(): Promise<Ground> {
  await using stack = new AsyncDisposableStack()
  const dir = stack.use(tempDir())
  const store = stack.use(await openStore(`${dir.path}/state`))
  const files = await LocalFiles.open(`${dir.path}/downloads`)
  const events = stack.use(await TaskEvents.open(new EventLog(store.db), SILENT))
  const owned = stack.move()
  return {
    dir: dir.path,
    store,
    tasks: new TaskStore(store.db, () => events.poke()),
    events,
    files,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
