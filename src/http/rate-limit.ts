import type { RequestHandler } from 'express'
import { ipKeyGenerator, rateLimit, type IncrementResponse, type Store } from 'express-rate-limit'
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

const MINUTE_MS = 60_000

/** Bounds the calls of each key that has a bound of its own (`requestsPerMinute`); calls that are refused here do not count. */
export function createKeyRateLimit(): RequestHandler {
  const window = new RollingWindow(0, MINUTE_MS)
  return (_req, res, next) => {
    const { id, limits } = keyOf(res)
    const most = limits.requestsPerMinute
    if (most !== null) {
      const { totalHits, resetTime } = window.increment(id, most)
      if (totalHits > most) {
        const retryAfter = Math.max(1, ((resetTime?.getTime() ?? 0) - Date.now()) / 1000)
        throw new Refusal('rate_limited', `This key may make ${most} requests a minute`, { retryAfter })
      }
    }
    next()
  }
}

/** Bounds the calls from each address within the last minute; calls that are refused here do not count. */
export function createAddressRateLimit(limit: number, message: string): RequestHandler {
  const window = new RollingWindow(limit, MINUTE_MS)
  return (req, _res, next) => {
    if (limit === 0) return next()
    const { totalHits, resetTime } = window.increment(networkOf(req.ip ?? ''))
    if (totalHits > limit) {
      const retryAfter = Math.max(1, ((resetTime?.getTime() ?? 0) - Date.now()) / 1000)
      throw new Refusal('rate_limited', message, { retryAfter })
    }
    next()
  }
}

/** Of IPv6 the /64 that one customer has, as express-rate-limit does it. */
const networkOf = (address: string) => (address.includes(':') ? ipKeyGenerator(address, 64) : address)

/** The times of the last `limit` accepted calls of each key. express-rate-limit's own store counts in fixed windows. */
class RollingWindow implements Store {
  readonly localKeys = true
  readonly #limit: number
  readonly #windowMs: number
  readonly #calls = new Map<string, number[]>()
  #sweptAt = 0

  constructor(limit: number, windowMs: number) {
    this.#limit = limit
    this.#windowMs = windowMs
  }

  increment(key: string, limit = this.#limit): IncrementResponse {
    const now = Date.now()
    this.#sweep(now)
    const calls = (this.#calls.get(key) ?? []).filter((at) => at > now - this.#windowMs)
    const resetTime = new Date((calls[0] ?? now) + this.#windowMs)
    const refused = calls.length >= limit
    if (!refused) calls.push(now)
    this.#calls.set(key, calls)
    return { totalHits: refused ? limit + 1 : calls.length, resetTime }
  }

  decrement(key: string): void {
    this.#calls.get(key)?.pop()
  }

  resetKey(key: string): void {
    this.#calls.delete(key)
  }

  /** Once in a window, forgets the keys that made no call in it: those that were deleted would stay for ever. */
  #sweep(now: number): void {
    if (now - this.#sweptAt < this.#windowMs) return
    this.#sweptAt = now
    for (const [key, calls] of this.#calls) {
      if ((calls.at(-1) ?? 0) <= now - this.#windowMs) this.#calls.delete(key)
    }
  }
}
