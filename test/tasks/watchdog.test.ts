import fs from 'node:fs'
import path from 'node:path'
import type { TaskError } from '../../src/domain/errors.ts'
import { Watchdog, type WatchdogOptions } from '../../src/tasks/watchdog.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/wait-for.ts'

type Watched = AsyncDisposable & { workDir: string; watchdog: Watchdog; trips: TaskError[]; startedAt: number }

function watch(options: Partial<WatchdogOptions>): Watched {
  const dir = tempDir()
  const trips: TaskError[] = []
  const watchdog = new Watchdog({
    workDir: dir.path,
    fetchedBytes: () => 0,
    stallMs: 60_000,
    maxRunMs: 60_000,
    maxBytes: 1_000_000,
    onTrip: (reason) => trips.push(reason),
    ...options,
  })
  return {
    workDir: dir.path,
    watchdog,
    trips,
    startedAt: performance.now(),
    [Symbol.asyncDispose]: async () => {
      watchdog[Symbol.dispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}

const untilTrip = async ({ trips, startedAt }: Watched) => {
  await waitFor('the watchdog', () => trips.length > 0, 10_000)
  return { code: trips[0]?.code, afterMs: performance.now() - startedAt, times: trips.length }
}

describe('an attempt', () => {
  test('is ended once, within two seconds of its limit, when it stalls or runs too long', async () => {
    await using nothing = watch({ stallMs: 1_200 })
    await using endless = watch({ maxRunMs: 1_200, fetchedBytes: () => performance.now() })
    await using trickle = watch({ stallMs: 1_200, fetchedBytes: () => 4711 })
    for (const [watched, code] of [
      [nothing, 'stalled'],
      [endless, 'timeout'],
      [trickle, 'stalled'],
    ] as const) {
      const trip = await untilTrip(watched)
      expect(trip).toMatchObject({ code, times: 1 })
      expect(trip.afterMs).toBeGreaterThanOrEqual(1_100)
      expect(trip.afterMs).toBeLessThan(1_200 + 2_300)
    }
  })

  test('is ended when its folder grows too large', async () => {
    await using watched = watch({ maxBytes: 5_000 })
    for (const name of ['a.part', 'b.part']) fs.writeFileSync(path.join(watched.workDir, name), 'x'.repeat(3_000))
    expect(await untilTrip(watched)).toMatchObject({ code: 'too_large', times: 1 })
  })

  test('is left alone while bytes arrive, a file grows or is written again in place', async () => {
    let bytes = 0
    await using fetching = watch({ stallMs: 1_500, fetchedBytes: () => bytes })
    await using growing = watch({ stallMs: 1_500 })
    await using rewriting = watch({ stallMs: 1_500 })
    const mover = setInterval(() => {
      bytes++
      fs.appendFileSync(path.join(growing.workDir, 'media.part'), 'x')
      fs.writeFileSync(path.join(rewriting.workDir, 'media.part'), 'x')
    }, 200)
    try {
      await waitFor('twice the limit to pass', () => performance.now() - fetching.startedAt > 3_200)
      for (const { trips } of [fetching, growing, rewriting]) expect(trips).toEqual([])
    } finally {
      clearInterval(mover)
    }
  })

  test('does not stall while it works quietly, and its limit begins anew after that', async () => {
    await using watched = watch({ stallMs: 1_200 })
    const answer = await watched.watchdog.pauseFor(async () => {
      await waitFor('twice the limit to pass', () => performance.now() - watched.startedAt > 2_600)
      return 42
    })
    expect(answer).toBe(42)
    expect(watched.trips).toEqual([])
    const { afterMs, code } = await untilTrip(watched)
    expect(code).toBe('stalled')
    expect(afterMs).toBeGreaterThan(2_600 + 1_100)
  })

  test('is not ended by a watchdog that was disposed, nor because its folder is gone', async () => {
    await using watched = watch({ stallMs: 500 })
    watched.watchdog[Symbol.dispose]()
    await using homeless = watch({ maxBytes: 0, stallMs: 30_000 })
    fs.rmSync(homeless.workDir, { recursive: true })
    await waitFor('two samples', () => performance.now() - watched.startedAt > 2_200)
    expect(watched.trips).toEqual([])
    expect(homeless.trips).toEqual([])
  })
})
