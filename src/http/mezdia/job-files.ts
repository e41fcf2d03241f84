import type { Task, TaskFile } from '../../domain/task.ts'
import { safeName } from '../files/file-name.ts'
import { fileTagOf } from './job-id.ts'

/** Bytes of a name that come from a title. */
const MAX_TITLE_BYTES = 150

/** What in a path would end it. */
const ENDS_PATH = /[#%]/g

/** The files of a task that clients get: not what is written about them. */
export const filesOf = ({ files }: Task): readonly TaskFile[] => files.filter(({ kind }) => kind !== 'playlist')

/** What a file is called: a tag that leads back to its task, the title, and what the file is. */
export function fileNameOf(task: Task, file: TaskFile): string {
  const title = safeName(task.title ?? task.request.kind, MAX_TITLE_BYTES, task.request.kind).replace(ENDS_PATH, '_')
  return `${fileTagOf(task.id)}_${title}${suffixOf(file, task.files.length > 1)}`
}

/** Everything behind the first dot of our own name: `.mp4`, `.en.vtt`; only one of several needs more than its last. */
function suffixOf({ name, kind }: TaskFile, isOneOfSeveral: boolean): string {
  const isLong = isOneOfSeveral || kind === 'subtitles'
  const dot = isLong ? name.indexOf('.') : name.lastIndexOf('.')
  return dot === -1 ? '' : name.slice(dot)
}
