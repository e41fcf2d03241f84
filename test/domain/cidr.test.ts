import { canonicalCidr, isInCidrs } from '../../src/domain/cidr.ts'

test('a network has one spelling', () => {
  for (const [given, spelt] of [
    ['10.1.2.3/8', '10.0.0.0/8'],
    [' 192.0.2.7 ', '192.0.2.7/32'],
    ['2001:DB8:0::1/32', '2001:db8::/32'],
    ['::1', '::1/128'],
    ['::ffff:192.0.2.7', '192.0.2.7/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
  ] as const)
    expect([given, canonicalCidr(given)]).toEqual([given, spelt])
})

test('what is no network, or only looks like one, is none', () => {
  for (const text of [
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10/8',
    '010.0.0.1',
    '0x7f.0.0.1',
    '::1/129',
    '::ffff:192.0.2.0/120',
    'fe80::1%eth0',
  ])
    expect([text, canonicalCidr(text)]).toEqual([text, null])
})

test('an address is looked up in networks of its own kind, and IPv4 in IPv6 counts as IPv4', () => {
  expect(isInCidrs('10.255.0.1', ['192.0.2.0/24', '10.0.0.0/8'])).toBe(true)
  expect(isInCidrs('11.0.0.1', ['10.0.0.0/8'])).toBe(false)
  expect(isInCidrs('::ffff:10.0.0.1', ['10.0.0.0/8'])).toBe(true)
  expect(isInCidrs('::1', ['0.0.0.0/0'])).toBe(false)
  expect(isInCidrs('127.0.0.1', ['::/0'])).toBe(false)
  expect(isInCidrs('2001:db8::5', ['2001:db8::/32'])).toBe(true)
  for (const nothing of ['', 'unknown', '10.0.0.1, 10.0.0.2']) expect(isInCidrs(nothing, ['0.0.0.0/0'])).toBe(false)
})
