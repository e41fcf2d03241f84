import { Turns } from '../../src/http/turns.ts'

test('what one key asks for happens one after the other, what another asks for in between', async () => {
  const turns = new Turns()
  const done: string[] = []
  const work = (name: string) => () => Promise.resolve(void done.push(name))
  await Promise.all([
    ...['a1', 'a2', 'a3', 'a4'].map((name) => turns.take('a', work(name))),
    turns.take('b', work('b1')),
  ])
  expect(done.filter((name) => name.startsWith('a'))).toEqual(['a1', 'a2', 'a3', 'a4'])
  expect(done.indexOf('b1')).toBeLessThan(2)
})

test('a call that fails holds up none behind it, and is told its failure', async () => {
  const turns = new Turns()
  const ends = await Promise.allSettled([
    turns.take('a', () => Promise.reject(new Error('broken'))),
    turns.take('a', () => Promise.resolve('whole')),
  ])
  expect(ends).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: 'whole' }])
})

test('no more than some hundred calls of a key wait for each other', async () => {
  const turns = new Turns()
  const calls = Array.from({ length: 400 }, () => turns.take('a', () => Promise.resolve()))
  const ends = await Promise.allSettled(calls)
  expect(ends.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(100)
  expect(ends[399]).toMatchObject({ reason: { code: 'limit_exceeded' } })
  await turns.take('a', () => Promise.resolve())
})
