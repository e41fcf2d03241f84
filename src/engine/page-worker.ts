/** The thread of `readPage`: reads one long info document. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Page } from '../domain/page.ts'
import { pageOf } from './page.ts'
import { threadAnswer } from './thread.ts'

parentPort?.postMessage(await threadAnswer<Page>(() => pageOf(workerData as string)))
