import { canonicalHost } from '../../../src/engine/egress/target.ts'

test('a host longer than any is refused, in no more time than it takes to see its length', () => {
  const started = performance.now()
  expect(canonicalHost(`[${':'.repeat(60_000)}]`)).toBeNull()
  expect(canonicalHost('a'.repeat(60_000))).toBeNull()
  expect(performance.now() - started).toBeLessThan(100)
})
