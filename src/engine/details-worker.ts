/** The thread of `readDetails`: reads one long info document. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Details } from '../domain/details.ts'
import { detailsOf } from './details.ts'
import { threadAnswer } from './thread.ts'

parentPort?.postMessage(await threadAnswer<Details>(() => detailsOf(workerData as string)))
