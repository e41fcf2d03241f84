import { TaskError } from '../../src/domain/errors.ts'
import { InfoCache } from '../../src/engine/info-cache.ts'
import { waitFor } from '../support/wait-for.ts'

const never = new AbortController().signal

/** Extractions that the test ends. */
function extractions() {
  const runs: { resolve: (text: string) => void; reject: (error: Error) => void }[] = []
  const make = () =>
    new Promise<string>((resolve, reject) => {
      runs.push({ resolve, reject })
    })
  return { runs, make }
}

describe('extractions of one page at one time', () => {
  test('share one run and its result', async () => {
    const cache = new InfoCache(60_000)
    const { runs, make } = extractions()
    const results = Array.from({ length: 10 }, () => cache.share('page', never, make))
    expect(runs).toHaveLength(1)
    runs[0]?.resolve('the page')
    expect(new Set(await Promise.all(results))).toEqual(new Set(['the page']))
    expect(await cache.share('page', never, make)).toBe('the page')
    expect(runs).toHaveLength(1)
  })

  test('share a failure of the page, which is not kept', async () => {
    const cache = new InfoCache(60_000)
    const { runs, make } = extractions()
    const results = [cache.share('page', never, make), cache.share('page', never, make)]
    runs[0]?.reject(new TaskError('private', 'it is private'))
    for (const result of await Promise.allSettled(results))
      expect(result).toMatchObject({ reason: { code: 'private' } })
    const again = cache.share('page', never, make)
    expect(runs).toHaveLength(2)
    runs[1]?.resolve('public now')
    expect(await again).toBe('public now')
  })

  test.each(['cancelled', 'shutdown', 'timeout', 'stalled'] as const)(
    'go on with the next one in line when the first is %s, one at a time',
    async (code) => {
      const cache = new InfoCache(60_000)
      const { runs, make } = extractions()
      const [leader, ...followers] = Array.from({ length: 4 }, () => cache.share('page', never, make))
      runs[0]?.reject(new TaskError(code, 'the first one is gone'))
      await expect(leader).rejects.toMatchObject({ code })
      await waitFor('the next run', () => runs.length === 2)
      runs[1]?.resolve('the page')
      expect(await Promise.all(followers)).toEqual(['the page', 'the page', 'the page'])
      expect(runs).toHaveLength(2)
    },
  )

  test('let go whoever is cancelled while waiting, and nobody else', async () => {
    const cache = new InfoCache(60_000)
    const { runs, make } = extractions()
    const leader = cache.share('page', never, make)
    const impatient = new AbortController()
    const follower = cache.share('page', impatient.signal, make)
    impatient.abort(new TaskError('cancelled', 'the task was cancelled'))
    await expect(follower).rejects.toMatchObject({ code: 'cancelled' })
    await expect(cache.share('page', impatient.signal, make)).rejects.toMatchObject({ code: 'cancelled' })
    runs[0]?.resolve('the page')
    expect(await leader).toBe('the page')
    expect(runs).toHaveLength(1)
  })

  test('do not mix with those of another key', async () => {
    const cache = new InfoCache(60_000)
    const [a, b] = [cache.share('a', never, async () => 'A'), cache.share('b', never, async () => 'B')]
    expect(await Promise.all([a, b])).toEqual(['A', 'B'])
  })
})

describe('a result', () => {
  test('is used again for its time only', async () => {
    const cache = new InfoCache(150)
    await cache.share('page', never, async () => 'first')
    expect(cache.get('page')).toBe('first')
    await waitFor('its end', () => cache.get('page') === null, 2_000)
    expect(await cache.share('page', never, async () => 'second')).toBe('second')
  })

  test('is not kept at all with a lifetime of zero, but still shared', async () => {
    const cache = new InfoCache(0)
    const { runs, make } = extractions()
    const results = [cache.share('page', never, make), cache.share('page', never, make)]
    expect(runs).toHaveLength(1)
    runs[0]?.resolve('the page')
    await Promise.all(results)
    expect(cache.get('page')).toBeNull()
  })

  test('makes room for newer ones: 32 Mi characters are held, no more', async () => {
    const cache = new InfoCache(60_000)
    const mebi = 2 ** 20
    for (let n = 0; n < 40; n++) await cache.share(`page ${n}`, never, async () => 'x'.repeat(mebi))
    const kept = Array.from({ length: 40 }, (_, n) => cache.get(`page ${n}`) !== null)
    expect(kept.filter(Boolean)).toHaveLength(32)
    expect(kept.slice(8).every(Boolean)).toBe(true)
    const huge = 'x'.repeat(33 * mebi)
    expect(await cache.share('huge', never, async () => huge)).toBe(huge)
    expect(cache.get('huge')).toBeNull()
    expect(cache.get('page 39')).not.toBeNull()
  })

  test('takes the place of an older one of its key, and is counted once', async () => {
    const cache = new InfoCache(40)
    for (let n = 0; n < 5; n++) {
      await cache.share('page', never, async () => 'x'.repeat(10 * 2 ** 20))
      await waitFor('its end', () => cache.get('page') === null, 2_000)
    }
    const lasting = new InfoCache(60_000)
    for (const key of ['a', 'b', 'c']) await lasting.share(key, never, async () => 'x'.repeat(10 * 2 ** 20))
    expect(['a', 'b', 'c'].every((key) => lasting.get(key) !== null)).toBe(true)
  })
})
