import mime from 'mime-types'
import type { TaskFile } from '../../domain/task.ts'

/** The MIME type of a finished file, null when there is none for its name. A sound is one whatever its container. */
export function mediaTypeOf({ name, kind }: Pick<TaskFile, 'name' | 'kind'>): string | null {
  const type = mime.lookup(name)
  if (type === false) return null
  return kind === 'audio' ? type.replace(/^video\//, 'audio/') : type
}
