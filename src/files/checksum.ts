import { inThread } from '../thread.ts'

/** SHA-256 of a file, hex, made in a thread of its own. Rejects when it cannot be read, or is ended by `signal`. */
export const checksumOf = (file: string, signal: AbortSignal): Promise<string> =>
  inThread(new URL('./checksum-worker.ts', import.meta.url), { file }, { signal })
