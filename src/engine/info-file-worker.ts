/** The thread of `writePublicInfo`: reads one info document and writes what of it everybody may see. */
import fs from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { infoOf, type WrittenInfo } from './info-file.ts'
import { threadAnswer } from './thread.ts'

const { text, file } = workerData as Readonly<{ text: string; file: string }>
const answer = await threadAnswer<WrittenInfo>(async () => {
  const { json, ...written } = infoOf(text)
  await fs.writeFile(file, json)
  return written
})
parentPort?.postMessage(answer)
