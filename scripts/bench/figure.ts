import { setTimeout as sleep } from 'node:timers/promises'

/** One line of the table. Without a value it could not be measured here, and `note` says why. */
export type Figure = Readonly<{
  name: string
  value: number | null
  /** `ratio`: ours divided by what it is compared with. */
  unit: 'ratio' | 'MB' | 's'
  /** The value may be no more, or no less, than this. */
  target: Readonly<{ most: number } | { least: number }>
  /** What was measured on both sides, for people. */
  note: string
}>

/** Null when there is no value. */
export function isMet({ value, target }: Figure): boolean | null {
  if (value === null) return null
  return 'most' in target ? value <= target.most : value >= target.least
}

export type Pair = Readonly<{ ours: number; theirs: number }>

/**
 * Medians of two measurements that take turns, so that a load from elsewhere falls on both. A first turn of each warms
 * up and does not count.
 */
export async function sideBySide(
  rounds: number,
  ours: (round: number) => Promise<number>,
  theirs: (round: number) => Promise<number>,
): Promise<Pair> {
  await ours(0)
  await theirs(0)
  const seen: Pair[] = []
  for (let round = 1; round <= rounds; round++) {
    // Whoever comes second may find the machine in another state: each comes second in turn.
    const first = round % 2 === 0 ? await ours(round) : null
    const their = await theirs(round)
    seen.push({ ours: first ?? (await ours(round)), theirs: their })
  }
  return { ours: median(seen.map((pair) => pair.ours)), theirs: median(seen.map((pair) => pair.theirs)) }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/** Looks every `everyMs` until `look` says true; rejects, naming what, after `timeoutMs`. */
export async function until(
  what: string,
  look: () => Promise<boolean>,
  { everyMs, timeoutMs }: Readonly<{ everyMs: number; timeoutMs: number }>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
    await sleep(everyMs)
  }
}
