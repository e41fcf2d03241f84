import { pino } from 'pino'
import { BackupSchedule } from '../../src/tasks/backups.ts'
import { waitFor } from '../support/wait-for.ts'

const HOUR = 3_600_000

type Bench = AsyncDisposable & { made: number; atOnce: number; lines: string[] }

/** A schedule whose backups take `takesMs`, or fail when `fails` says so of the n-th. */
function schedule(
  given: Readonly<{ newest: number | null; everyMs: number; takesMs?: number; fails?: (n: number) => boolean }>,
): Bench {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) })
  let running = 0
  const bench: Bench = {
    made: 0,
    atOnce: 0,
    lines,
    [Symbol.asyncDispose]: () => backups[Symbol.asyncDispose](),
  }
  const backups = new BackupSchedule({
    make: async (signal) => {
      const n = ++bench.made
      bench.atOnce = Math.max(bench.atOnce, ++running)
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, given.takesMs ?? 1)
        signal.addEventListener('abort', () => {
          clearTimeout(timer)
          resolve(null)
        })
      })
      running--
      if (given.fails?.(n)) throw new Error('no space')
      return `backup-${n}`
    },
    newestAt: () => Promise.resolve(given.newest),
    everyMs: given.everyMs,
    firstMs: 5,
    log,
  })
  backups.start()
  return bench
}

test('the first backup comes soon after the start when there is none, or only an old one', async () => {
  for (const newest of [null, Date.now() - 2 * HOUR]) {
    await using bench = schedule({ newest, everyMs: HOUR })
    await waitFor('a backup', () => bench.made === 1, 2_000)
  }
})

test('a young one lets the next wait, and so does one from a future that a clock set back has left', async () => {
  for (const newest of [Date.now() - HOUR / 2, Date.now() + 100 * HOUR]) {
    await using bench = schedule({ newest, everyMs: HOUR })
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(bench.made).toBe(0)
  }
})

test('they follow each other and never overlap, however long one takes', async () => {
  await using bench = schedule({ newest: null, everyMs: 5, takesMs: 20 })
  await waitFor('four backups', () => bench.made >= 4, 2_000)
  expect(bench.atOnce).toBe(1)
})

test('one that failed is reported and tried again', async () => {
  await using bench = schedule({ newest: null, everyMs: 20, fails: (n) => n === 1 })
  await waitFor('the second', () => bench.lines.some((line) => line.includes('backup-2')), 2_000)
  expect(bench.lines[0]).toContain('"level":50')
  expect(bench.lines[0]).toContain('no space')
})

test('an interval beyond what a timer holds is no interval of a millisecond', async () => {
  await using bench = schedule({ newest: Date.now(), everyMs: 8760 * HOUR })
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(bench.made).toBe(0)
})

test('disposing gives up the one under way, and 0 means never', async () => {
  const bench = schedule({ newest: null, everyMs: HOUR, takesMs: 60_000 })
  await waitFor('a backup under way', () => bench.made === 1, 2_000)
  await bench[Symbol.asyncDispose]()
  await using never = schedule({ newest: null, everyMs: 0 })
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(never.made).toBe(0)
})
