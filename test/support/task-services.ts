import { KeyStore } from '../../src/db/key-store.ts'
import { UsageLog } from '../../src/db/usage.ts'
import { Admission, type AdmissionLimits } from '../../src/tasks/admission.ts'
import { createTaskServices, type TaskServices } from '../../src/tasks/task-services.ts'
import type { RunnerRig } from './runner-rig.ts'

/** What a submission has to find room in; what is left out has none to speak of. */
export type TaskLimits = Partial<AdmissionLimits & Readonly<{ minFreeBytes: number }>>

/** What faces do with tasks, on a rig's database and runner. */
export function openTaskServices(
  { ground, runner }: RunnerRig,
  options: Readonly<{ limits?: TaskLimits; checkUrl?: (url: string) => string | null }> = {},
): Promise<TaskServices> {
  const { store, tasks, files, events } = ground
  const { minFreeBytes = 0, ...given } = options.limits ?? {}
  const admission = new Admission({
    store: tasks,
    usage: new UsageLog(store.db),
    creditsOf: (ids) => new KeyStore(store.db).creditsOf(ids),
    limits: { maxQueue: 1e6, maxQueuedPerKey: 0, maxBytesPerKeyPerDay: 0, ...given },
  })
  const checkUrl = options.checkUrl ?? (() => null)
  return createTaskServices({ db: store.db, events, store: tasks, runner, files, admission, minFreeBytes, checkUrl })
}
