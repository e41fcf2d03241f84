import { setImmediate as nextTurn } from 'node:timers/promises'
import { Refusal } from '../domain/errors.ts'
import { OneByOne } from '../domain/one-by-one.ts'

/** Calls of one key that may wait for their turn. */
const MAX_WAITING = 200
const RETRY_AFTER_S = 1

type Line = { readonly turns: OneByOne; length: number }

/** Lets calls of one key that take the daemon's time happen one after the other, with those of all others in between. */
export class Turns {
  readonly #lines = new Map<string, Line>()

  /** Does `work` when it is the key's turn. Refuses `limit_exceeded` when too many of the key wait. */
  async take<T>(keyId: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(keyId) ?? { turns: new OneByOne(), length: 0 }
    if (line.length > MAX_WAITING)
      throw new Refusal('limit_exceeded', 'Too many calls of this key wait for each other', {
        retryAfter: RETRY_AFTER_S,
      })
    this.#lines.set(keyId, line)
    line.length++
    try {
      return await line.turns.do(() => nextTurn().then(work))
    } finally {
      line.length--
      if (line.length === 0) this.#lines.delete(keyId)
    }
  }
}
