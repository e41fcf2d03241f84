import path from 'node:path'
import type { Task, TaskFile } from '../domain/task.ts'
import type { EngineRun } from '../engine/engine-run.ts'
import type { Made, Media } from '../engine/media.ts'
import { writePublicInfo } from '../engine/info-file.ts'
import type { LocalFiles } from '../files/local.ts'

/** What makes files, and where they go. */
export type ExecuteDeps = Readonly<{ media: Media; files: LocalFiles }>

/** Does what a task asks for and publishes its file. Throws TaskError when it cannot. */
export async function execute(deps: ExecuteDeps, task: Task, run: EngineRun): Promise<TaskFile> {
  switch (task.request.kind) {
    case 'info':
      return executeInfo(deps, task, run)
    case 'video':
    case 'audio': {
      const made = await deps.media.download(task.request, run)
      return publish(deps, task, made)
    }
    case 'live_video':
    case 'live_audio': {
      const made = await deps.media.record(task.request, run)
      return publish(deps, task, made)
    }
  }
}

async function executeInfo({ media, files }: ExecuteDeps, task: Task, run: EngineRun): Promise<TaskFile> {
  const file = path.join(run.workDir, 'info.json')
  const { duration } = await writePublicInfo(await media.info(task.request.url, run), file)
  const published = await files.publish(task.id, file, 'info.json')
  return { ...published, duration, note: null }
}

async function publish({ files }: ExecuteDeps, task: Task, made: Made): Promise<TaskFile> {
  const published = await files.publish(task.id, made.file, `${task.request.kind}.${made.extension}`)
  return { ...published, duration: made.duration, note: made.note }
}
