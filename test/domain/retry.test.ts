import { TASK_ERROR_CODES, type TaskErrorCode } from '../../src/domain/errors.ts'
import { ERROR_TEXTS, hostCooldown, nextRetry, RETRY_RULES, type RetryQuestion } from '../../src/domain/retry.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const NOW = Date.UTC(2026, 10, 21)

function delay(code: TaskErrorCode, attempt: number, more: Partial<RetryQuestion> = {}): number | null {
  const next = nextRetry({ code, attempt, now: NOW, random: 0.999_999, ...more })
  return next === null ? null : next.at - NOW
}

/** Delays of a task that keeps failing this way, until it is given up. */
function schedule(code: TaskErrorCode, random: number, more: Partial<RetryQuestion> = {}): number[] {
  const delays: number[] = []
  for (let attempt = 1; attempt <= 20; attempt += 1) {
    const wait = delay(code, attempt, { random, ...more })
    if (wait === null) break
    delays.push(wait)
  }
  return delays
}

describe('nextRetry', () => {
  test('doubles the upper bound of each wait until the attempts are used up', () => {
    expect(schedule('network', 0.5)).toEqual([2.5, 5, 10, 20, 40].map((seconds) => seconds * SECOND))
    expect(schedule('upstream_5xx', 0.5)).toEqual([5, 10, 20, 40, 80].map((seconds) => seconds * SECOND))
    expect(schedule('dns', 0.5)).toEqual([15, 30, 60, 120].map((seconds) => seconds * SECOND))
  })

  test('spreads short waits over the whole range, down to nothing', () => {
    expect(delay('network', 3, { random: 0 })).toBe(0)
    expect(delay('network', 3, { random: 0.999_999 })).toBeCloseTo(20 * SECOND, -2)
  })

  test('never comes back at once to a site that limits us', () => {
    expect(schedule('rate_limited', 0)).toEqual([15, 30, 60, 120, 240].map((minutes) => minutes * 0.75 * MINUTE))
    expect(Math.max(...schedule('rate_limited', 0.999_999))).toBeLessThanOrEqual(1.25 * 6 * HOUR)
  })

  test('waits as long as the site asks, at most a day', () => {
    expect(delay('rate_limited', 1, { retryAfter: 7200, random: 0 })).toBe(2 * HOUR)
    expect(delay('upstream_5xx', 1, { retryAfter: 120, random: 0 })).toBe(2 * MINUTE)
    expect(delay('upstream_5xx', 1, { retryAfter: 1e9, random: 0 })).toBe(24 * HOUR)
    expect(delay('rate_limited', 1, { retryAfter: 1, random: 0 })).toBe(0.75 * 15 * MINUTE)
  })

  test('is there when the live event begins, and looks in now and then if nobody knows when', () => {
    const retryAfter = 5 * 3600
    expect(delay('live_not_started', 1, { retryAfter, random: 0 })).toBe(5 * HOUR)
    expect(delay('live_not_started', 1, { retryAfter })).toBeLessThanOrEqual(5 * HOUR + MINUTE)
    expect(delay('live_not_started', 9, { random: 0.5 })).toBe(5 * MINUTE)
  })

  test('gives the attempt back when the failure was ours', () => {
    for (const code of ['no_space', 'shutdown'] as const) {
      expect(nextRetry({ code, attempt: 1000, now: NOW, random: 0.5 })?.countsAsAttempt).toBe(false)
    }
    expect(nextRetry({ code: 'network', attempt: 1, now: NOW, random: 0.5 })?.countsAsAttempt).toBe(true)
  })

  test('tries a refused media address again, but not a refused page', () => {
    expect(schedule('access_denied', 0.5, { media: true })).toHaveLength(2)
    expect(delay('access_denied', 1)).toBeNull()
  })

  test('looks once more for a page that answered 404, not for one that was removed', () => {
    expect(schedule('not_found', 0.5, { httpStatus: 404 })).toEqual([MINUTE])
    expect(delay('not_found', 1)).toBeNull()
    expect(delay('not_found', 1, { httpStatus: 410 })).toBeNull()
  })

  test('gives up at once where trying again cannot help', () => {
    const final = TASK_ERROR_CODES.filter((code) => schedule(code, 0.5).length === 0)
    expect(final).toEqual(
      expect.arrayContaining(['drm', 'private', 'geo_blocked', 'bot_check', 'egress_denied', 'cancelled', 'too_large']),
    )
  })

  test('stays bounded for every code that counts', () => {
    for (const code of TASK_ERROR_CODES) {
      const { retry } = RETRY_RULES[code]
      if (retry === 'no' || !retry.counts) continue
      expect(delay(code, retry.retries + 1, { media: true, httpStatus: 404 })).toBeNull()
      expect(delay(code, retry.retries, { media: true, httpStatus: 404 })).toBeLessThanOrEqual(1.25 * retry.capMs)
    }
  })
})

test('a host rests longer with every strike, up to a limit', () => {
  const minutes = (code: TaskErrorCode, strikes: number) => hostCooldown(code, strikes) / MINUTE
  expect([0, 1, 2, 3, 9].map((strikes) => minutes('rate_limited', strikes))).toEqual([0, 15, 30, 60, 360])
  expect([1, 2, 9].map((strikes) => minutes('bot_check', strikes))).toEqual([30, 60, 60])
  expect(minutes('network', 5)).toBe(0)
})

test('every code has a sentence and a hint', () => {
  for (const code of TASK_ERROR_CODES) {
    const { message, hint } = ERROR_TEXTS[code]
    expect(message).toMatch(/^[A-Zy].{10,120}\.$/)
    expect(hint).toMatch(/^[A-Z].{10,120}\.$/)
  }
})
