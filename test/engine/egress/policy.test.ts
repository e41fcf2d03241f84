import { networkInterfaces } from 'node:os'
import { parseEgressAllow } from '../../../src/domain/egress-allow.ts'
import { createPolicy, type PolicyOptions } from '../../../src/engine/egress/policy.ts'
import { IMPOSSIBLE_HOSTS, PRIVATE_SPELLINGS } from './spellings.ts'
import { lookupIn } from './support.ts'

const NAMES = {
  'public.example': ['93.184.216.34'],
  'both.example': ['93.184.216.34', '2606:2800:220:1::1'],
  'inside.example': ['10.0.0.5'],
  'half.example': ['93.184.216.34', '127.0.0.1'],
  'half6.example': ['93.184.216.34', '::1'],
  'nat64.example': ['64:ff9b::7f00:1'],
  'scoped.example': ['fe80::1%eth0'],
  'nas.home.example': ['192.168.1.9'],
  'empty.example': [],
}

function policyWith(options: Partial<PolicyOptions> = {}) {
  return createPolicy({
    allowPrivate: false,
    allow: [],
    ownPorts: () => new Set([5000]),
    lookup: lookupIn(NAMES),
    ...options,
  })
}

async function reasonOf(host: string, port = 80, options: Partial<PolicyOptions> = {}): Promise<string | null> {
  const resolution = await policyWith(options).resolve(host, port)
  return 'denial' in resolution ? resolution.denial.reason : null
}

describe('checkUrl', () => {
  test.each(PRIVATE_SPELLINGS)('refuses http://%s/', (host) => {
    expect(policyWith().checkUrl(`http://${host}/video`)).toMatchObject({ ok: false })
    expect(policyWith().checkUrl(`https://${host}:8443/video`)).toMatchObject({ ok: false })
  })

  test.each(IMPOSSIBLE_HOSTS)('cannot read http://%s/', (host) => {
    expect(policyWith().checkUrl(`http://${host}/video`)).toMatchObject({ ok: false })
  })

  test.each([
    ['http://user@example.com/', /user name or password/],
    ['http://example.com@127.0.0.1/', /user name or password/],
    ['http://127.0.0.1:80\\@example.com/', /cannot be read/],
    ['http:/\\/127.0.0.1/', /public internet/],
    ['ftp://example.com/a', /only http and https/],
    ['file:///etc/passwd', /only http and https/],
    ['gopher://127.0.0.1:70/', /only http and https/],
    ['data:text/html,x', /only http and https/],
    ['javascript:alert(1)', /only http and https/],
    ['rtmp://example.com/live', /only http and https/],
    ['ytsearch:cats', /only http and https/],
    ['example.com/video', /cannot be read/],
    ['//example.com/video', /cannot be read/],
    ['--exec=id', /cannot be read/],
    ['', /cannot be read/],
    ['http://', /cannot be read/],
    ['http://example.com/a\nb', /control characters/],
    [String.raw`https://example.com\@other.example/`, /cannot be read/],
    [String.raw`https://example.com\.other.example/`, /cannot be read/],
    [String.raw`https:\\example.com/`, /cannot be read/],
    ['http://example.com/\0', /control characters/],
    ['http://example.com/\u0085', /control characters/],
    [`http://example.com/${'a'.repeat(4_096)}`, /longer than 4096/],
    [`http://example.com/${'ü'.repeat(1_000)}`, /longer than 4096/],
    ['http://example.com/#__youtubedl_smuggle=%7B%7D', /internal data/],
    ['http://93.184.216.34:22/', /port/],
    ['http://169.254.169.254/latest/meta-data', /public internet/],
  ])('refuses %j with a reason', (url, reason) => {
    const verdict = policyWith().checkUrl(url)
    expect(verdict.ok ? '' : verdict.reason).toMatch(reason)
  })

  test.each([
    'https://www.youtube.com/watch?v=x',
    'http://93.184.216.34/a.mp4',
    'https://93.184.216.34:8443/a.mp4',
    'https://[2606:4700:4700::1111]/a.mp4',
    'https://bücher.example/ü',
    'http://inside.example/',
    ' https://example.com/ ',
  ])('accepts %s', (url) => {
    expect(policyWith().checkUrl(url)).toMatchObject({ ok: true })
  })

  test('accepts what the operator opened, in every spelling of it', () => {
    const { checkUrl } = policyWith({ allow: ['127.0.0.0/8', 'fd00::/8'] })
    for (const host of ['127.0.0.1', '127.1', '2130706433', '[::ffff:127.0.0.1]', '[fd00::5]', 'localhost']) {
      expect(checkUrl(`http://${host}:8080/`)).toMatchObject({ ok: true })
    }
    expect(checkUrl('http://127.0.0.1:5000/')).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/this service/),
    })
  })
})

