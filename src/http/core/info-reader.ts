import fs from 'node:fs/promises'
import { Refusal } from '../../domain/errors.ts'
import { OneByOne } from '../../domain/one-by-one.ts'
import { inThread } from '../../thread.ts'
import { selectInfo } from './info-query.ts'

/** A document of that size is read in some ten milliseconds; a larger one would hold up everybody else. */
const SMALL_BYTES = 2 ** 20

/** Large documents are read one at a time: each takes several times its size of memory. */
const MAX_WAITING = 16
const WORKER_MEMORY_MB = 1_024

/** Reads fields of info documents, whatever their size, without holding up the daemon. */
export class InfoReader {
  readonly #turns = new OneByOne()
  #waiting = 0

  /**
   * What `selectInfo` says of the document in `file`. Rejects when it cannot be read, and refuses `limit_exceeded` when too
   * many large ones are being read. Gives up on those nobody waits for any more: `isWanted` is asked when its turn comes.
   */
  async select(file: string, names: readonly string[], isWanted: () => boolean): Promise<string | null> {
    const { size } = await fs.stat(file)
    if (size <= SMALL_BYTES) {
      return selectInfo(JSON.parse(await fs.readFile(file, 'utf8')) as Record<string, unknown>, names)
    }
    if (this.#waiting >= MAX_WAITING) {
      throw new Refusal('limit_exceeded', 'Too many large documents are being read', { retryAfter: 1 })
    }
    this.#waiting++
    try {
      return await this.#turns.do(() => (isWanted() ? selectInThread(file, names) : null))
    } finally {
      this.#waiting--
    }
  }
}

const selectInThread = (file: string, names: readonly string[]): Promise<string | null> =>
  inThread(new URL('./info-worker.ts', import.meta.url), { file, names }, { memoryMb: WORKER_MEMORY_MB })
