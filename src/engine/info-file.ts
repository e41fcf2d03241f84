import fs from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { TaskError } from '../domain/errors.ts'
import { parseInfo, publicInfo } from './info.ts'

/** A document of that length is rewritten in some ten milliseconds; a longer one would hold up the whole daemon. */
const SMALL_CHARS = 2 ** 20

/** Such a document takes many times its length while it is being rewritten. */
const WORKER_MEMORY_MB = 2_048

export type WrittenInfo = Readonly<{ duration: number | null }>

/**
 * Writes to `file` what everybody may see of the info document that yt-dlp printed, and says how long its medium is.
 * Throws TaskError like `parseInfo`, and `too_large`.
 */
export async function writePublicInfo(text: string, file: string): Promise<WrittenInfo> {
  if (text.length > SMALL_CHARS) return writeInThread(text, file)
  const { json, duration } = infoOf(text)
  await fs.writeFile(file, json)
  return { duration }
}

/** The public part of a document as JSON. */
export function infoOf(text: string): WrittenInfo & Readonly<{ json: string }> {
  const document = parseInfo(text)
  return { json: JSON.stringify(publicInfo(document)), duration: document.duration ?? null }
}

async function writeInThread(text: string, file: string): Promise<WrittenInfo> {
  const worker = new Worker(new URL('./info-file-worker.ts', import.meta.url), {
    workerData: { text, file },
    resourceLimits: { maxOldGenerationSizeMb: WORKER_MEMORY_MB },
  })
  try {
    const answer = await new Promise<WrittenInfo | Readonly<{ code: TaskError['code']; message: string }>>(
      (resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
        worker.once('exit', () => reject(new Error('the description was not read to its end')))
      },
    )
    if ('code' in answer) throw new TaskError(answer.code, answer.message)
    return answer
  } catch (cause) {
    const isTooLarge = cause instanceof Error && 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY'
    throw isTooLarge ? new TaskError('too_large', 'the description of this page is too large', { cause }) : cause
  } finally {
    await worker.terminate()
  }
}
