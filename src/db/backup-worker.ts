/** The thread of `makeBackup`: copies the database it is told to. Fails as a whole or not at all. */
import { parentPort, workerData } from 'node:worker_threads'
import { copyDatabase } from './backup.ts'

const { source, target } = workerData as Readonly<{ source: string; target: string }>
await copyDatabase(source, target)
parentPort?.postMessage('done')
