/** The thread of `readPost`: reads one long info document. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Post } from '../domain/post.ts'
import { postOf, type PostDocument } from './post-document.ts'
import { threadAnswer } from './thread.ts'

parentPort?.postMessage(await threadAnswer<Post | null>(() => postOf(workerData as PostDocument)))
