import { Buffer } from 'node:buffer'
import type { Task, TaskFile } from '../../domain/task.ts'

/** The name a client asked for, with the extension that the file really has; a file beside the main one keeps its own part. */
export function offeredName(task: Task, file: Pick<TaskFile, 'name'>): string {
  const wanted = task.request.outputFilename
  if (wanted === null) return file.name
  const extension = ownPart(task, file)
  return wanted.toLowerCase().endsWith(extension.toLowerCase()) ? wanted : `${wanted}${extension}`
}

/** What tells a file from the others of its task: `.mp4`, `.en.srt` beside `video.mp4`, `.clip-2.mp4`. */
export function ownPart({ files: [main] }: Pick<Task, 'files'>, { name }: Pick<TaskFile, 'name'>): string {
  if (main === undefined || name === main.name) return extensionOf(name)
  const stem = main.name.slice(0, main.name.length - extensionOf(main.name).length)
  return name.startsWith(`${stem}.`) ? name.slice(stem.length) : `.${name}`
}

const extensionOf = (name: string): string => (name.includes('.') ? name.slice(name.lastIndexOf('.')) : '')

/** What file systems of any kind have no use for. */
// eslint-disable-next-line no-control-regex -- these are what is meant
const UNSAFE = /[\u0000-\u001f\u007f-\u009f<>:"/\\|?*]/g
/** Marks that let a name look like another; joiners stay, whole scripts and emoji need them. */
const INVISIBLE = /[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Names that are devices on Windows, whatever extension follows. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)/i

/** A text as one safe part of a path on every system, at most `maxBytes` of UTF-8; `fallback` where nothing is left of it. */
export function safeName(text: string, maxBytes: number, fallback: string): string {
  const clean = text.toWellFormed().normalize('NFC').replace(INVISIBLE, '').replace(UNSAFE, '_').replace(/\s+/g, ' ')
  const bare = trimmed(cut(clean.replace(/^[. ]+/, ''), maxBytes - 1))
  return bare === '' ? fallback : bare.replace(DEVICE, '$1_')
}

/** Windows drops dots and blanks at the end of a name. */
const trimmed = (text: string) => text.replace(/[. ]+$/, '')

/** As many whole characters as fit, those that people see as one kept together. */
function cut(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text
  let kept = ''
  let bytes = 0
  for (const { segment } of new Intl.Segmenter().segment(text.slice(0, maxBytes))) {
    bytes += Buffer.byteLength(segment)
    if (bytes > maxBytes) break
    kept += segment
  }
  return kept
}