describe('resolve', () => {
  test('gives every address of a public host, looked up once', async () => {
    const asked: string[] = []
    const lookup = async (host: string) => {
      asked.push(host)
      return NAMES['both.example']
    }
    const resolution = await policyWith({ lookup }).resolve('both.example', 443)
    expect(resolution).toEqual({ addresses: NAMES['both.example'] })
    expect(asked).toEqual(['both.example'])
  })

  test.each(PRIVATE_SPELLINGS)('denies %s without asking a resolver', async (host) => {
    const lookup = async () => Promise.reject(new Error('asked'))
    expect(await reasonOf(host.replace(/^\[(.*)\]$/, '$1'), 80, { lookup })).toBe('private_address')
    expect(await reasonOf(host, 80, { lookup })).toBe('private_address')
  })

  test.each([...IMPOSSIBLE_HOSTS, '', 'a/b', 'a:80', 'a@b', 'a?b', 'a#b', 'a\\b'])('cannot read %j', async (host) => {
    expect(await reasonOf(host)).toBe('bad_host')
  })

  test.each([
    ['inside.example', 'private_address'],
    ['half.example', 'private_address'],
    ['half6.example', 'private_address'],
    ['nat64.example', 'private_address'],
    ['scoped.example', 'bad_host'],
    ['empty.example', 'dns'],
    ['missing.example', 'dns'],
  ])('denies %s: %s', async (host, reason) => {
    expect(await reasonOf(host)).toBe(reason)
  })

  test('names the address that decided', async () => {
    expect(await policyWith().resolve('half.example', 443)).toEqual({
      denial: { host: 'half.example', port: 443, address: '127.0.0.1', reason: 'private_address' },
    })
  })

  test.each([
    [22, 'port'],
    [25, 'port'],
    [1_023, 'port'],
    [80, null],
    [443, null],
    [1_024, null],
    [8_080, null],
  ])('port %i of a public host: %s', async (port, reason) => {
    expect(await reasonOf('public.example', port)).toBe(reason)
  })

  test('opens what EGRESS_ALLOW names, with all its ports, and nothing beside it', async () => {
    const allow = ['10.0.0.0/24', '*.home.example', 'half.example', '93.184.216.34']
    expect(await reasonOf('inside.example', 8_000, { allow })).toBeNull()
    expect(await reasonOf('10.0.0.5', 22, { allow })).toBeNull()
    expect(await reasonOf('10.0.1.5', 80, { allow })).toBe('private_address')
    expect(await reasonOf('nas.home.example', 80, { allow })).toBeNull()
    expect(await reasonOf('192.168.1.9', 80, { allow })).toBe('private_address')
    expect(await reasonOf('half.example', 80, { allow })).toBeNull()
    expect(await reasonOf('public.example', 22, { allow })).toBeNull()
  })

  test('a range of outer addresses does not open the addresses they carry', async () => {
    expect(await reasonOf('64:ff9b::7f00:1', 80, { allow: ['64:ff9b::/96'] })).toBe('private_address')
    expect(await reasonOf('2002:7f00:1::', 80, { allow: ['2002::/16'] })).toBe('private_address')
    expect(await reasonOf('2002:7f00:1::', 80, { allow: ['2002::/16', '127.0.0.1'] })).toBeNull()
  })

  test('localhost needs no resolver and means the loopback addresses that are open', async () => {
    const lookup = async () => Promise.reject(new Error('asked'))
    const policy = policyWith({ allow: ['127.0.0.1'], lookup })
    expect(await policy.resolve('a.localhost', 80)).toEqual({ addresses: ['127.0.0.1'] })
  })

  test('never opens our own ports on our own addresses', async () => {
    const everything = { allow: ['0.0.0.0/0', '::/0', 'self.example'], allowPrivate: true }
    const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address))
    for (const address of [...own, '127.0.0.1', '127.9.9.9', '0.0.0.0', '::', '::1', '::ffff:127.0.0.1']) {
      expect(await reasonOf(address, 5_000, everything)).toBe('own_port')
      expect(await reasonOf(address, 5_001, everything)).toBeNull()
    }
    const lookup = lookupIn({ 'self.example': ['127.0.0.1'] })
    expect(await reasonOf('self.example', 5_000, { ...everything, lookup })).toBe('own_port')
    const policy = policyWith(everything)
    policy.reservePort(5_001)
    expect(await policy.resolve('127.0.0.1', 5_001)).toMatchObject({ denial: { reason: 'own_port' } })
  })

  test('allowPrivate opens private addresses, and keeps the ports of public ones', async () => {
    expect(await reasonOf('10.0.0.5', 22, { allowPrivate: true })).toBeNull()
    expect(await reasonOf('half.example', 80, { allowPrivate: true })).toBeNull()
    expect(await reasonOf('public.example', 22, { allowPrivate: true })).toBe('port')
  })
})

