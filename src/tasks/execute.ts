import path from 'node:path'
import type { Task, TaskFile, TaskResult } from '../domain/task.ts'
import type { EngineRun } from '../engine/engine-run.ts'
import type { Made, MadeFile, Media } from '../engine/media.ts'
import type { PostMedia } from '../engine/post-media.ts'
import { writePublicInfo } from '../engine/info-file.ts'
import type { LocalFiles } from '../files/local.ts'
import type { ExpandPlaylist } from './playlist.ts'

/** What makes files, and where they go. */
export type ExecuteDeps = Readonly<{
  media: Media
  postMedia: PostMedia
  files: LocalFiles
  expandPlaylist: ExpandPlaylist
}>

/** Does what a task asks for and publishes its files. Throws TaskError when it cannot. */
export async function execute(deps: ExecuteDeps, task: Task, run: EngineRun): Promise<TaskResult> {
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
    case 'subtitles':
    case 'thumbnail': {
      const made = await deps.media.beside(task.request, run)
      return publish(deps, task, made)
    }
    case 'post':
      return publish(deps, task, await deps.postMedia.download(task.request, run))
    case 'playlist':
      return publish(deps, task, await deps.expandPlaylist(task, run))
  }
}

async function executeInfo(
  { media, files }: Pick<ExecuteDeps, 'media' | 'files'>,
  task: Task,
  run: EngineRun,
): Promise<TaskResult> {
  const file = path.join(run.workDir, 'info.json')
  const { duration, title } = await writePublicInfo(await media.info(task.request.url, run), file)
  const made = { path: file, name: 'info.json', kind: 'info', duration, width: null, height: null, note: null } as const
  return publish({ files }, task, { files: [made], title })
}

/** The file that was asked for comes last to its place: where it is, the others are. */
async function publish(
  { files }: Pick<ExecuteDeps, 'files'>,
  task: Task,
  { files: [main, ...others], title }: Made,
): Promise<TaskResult> {
  const publishOne = async ({ path: file, ...made }: MadeFile): Promise<TaskFile> => ({
    ...made,
    ...(await files.publish(task.id, file, made.name)),
  })
  const published: TaskFile[] = []
  for (const other of others) published.push(await publishOne(other))
  return { files: [await publishOne(main), ...published], title }
}
