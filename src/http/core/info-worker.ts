/** The thread of `selectFromFile`: reads one document and says what a query selects of it. */
import fs from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { selectInfo } from './info-query.ts'

const { file, names } = workerData as Readonly<{ file: string; names: readonly string[] }>
const document = JSON.parse(await fs.readFile(file, 'utf8')) as Record<string, unknown>
parentPort?.postMessage(selectInfo(document, names))
