import path from 'node:path'
import type { Task, TaskFile } from '../../domain/task.ts'
import { codeOf } from '../../domain/social-post.ts'
import type { LocalFiles } from '../../files/local.ts'
import { zipLength, type ZipEntry } from '../files/zip.ts'
import type { Sent } from './jobs.ts'

/** A file as clients get it: one of the task's own, or all of them as a zip. */
export type OfferedFile = Readonly<{
  name: string
  size: number
  type: 'video' | 'audio' | 'image' | 'zip'
  task: Task
  /** Null for a zip. */
  file: TaskFile | null
}>

const TYPES: Partial<Readonly<Record<TaskFile['kind'], OfferedFile['type']>>> = {
  video: 'video',
  audio: 'audio',
  image: 'image',
}

/** What a page is called in the names of its files: the code of a post, the name of an account. */
const pageName = (url: string): string => codeOf(url) || userIn(url)

const userIn = (url: string) => /^\/stories\/([\w.]+)/.exec(new URL(url).pathname)?.[1] ?? 'instagram'

const isStory = (url: string) => userIn(url) !== 'instagram'

/** The files of a finished task as clients get them. */
export function offeredFiles(task: Task): readonly OfferedFile[] {
  const media = task.files.filter(({ kind }) => TYPES[kind] !== undefined)
  if (media.length === 0) return []
  const { url } = task.request
  const name = pageName(url)
  if ((task.sent as Sent).zip === true) {
    const zip = isStory(url) ? `${name}_stories.zip` : `${name}_carousel.zip`
    return [{ name: zip, size: zipLength(entriesWithoutPlace(task)), type: 'zip', task, file: null }]
  }
  return media.map((file) => {
    const type = TYPES[file.kind] ?? 'image'
    const number = /^item_(\d+)/.exec(file.name)?.[1] ?? '01'
    const part = isStory(url) ? `story_${number}` : media.length === 1 ? type : `item_${number}`
    return { name: `${name}_${part}${path.extname(file.name)}`, size: file.size, type, task, file }
  })
}

/** What goes into the zip of a task. */
export const zipEntriesOf = (task: Task, files: LocalFiles): ZipEntry[] =>
  entriesWithoutPlace(task).map((entry) => ({ ...entry, path: files.pathOf(task.id, entry.name) }))

const entriesWithoutPlace = (task: Task): ZipEntry[] =>
  task.files.map(({ name, size }) => ({ name, path: '', size, modifiedAt: task.finishedAt ?? task.createdAt }))

/** The addresses of the pages that a file of this name can be of. */
export function pagesOfFile(name: string): readonly string[] {
  const page = /^([\w.-]+)_(?:image|video|audio|carousel|item_\d+|story_\d+|stories)\.\w+$/.exec(name)?.[1]
  if (page === undefined) return []
  return ['p', 'reel', 'tv', 'stories'].map((place) => `https://www.instagram.com/${place}/${page}/`)
}
