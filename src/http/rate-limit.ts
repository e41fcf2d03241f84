import type { RequestHandler } from 'express'
import { rateLimit, type IncrementResponse, type Store } from 'express-rate-limit'
import { Refusal } from '../domain/errors.ts'
import { keyOf } from './route.ts'

/** Calls a key may make within the window; `message` is what a refused one reads. */
export type RateLimitOptions = Readonly<{ limit: number; windowMs: number; message: string }>

/** Bounds the calls of each key in a rolling window; calls that are refused here do not count. */
export function createRateLimit({ limit, windowMs, message }: RateLimitOptions): RequestHandler {
  return rateLimit({
    limit,
    windowMs,
    store: new RollingWindow(limit, windowMs),
    keyGenerator: (_req, res) => keyOf(res).id,
    standardHeaders: 'draft-6',
    legacyHeaders: false,
    validate: false,
    handler: (_req, res) => {
      const retryAfter = Number(res.getHeader('Retry-After') ?? 1)
      throw new Refusal('rate_limited', message, { retryAfter: Math.max(1, retryAfter) })
    },
  })
}

/** The times of the last `limit` accepted calls of each key. express-rate-limit's own store counts in fixed windows. */
class RollingWindow implements Store {
  readonly localKeys = true
  readonly #limit: number
  readonly #windowMs: number
  readonly #calls = new Map<string, number[]>()

  constructor(limit: number, windowMs: number) {
    this.#limit = limit
    this.#windowMs = windowMs
  }

  increment(key: string): IncrementResponse {
    const now = Date.now()
    const calls = (this.#calls.get(key) ?? []).filter((at) => at > now - this.#windowMs)
    const resetTime = new Date((calls[0] ?? now) + this.#windowMs)
    const refused = calls.length >= this.#limit
    if (!refused) calls.push(now)
    this.#calls.set(key, calls)
    return { totalHits: refused ? this.#limit + 1 : calls.length, resetTime }
  }

  decrement(key: string): void {
    this.#calls.get(key)?.pop()
  }

  resetKey(key: string): void {
    this.#calls.delete(key)
  }
}
