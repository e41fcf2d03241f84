import { secondsOf, toMilliseconds } from '../../src/domain/clock-time.ts'

test.each([
  ['0', 0],
  ['75', 75],
  ['1:15', 75],
  ['01:15', 75],
  ['1:01:15', 3675],
  ['01:01:15.25', 3675.25],
  [' 7.5 ', 7.5],
  ['100:00:00', 360_000],
])('"%s" are %d seconds', (text, seconds) => {
  expect(secondsOf(text)).toBe(seconds)
})

test.each([
  '',
  ' ',
  ':',
  '1:',
  ':1',
  '1:60',
  '1:99:00',
  '1:2:3:4',
  '-1',
  '+1',
  '1e3',
  '1,5',
  '.5',
  '5.',
  'NaN',
  '٣',
  '1h',
  '1\n2',
  '1-2',
])('%j is no time', (text) => {
  expect(secondsOf(text)).toBeNull()
})

test('times are kept to the millisecond', () => {
  expect([1e-7, 0.0004, 0.0006, 1.23456, 604_800].map(toMilliseconds)).toEqual([0, 0, 0.001, 1.235, 604_800])
})
