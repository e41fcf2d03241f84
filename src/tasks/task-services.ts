import type { Kysely } from 'kysely'
import { BatchStore } from '../db/batch-store.ts'
import { IdempotencyStore } from '../db/idempotency.ts'
import { JobList } from '../db/job-list.ts'
import { PlaylistStore } from '../db/playlist-store.ts'
import type { Tables } from '../db/schema.ts'
import { SettingStore } from '../db/setting-store.ts'
import { TaskList } from '../db/task-list.ts'
import type { TaskEvents } from './events.ts'
import { Queue } from './queue.ts'
import { TaskService, type TaskServiceDeps } from './service.ts'
import { TaskWaits } from './task-waits.ts'

/** What faces do with tasks, alone and together. */
export type TaskServices = Readonly<{
  tasks: TaskService
  list: TaskList
  jobs: JobList
  batches: BatchStore
  queue: Queue
  waits: TaskWaits
}>

type Given = Omit<TaskServiceDeps, 'idempotency' | 'batches' | 'children' | 'events'> &
  Readonly<{ db: Kysely<Tables>; events: TaskEvents }>

/** Builds them; a queue that was paused is paused again. */
export async function createTaskServices({ db, events, ...given }: Given): Promise<TaskServices> {
  const batches = new BatchStore(db)
  const children = new PlaylistStore(db, () => events.poke())
  return {
    tasks: new TaskService({ ...given, events, batches, children, idempotency: new IdempotencyStore(db) }),
    list: new TaskList(db),
    jobs: new JobList(db),
    batches,
    queue: await Queue.open({ settings: new SettingStore(db), store: given.store, runner: given.runner }),
    waits: new TaskWaits(events),
  }
}
