import { Cooldowns } from '../../src/tasks/cooldown.ts'

const doubling = (strikes: number) => 1000 * 2 ** strikes

describe('a host that asked for peace', () => {
  test('is blocked until its rest is over, and no other with it', () => {
    const cooldowns = new Cooldowns()
    cooldowns.strike('busy.example', 0, doubling)
    expect(cooldowns.blocked(0)).toEqual(['busy.example'])
    expect(cooldowns.blocked(999)).toEqual(['busy.example'])
    expect(cooldowns.blocked(1000)).toEqual([])
  })

  test('rests longer with every strike, and never less than it already has to', () => {
    const cooldowns = new Cooldowns()
    cooldowns.strike('busy.example', 0, () => 10_000)
    cooldowns.strike('busy.example', 1, () => 5)
    expect(cooldowns.blocked(9_999)).toEqual(['busy.example'])
    cooldowns.strike('busy.example', 10_000, doubling)
    expect(cooldowns.blocked(13_999)).toEqual(['busy.example'])
    expect(cooldowns.blocked(14_000)).toEqual([])
  })

  test('is not struck by a failure that asks for no rest', () => {
    const cooldowns = new Cooldowns()
    cooldowns.strike('fine.example', 0, () => 0)
    cooldowns.strike('fine.example', 0, doubling)
    expect(cooldowns.blocked(999)).toEqual(['fine.example'])
    expect(cooldowns.blocked(1000)).toEqual([])
  })

  test('begins anew after a success', () => {
    const cooldowns = new Cooldowns()
    for (const now of [0, 1, 2]) cooldowns.strike('busy.example', now, doubling)
    cooldowns.clear('busy.example')
    expect(cooldowns.blocked(3)).toEqual([])
    cooldowns.strike('busy.example', 10, doubling)
    expect(cooldowns.blocked(1009)).toEqual(['busy.example'])
    expect(cooldowns.blocked(1010)).toEqual([])
  })
})

test('however many hosts there are, only so many are remembered: the ones struck last', () => {
  const cooldowns = new Cooldowns()
  for (let host = 0; host < 25_000; host++) cooldowns.strike(`host-${host}.example`, host, () => 1e9)
  const blocked = cooldowns.blocked(25_000)
  expect(blocked.length).toBeLessThanOrEqual(10_000)
  expect(blocked).toContain('host-24999.example')
})
