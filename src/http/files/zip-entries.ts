import { Refusal } from '../../domain/errors.ts'
import type { Task, TaskFile } from '../../domain/task.ts'
import type { LocalFiles } from '../../files/local.ts'
import { ownPart, safeName } from './file-name.ts'
import type { ZipEntry } from './zip.ts'

/** Most files of one zip: their names are held in memory. */
const MAX_ZIP_FILES = 10_000

/** Most bytes of a name; what every file system and most tools take. */
const MAX_NAME_BYTES = 200
/** Of a name, what tells the files of one task apart. */
const MAX_PART_BYTES = 60

type Item = Readonly<{ task: Task; file: TaskFile; size: number; position: number }>

/**
 * The files of completed tasks as they go into a zip: `07 - title.mp4` where `isNumbered`, else `title.mp4`. Refuses
 * `file_not_found` when one is not there (unless it may be left out) and `conflict` when there are too many.
 */
export async function zipEntries(
  tasks: AsyncIterable<Task> | Iterable<Task>,
  files: LocalFiles,
  { isNumbered, mayLack }: Readonly<{ isNumbered: boolean; mayLack: boolean }>,
): Promise<ZipEntry[]> {
  const items: Item[] = []
  let count = 0
  for await (const task of tasks) {
    count++
    for (const file of task.files.filter(({ kind }) => kind !== 'playlist')) {
      const size = await files.sizeOf(task.id, file.name)
      if (size !== null) items.push({ task, file, size, position: task.position ?? count })
      else if (!mayLack) throw new Refusal('file_not_found', `A file of task ${task.id} is not there any more`)
      if (items.length > MAX_ZIP_FILES) throw new Refusal('conflict', `A zip holds at most ${MAX_ZIP_FILES} files`)
    }
  }
  const digits = Math.max(2, String(Math.max(0, ...items.map(({ position }) => position))).length)
  const taken = new Set<string>()
  return items.map(({ task, file, size, position }) => ({
    name: unique(nameOf(task, file, isNumbered ? `${String(position).padStart(digits, '0')} - ` : ''), taken),
    path: files.pathOf(task.id, file.name),
    size,
    modifiedAt: task.finishedAt ?? task.createdAt,
  }))
}

type Name = Readonly<{ stem: string; part: string }>

function nameOf(task: Task, file: TaskFile, prefix: string): Name {
  const part = `.${safeName(ownPart(task, file).slice(1), MAX_PART_BYTES, 'bin')}`
  const wanted = task.request.outputFilename ?? task.title ?? ''
  const bare = wanted.toLowerCase().endsWith(part.toLowerCase()) ? wanted.slice(0, -part.length) : wanted
  const room = MAX_NAME_BYTES - Buffer.byteLength(prefix + part) - ' (10000)'.length
  return { stem: `${prefix}${safeName(bare, room, task.request.kind)}`, part }
}

/** Told apart whatever the case, as Windows and macOS do. */
function unique({ stem, part }: Name, taken: Set<string>): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? `${stem}${part}` : `${stem} (${number})${part}`
    const known = name.toLowerCase()
    if (taken.has(known)) continue
    taken.add(known)
    return name
  }
}
