import { setImmediate as nextTurn } from 'node:timers/promises'
import { OneByOne } from '../../src/domain/one-by-one.ts'

test('one thing is done at a time, in order, and a failure is told to its own caller alone', async () => {
  const turns = new OneByOne()
  const seen: string[] = []
  const slow = (name: string) => async () => {
    seen.push(`${name} begins`)
    await nextTurn()
    seen.push(`${name} ends`)
    if (name === 'b') throw new Error('b failed')
    return name
  }
  const all = ['a', 'b', 'c'].map((name) => turns.do(slow(name)))
  const ended = await Promise.allSettled(all)
  expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(seen).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})

test('it is idle when the last is over, however that went', async () => {
  const turns = new OneByOne()
  const { promise, reject } = Promise.withResolvers<never>()
  const failing = turns.do(() => promise)
  const idle = turns.idle()
  reject(new Error('failed'))
  await expect(failing).rejects.toThrow('failed')
  await idle
})
