import fs from 'node:fs/promises'
import path from 'node:path'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { TaskStore } from '../db/task-store.ts'
import { secondsOf, toMilliseconds } from '../domain/clock-time.ts'
import { isPermission } from '../domain/permissions.ts'
import {
  REQUEST_DEFAULTS,
  TASK_KINDS,
  fileKindOf,
  type FileKind,
  type Task,
  type TaskFile,
  type TaskKind,
  type TaskRequest,
} from '../domain/task.ts'
import { isTaskId, type LocalFiles } from '../files/local.ts'
import type { Keys } from '../keys/keys.ts'

const legacyKey = z.object({ key: z.string().min(1), permissions: z.array(z.string()) })

/** What cannot be read makes the task one that cannot be taken over: without its times it would be another. */
const seconds = z
  .union([z.number(), z.string().transform(secondsOf)])
  .pipe(z.number().min(0).transform(toMilliseconds))
  .nullish()
const words = z.string().nullish().catch(null)

const legacyTask = z.looseObject({
  status: z.enum(['waiting', 'processing', 'completed', 'error']),
  task_type: z.string(),
  url: z.url({ protocol: /^https?$/ }),
  key_name: words,
  video_format: words,
  audio_format: words,
  start_time: seconds,
  end_time: seconds,
  force_keyframes: z.boolean().nullish().catch(null),
  start: seconds,
  duration: seconds,
  file: words,
  error: words,
  completed_time: words,
})

type LegacyTask = z.output<typeof legacyTask>

/** Where keys, tasks and files of a yt-dlp-host go. */
export type LegacyDeps = Readonly<{ keys: Keys; store: TaskStore; files: LocalFiles; log: Logger }>

/**
 * Takes over the keys and tasks of a yt-dlp-host, once: each file is renamed `*.imported` when all of it is in the
 * database. What cannot be taken over is logged and stays in the renamed file.
 */
export async function importLegacy(
  deps: LegacyDeps,
  sources: Readonly<{ keysFile: string; tasksFile: string }>,
): Promise<void> {
  await importFile(deps, sources.keysFile, (json) => importKeys(deps, json))
  await importFile(deps, sources.tasksFile, (json) => importTasks(deps, json))
}

async function importFile({ log }: LegacyDeps, file: string, take: (json: unknown) => Promise<number>): Promise<void> {
  const text = await fs.readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return
  try {
    const taken = await take(JSON.parse(text))
    await fs.rename(file, `${file}.imported`)
    log.info({ file, taken }, 'imported')
  } catch (err) {
    log.error({ err, file }, 'this file is not of a yt-dlp-host and was left as it is')
  }
}

async function importKeys({ keys, log }: LegacyDeps, json: unknown): Promise<number> {
  let taken = 0
  for (const [name, raw] of Object.entries(z.record(z.string(), z.unknown()).parse(json))) {
    const old = legacyKey.safeParse(raw).data
    const adopted = old ? await keys.adopt(name, old.key, old.permissions.filter(isPermission)) : null
    if (adopted) taken++
    else log.warn({ name }, 'a key was not imported: it cannot be read, or its name or value exists already')
  }
  return taken
}

async function importTasks(deps: LegacyDeps, json: unknown): Promise<number> {
  let taken = 0
  for (const [id, raw] of Object.entries(z.record(z.string(), z.unknown()).parse(json))) {
    const parsed = legacyTask.safeParse(raw)
    const task = parsed.success && isTaskId(id) ? await toTask(deps, id, parsed.data) : null
    if (task) {
      await deps.store.adopt(task)
      taken++
    } else deps.log.warn({ taskId: id }, 'a task could not be imported')
  }
  return taken
}

/** Null when it is of an unknown kind, of a key that does not exist, or completed without its file. */
async function toTask({ keys, files }: LegacyDeps, id: string, old: LegacyTask): Promise<Task | null> {
  const kind = TASK_KINDS.find((known) => old.task_type === `get_${known}`)
  const key = keys.all().find(({ key: candidate }) => candidate.name === old.key_name)?.key
  const file = kind && old.status === 'completed' ? await fileOf(files, id, old.file ?? '', fileKindOf(kind)) : null
  if (!kind || !key || (old.status === 'completed' && !file)) return null
  return {
    id,
    keyId: key.id,
    keyName: key.name,
    request: toRequest(kind, old),
    sent: sentOf(old),
    attempt: 0,
    createdAt: Date.now(),
    startedAt: null,
    notBefore: null,
    waitReason: null,
    file,
    files: file === null ? [] : [file],
    title: null,
    priority: 0,
    batchId: null,
    position: null,
    archiveId: null,
    webhook: null,
    ...endingOf(old),
  }
}

/** What was running there runs again here. */
function endingOf(old: LegacyTask): Pick<Task, 'state' | 'finishedAt' | 'errorCode' | 'errorMessage'> {
  const finishedAt = Date.parse(old.completed_time ?? '') || Date.now()
  switch (old.status) {
    case 'waiting':
    case 'processing':
      return { state: 'waiting', finishedAt: null, errorCode: null, errorMessage: null }
    case 'completed':
      return { state: 'completed', finishedAt, errorCode: null, errorMessage: null }
    case 'error':
      return { state: 'error', finishedAt, errorCode: 'unknown', errorMessage: old.error ?? 'the task failed' }
  }
}

async function fileOf(files: LocalFiles, id: string, link: string, kind: FileKind): Promise<TaskFile | null> {
  const name = path.basename(link)
  const size = name === '' ? null : await files.sizeOf(id, name)
  return size === null ? null : { name, size, kind, duration: null, width: null, height: null, note: null }
}

function toRequest(kind: TaskKind, old: LegacyTask): TaskRequest {
  const { start_time: start = null, end_time: end = null } = old
  const isSilent = /^(none|null)$/i.test(old.audio_format ?? '')
  return {
    ...REQUEST_DEFAULTS,
    kind,
    url: old.url,
    videoFormat: old.video_format ?? REQUEST_DEFAULTS.videoFormat,
    audioFormat: isSilent ? null : (old.audio_format ?? REQUEST_DEFAULTS.audioFormat),
    clips: start === null && end === null ? [] : [{ start, end }],
    forceKeyframes: old.force_keyframes ?? false,
    live: old.duration == null ? null : { start: old.start ?? 0, duration: old.duration },
  }
}

function sentOf(old: LegacyTask): Record<string, unknown> {
  const { video_format, audio_format, start_time, end_time, force_keyframes, start, duration } = old
  const fields = { video_format, audio_format, start_time, end_time, force_keyframes, start, duration }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
}
