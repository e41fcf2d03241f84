import fs from 'node:fs'
import path from 'node:path'
import type { NewTask } from '../../src/db/task-store.ts'
import type { FileKind, TaskFile } from '../../src/domain/task.ts'
import type { CoreServer } from './core-server.ts'
import { requestOf, taskOf } from './samples.ts'

/** A file to be published: what is in it, or how many bytes of nothing. */
export type MadeFile = Readonly<{ name: string; content: string | Buffer | number; kind?: FileKind; duration?: number }>

export type Wanted = Readonly<{
  files?: readonly MadeFile[]
  title?: string | null
  outputFilename?: string | null
  url?: string
  position?: number
  /** Leaves it running. */
  unfinished?: boolean
}>

const VIDEO: MadeFile = { name: 'video.mp4', content: 'video' }

/** A completed task of a key with its files, published as the daemon does it. Returns its id. */
export async function complete(core: CoreServer, keyName: string, wanted: Wanted = {}): Promise<string> {
  const task = newTask(core, keyName, wanted)
  await core.rig.ground.tasks.add(task)
  await finish(core, task.keyId, wanted)
  return task.id
}

let batches = 0

/** A batch of tasks, in their order. Returns its id and theirs. */
export async function completeBatch(
  core: CoreServer,
  keyName: string,
  { title, tasks }: Readonly<{ title: string | null; tasks: readonly Wanted[] }>,
): Promise<{ batch: string; ids: string[] }> {
  const batch = `batch${String(++batches).padStart(11, '0')}`
  const made = tasks.map((wanted, index) => ({
    ...newTask(core, keyName, wanted),
    batchId: batch,
    position: wanted.position ?? index + 1,
  }))
  const keyId = core.keys.require(keyName).key.id
  await core.rig.ground.tasks.addAll(made, {
    batch: { id: batch, keyId, createdAt: Date.now(), title, url: null, webhook: null },
  })
  for (const wanted of tasks) await finish(core, keyId, wanted)
  return { batch, ids: made.map(({ id }) => id) }
}

function newTask(core: CoreServer, keyName: string, { outputFilename = null, url }: Wanted): NewTask {
  const { key } = core.keys.require(keyName)
  return taskOf({
    keyId: key.id,
    keyName,
    request: requestOf({ outputFilename, ...(url === undefined ? {} : { url }) }),
  })
}

async function finish(core: CoreServer, keyId: string, wanted: Wanted): Promise<void> {
  const { tasks, files } = core.rig.ground
  const task = await tasks.claim({ keyId, now: Date.now(), blockedHosts: [] })
  if (!task) throw new Error('no task to be claimed')
  if (wanted.unfinished) return
  const work = await files.openWork(task.id, task.attempt)
  const published: TaskFile[] = []
  for (const { name, content, kind = 'video', duration = null } of wanted.files ?? [VIDEO]) {
    const file = path.join(work, 'part')
    fs.writeFileSync(file, typeof content === 'number' ? '' : content)
    if (typeof content === 'number') fs.truncateSync(file, content)
    const { size } = await files.publish(task.id, file, name)
    published.push({ name, size, kind, duration, width: null, height: null, note: null })
  }
  await files.removeWork(task.id)
  const [main, ...others] = published
  if (!main) throw new Error('a task has at least one file')
  const outcome = { kind: 'completed', files: [main, ...others], title: wanted.title ?? null } as const
  await tasks.settle(task.id, task.attempt, outcome, Date.now())
}
