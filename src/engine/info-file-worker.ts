/** The thread of `writePublicInfo`: reads one info document and writes what of it everybody may see. */
import fs from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { TaskError } from '../domain/errors.ts'
import { infoOf, type WrittenInfo } from './info-file.ts'

const { text, file } = workerData as Readonly<{ text: string; file: string }>
let answer: WrittenInfo | Readonly<{ code: TaskError['code']; message: string }>
try {
  const { json, duration } = infoOf(text)
  await fs.writeFile(file, json)
  answer = { duration }
} catch (error) {
  if (!(error instanceof TaskError)) throw error
  answer = { code: error.code, message: error.message } // a thread hands on no classes
}
parentPort?.postMessage(answer)
