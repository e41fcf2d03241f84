import { pino } from 'pino'
import { openStore, type Store } from '../../src/db/open.ts'
import { TaskStore, type NewTask } from '../../src/db/task-store.ts'
import type { ApiKey } from '../../src/domain/key.ts'
import { PERMISSIONS } from '../../src/domain/permissions.ts'
import type { TaskFile, TaskRequest } from '../../src/domain/task.ts'
import { LocalFiles } from '../../src/files/local.ts'
import { tempDir } from './temp-dir.ts'

export const SILENT = pino({ level: 'silent' })

export const SAMPLE_FILE: TaskFile = { name: 'video.mp4', size: 1000, duration: 10, note: null }

/** A request as a face hands it over. */
export function requestOf(more: Partial<TaskRequest> = {}): TaskRequest {
  return {
    kind: 'video',
    url: 'https://video.example/watch',
    videoFormat: 'bestvideo',
    audioFormat: 'bestaudio',
    clip: null,
    forceKeyframes: false,
    outputFormat: null,
    outputFilename: null,
    live: null,
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

export const keyOf = (id: string): ApiKey => ({ id, name: id, permissions: PERMISSIONS, createdAt: 0 })

export type Ground = AsyncDisposable & Readonly<{ dir: string; store: Store; tasks: TaskStore; files: LocalFiles }>

/** A database and a folder of files, both real, in a temporary folder. */
export async function openGround(): Promise<Ground> {
  await using stack = new AsyncDisposableStack()
  const dir = stack.use(tempDir())
  const store = stack.use(await openStore(`${dir.path}/state`))
  const files = await LocalFiles.open(`${dir.path}/downloads`)
  const owned = stack.move()
  return {
    dir: dir.path,
    store,
    tasks: new TaskStore(store.db),
    files,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