describe('behind an upstream proxy', () => {
  const lookup = async () => Promise.reject(new Error('asked'))

  test('names go upstream unresolved', async () => {
    expect(await policyWith({ lookup }).resolveBehindUpstream('any.example', 443)).toBe('upstream')
    expect(await policyWith({ lookup }).resolveBehindUpstream('1.1.1.1', 443)).toBe('upstream')
  })

  test.each([...PRIVATE_SPELLINGS, 'nas', 'printer.local', 'vault.internal', 'box.home.arpa', 'router.lan'])(
    'denies %s by its spelling',
    async (host) => {
      const route = await policyWith({ lookup }).resolveBehindUpstream(host, 80)
      expect(route).toMatchObject({ denial: { reason: expect.stringMatching(/^(private_address|local_name)$/) } })
    },
  )

  test('denies the ports of other services than the web', async () => {
    const route = await policyWith({ lookup }).resolveBehindUpstream('any.example', 25)
    expect(route).toMatchObject({ denial: { reason: 'port' } })
  })

  test('what EGRESS_ALLOW opens is reached directly', async () => {
    const policy = policyWith({ allow: ['inside.example', '10.9.0.0/16'] })
    expect(await policy.resolveBehindUpstream('inside.example', 80)).toEqual({ addresses: ['10.0.0.5'] })
    expect(await policy.resolveBehindUpstream('10.9.8.7', 80)).toEqual({ addresses: ['10.9.8.7'] })
  })
})

describe('parseEgressAllow', () => {
  test('reads addresses, ranges, names and suffixes into one spelling', () => {
    expect(
      parseEgressAllow(' 10.0.0.0/8,  ::1 [fd00::1]\nNAS.Local., *.Home.Example ::ffff:1.2.3.4 bücher.example'),
    ).toEqual(['10.0.0.0/8', '::1', 'fd00::1', 'nas.local', '*.home.example', '1.2.3.4', 'xn--bcher-kva.example'])
    expect(parseEgressAllow('')).toEqual([])
  })

  test('names every entry it cannot read', () => {
    const bad = [
      '10.0.0.0/33',
      'http://x',
      'a:80',
      '*',
      '*.*.b',
      '127.1',
      '0x7f',
      '::1/129',
      '10.0.0.0/8/8',
      'a..b',
      '/8',
    ]
    expect(() => parseEgressAllow(['ok.example', ...bad].join(','))).toThrow(
      new Error(`not a CIDR, address, host name or *.suffix: ${bad.map((each) => JSON.stringify(each)).join(', ')}`),
    )
  })
})
