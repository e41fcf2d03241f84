import { Worker } from 'node:worker_threads'

/** What a thread may use, and until when. */
export type ThreadBounds = Readonly<{ memoryMb?: number; signal?: AbortSignal }>

/**
 * Runs a script of ours in a thread of its own, so that long work holds up nobody, and returns the one message it posts.
 * Rejects with what the script throws, with the reason of `signal`, and when it ends without a message.
 */
export async function inThread<T>(
  script: URL,
  workerData: unknown,
  { memoryMb, signal }: ThreadBounds = {},
): Promise<T> {
  signal?.throwIfAborted()
  const resourceLimits = memoryMb === undefined ? {} : { maxOldGenerationSizeMb: memoryMb }
  const worker = new Worker(script, { workerData, resourceLimits })
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const stop = () => reject(signal?.reason as Error)
  signal?.addEventListener('abort', stop, { once: true })
  worker.once('message', resolve)
  worker.once('error', reject)
  worker.once('exit', () => reject(new Error('the thread ended before its work was done')))
  try {
    return await promise
  } finally {
    signal?.removeEventListener('abort', stop)
    await worker.terminate()
  }
}
