import fc from 'fast-check'
import { addressKind, canonicalAddress, embeddedAddresses } from '../../src/domain/address.ts'

/** Whether a connection to this address, and to every address it carries, stays on the public internet. */
const isGlobalAddress = (text: string): boolean =>
  [text, ...embeddedAddresses(text)].every((address) => addressKind(address) === 'global')

const GLOBAL = [
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.1',
  '168.63.129.15',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '191.255.255.255',
  '192.0.1.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '203.0.112.255',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001:81b::200e',
  '2400:cb00::1',
  '2003::1',
  '::ffff:8.8.8.8',
  '64:ff9b::8.8.8.8',
  '2606:4700::5efe:808:808',
]

const NOT_GLOBAL = {
  unspecified: ['0.0.0.0', '::', '::ffff:0.0.0.0'],
  loopback: ['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::ffff:7f00:1'],
  private: [
    '10.0.0.1',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    'fc00::1',
    'fd12:3456::1',
    'fec0::1',
    '::ffff:10.0.0.1',
  ],
  'link-local': ['169.254.0.1', 'fe80::1', 'febf::1'],
  shared: ['100.64.0.1', '100.127.255.255'],
  metadata: [
    '169.254.169.254',
    '169.254.170.2',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fd00:ec2::254',
    'fd20:ce::254',
    '::ffff:169.254.169.254',
  ],
  reserved: [
    '0.1.2.3',
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '240.0.0.1',
    '255.255.255.255',
    '100::1',
    '2001:2::1',
    '2001:10::1',
    '2001:20::1',
    '2001:db8::1',
    '3fff::1',
    '5f00::1',
    '4000::1',
    '::8.8.8.8',
    '::ffff:0:8.8.8.8',
  ],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1', 'ff0e::1'],
  transition: ['192.88.99.1', '64:ff9b:1::8.8.8.8', '2002:808:808::1', '2001:0:808:808::f7f7:f7f7'],
} as const

/** An address carried inside another: the outer form passes, the inner one must not. */
const EMBEDDED = {
  '64:ff9b::127.0.0.1': ['127.0.0.1'],
  '64:ff9b::a9fe:a9fe': ['169.254.169.254'],
  '64:ff9b:1::10.0.0.1': ['10.0.0.1'],
  '::127.0.0.1': ['127.0.0.1'],
  '::ffff:0:127.0.0.1': ['127.0.0.1'],
  '2002:7f00:1::1': ['127.0.0.1'],
  '2002:c0a8:101::': ['192.168.1.1'],
  // Teredo: server 127.0.0.1, client 8.8.8.8; then server 8.8.8.8, client 127.0.0.1 (inverted bits).
  '2001:0:7f00:1::f7f7:f7f7': ['127.0.0.1', '8.8.8.8'],
  '2001:0:808:808::80ff:fffe': ['8.8.8.8', '127.0.0.1'],
  '2606:4700::5efe:7f00:1': ['127.0.0.1'],
  '2606:4700::200:5efe:10.0.0.1': ['10.0.0.1'],
} as const

const NOT_ADDRESSES = [
  '',
  'localhost',
  '127.1',
  '0177.0.0.1',
  '0x7f.0.0.1',
  '2130706433',
  '127.0.0.1.',
  ' 127.0.0.1',
  '127.0.0.256',
  '[::1]',
  'fe80::1%eth0',
  '::1%1',
  '::ffff:127.1',
  '1::2::3',
]

test.each(GLOBAL)('%s is on the public internet', (address) => {
  expect(addressKind(address)).toBe('global')
  expect(isGlobalAddress(address)).toBe(true)
})

test.each(Object.entries(NOT_GLOBAL).flatMap(([kind, all]) => all.map((address) => [address, kind])))(
  '%s is %s',
  (address, kind) => {
    expect(addressKind(address)).toBe(kind)
    expect(isGlobalAddress(address)).toBe(false)
  },
)

test.each(Object.entries(EMBEDDED))('%s carries other addresses and is judged by them too', (address, inner) => {
  expect(embeddedAddresses(address)).toEqual(inner)
  expect(isGlobalAddress(address)).toBe(false)
})

test.each(NOT_ADDRESSES)('%j is no complete literal', (text) => {
  expect(addressKind(text)).toBe('invalid')
  expect(canonicalAddress(text)).toBeNull()
  expect(isGlobalAddress(text)).toBe(false)
})

test.each([
  ['::FFFF:10.0.0.1', '10.0.0.1'],
  ['2606:4700:0:0::1', '2606:4700::1'],
  ['0:0:0:0:0:0:0:1', '::1'],
])('%s is written %s', (text, canonical) => {
  expect(canonicalAddress(text)).toBe(canonical)
})

test('an IPv4 address is judged the same in every IPv6 form that a connection would unwrap', () => {
  fc.assert(
    fc.property(fc.ipV4(), (v4) => {
      expect(isGlobalAddress(`::ffff:${v4}`)).toBe(isGlobalAddress(v4))
      expect(isGlobalAddress(`64:ff9b::${v4}`)).toBe(isGlobalAddress(v4))
      expect(isGlobalAddress(`::${v4}`)).toBe(false)
    }),
  )
})

test('no IPv6 address outside 2000::/3 and the NAT64 prefix is public', () => {
  fc.assert(
    fc.property(fc.ipV6(), (v6) => {
      const canonical = canonicalAddress(v6) ?? ''
      if (isGlobalAddress(v6) && canonical.includes(':')) expect(canonical).toMatch(/^(?:[23][0-9a-f]{3}:|64:ff9b::)/)
    }),
  )
})
