import fs from 'node:fs/promises'
import { cleanText } from './fetch-plan.ts'
import { parseInfo, publicInfo } from './info.ts'
import { inTaskThread } from './thread.ts'

/** A document of that length is rewritten in some ten milliseconds; a longer one would hold up the whole daemon. */
const SMALL_CHARS = 2 ** 20

export type WrittenInfo = Readonly<{ duration: number | null; title: string | null }>

/**
 * Writes to `file` what everybody may see of the info document that yt-dlp printed, and says how long its medium is and what it is called.
 * Throws TaskError like `parseInfo`, and `too_large`.
 */
export async function writePublicInfo(text: string, file: string): Promise<WrittenInfo> {
  if (text.length > SMALL_CHARS) return inTaskThread(new URL('./info-file-worker.ts', import.meta.url), { text, file })
  const { json, ...written } = infoOf(text)
  await fs.writeFile(file, json)
  return written
}

/** The public part of a document as JSON. */
export function infoOf(text: string): WrittenInfo & Readonly<{ json: string }> {
  const document = parseInfo(text)
  const title = cleanText(document.title ?? '') || null
  return { json: JSON.stringify(publicInfo(document)), duration: document.duration ?? null, title }
}
