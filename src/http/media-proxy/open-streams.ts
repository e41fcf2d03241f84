import type { Response } from 'express'
import { Refusal, TaskError } from '../../domain/errors.ts'
import type { Keys } from '../../keys/keys.ts'

const RETRY_AFTER_S = 5

/** What is being passed on, by key. A key that is revoked loses its streams. */
export class OpenStreams {
  readonly #byKey = new Map<string, Set<AbortController>>()
  readonly #most: number

  /** `most`: streams that a key may have at the same time. */
  constructor(keys: Pick<Keys, 'whenRevoked'>, most: number) {
    this.#most = most
    keys.whenRevoked((keyId) => {
      for (const stream of this.#byKey.get(keyId) ?? []) stream.abort(new TaskError('cancelled', 'the key was revoked'))
    })
  }

  /** A stream until it is disposed of, aborted when its client leaves. Refuses `limit_exceeded`. */
  open(keyId: string, res: Response): Disposable & Readonly<{ signal: AbortSignal }> {
    const streams = this.#byKey.get(keyId) ?? new Set()
    if (streams.size >= this.#most)
      throw new Refusal('limit_exceeded', `This key may have ${this.#most} media passed on at the same time`, {
        retryAfter: RETRY_AFTER_S,
      })
    const stream = new AbortController()
    this.#byKey.set(keyId, streams.add(stream))
    res.once('close', () => {
      if (!res.writableFinished) stream.abort(new TaskError('cancelled', 'the client is gone'))
    })
    return {
      signal: stream.signal,
      [Symbol.dispose]: () => {
        streams.delete(stream)
        if (streams.size === 0 && this.#byKey.get(keyId) === streams) this.#byKey.delete(keyId)
      },
    }
  }
}
