import fc from 'fast-check'
import {
  CookieError,
  cutCookies,
  firstExpiry,
  formatNetscape,
  isOfDomains,
  parseNetscape,
  renewCookies,
  type Cookie,
} from '../../src/domain/cookies.ts'

const NOW = 1_700_000_000
const LATER = NOW + 1000
const OWN = ['youtube.com', 'youtu.be']

const cookieOf = (more: Partial<Cookie> = {}): Cookie => ({
  domain: '.youtube.com',
  path: '/',
  secure: true,
  expires: LATER,
  name: 'SID',
  value: 'secret',
  ...more,
})
const line = (...fields: readonly string[]) => fields.join('\t')
const SID = line('.youtube.com', 'TRUE', '/', 'TRUE', String(LATER), 'SID', 'secret')
const namesIn = (text: string) => parseNetscape(text, OWN, NOW).cookies.map(({ name }) => name)

describe('a cookie file', () => {
  test('is read with its comments, Windows line ends and lines for HTTP only', () => {
    const text = [
      '# Netscape HTTP Cookie File',
      '',
      SID,
      line('#HttpOnly_.youtube.com', 'TRUE', '/', 'FALSE', '0', 'HSID', 'a=b c"'),
      '# the end',
    ].join('\r\n')
    expect(parseNetscape(`\uFEFF${text}`, OWN, NOW)).toEqual({
      cookies: [cookieOf(), cookieOf({ name: 'HSID', secure: false, expires: null, value: 'a=b c"' })],
      dropped: 0,
    })
  })

  test('is cut to the site: other sites, look-alikes and what has expired are counted only', () => {
    const text = [
      SID,
      line('.google.com', 'TRUE', '/', 'TRUE', String(LATER), 'SID', 'other'),
      line('.notyoutube.com', 'TRUE', '/', 'TRUE', String(LATER), 'A', 'other'),
      line('youtube.com.evil.example', 'FALSE', '/', 'TRUE', String(LATER), 'B', 'other'),
      line('.google.com', 'whatever this line', 'is'),
      line('music.youtube.com', 'FALSE', '/', 'TRUE', String(NOW - 1), 'OLD', 'x'),
      line('youtu.be', 'FALSE', '/', 'FALSE', '', 'YB', 'x'),
    ].join('\n')
    expect(namesIn(text)).toEqual(['SID', 'YB'])
    expect(parseNetscape(text, OWN, NOW).dropped).toBe(5)
  })

  test.each([
    ['too few fields', line('.youtube.com', 'TRUE', '/', 'TRUE', '0', 'A')],
    ['a tab in a value', line('.youtube.com', 'TRUE', '/', 'TRUE', '0', 'A', 'passw0rd', 'c')],
    ['no field at all', 'this is no cookie file'],
    ['a carriage return in a value', line('.youtube.com', 'TRUE', '/', 'TRUE', '0', 'A', 'passw0rd\rc')],
    ['a NUL in a value', line('.youtube.com', 'TRUE', '/', 'TRUE', '0', 'A', 'passw0rd\0c')],
    ['a semicolon in a value', line('.youtube.com', 'TRUE', '/', 'TRUE', '0', 'A', 'passw0rd; SID=c')],
    ['a letter beyond ASCII', line('.youtube.com', 'TRUE', '/', 'TRUE', '0', 'A', 'passw0rd\u2028c')],
    ['an equals sign in a name', line('.youtube.com', 'TRUE', '/', 'TRUE', '0', 'A=b', 'passw0rd')],
    ['neither name nor value', line('.youtube.com', 'TRUE', '/', 'TRUE', '0', '', '')],
    ['a path that is none', line('.youtube.com', 'TRUE', 'x', 'TRUE', '0', 'A', 'passw0rd')],
    ['a time that is none', line('.youtube.com', 'TRUE', '/', 'TRUE', '-1', 'A', 'passw0rd')],
    ['microseconds', line('.youtube.com', 'TRUE', '/', 'TRUE', '13350000000000000', 'A', 'passw0rd')],
    ['a flag that is none', line('.youtube.com', 'TRUE', '/', 'yes', '0', 'A', 'passw0rd')],
  ])('with %s is refused by its line, never with its text', (_, bad) => {
    const read = () => parseNetscape(`${SID}\n${bad}\n`, OWN, NOW)
    expect(read).toThrow(
      expect.objectContaining({ field: 'line 2', message: expect.not.stringContaining('passw0rd') }) as Error,
    )
  })

  test('brings of any text only cookies of the site, one line each, that read back the same', () => {
    const field = fc.oneof(
      fc.constantFrom(
        '.youtube.com',
        'youtube.com',
        '.google.com',
        'TRUE',
        'FALSE',
        '/',
        '0',
        String(LATER),
        '',
        'SID',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('a\tb', 'a\nb', 'a\rb', '\u0085', '\u2028', 'x; y=z', '#HttpOnly_.youtube.com'),
    )
    const own = fc.tuple(
      fc.constantFrom('.youtube.com', 'm.youtube.com', 'youtu.be', '#HttpOnly_.youtube.com', '.evil.example'),
      fc.constantFrom('TRUE', 'FALSE'),
      fc.oneof({ weight: 9, arbitrary: fc.constant('/') }, field),
      fc.constantFrom('TRUE', 'FALSE'),
      fc.constantFrom('0', '', String(LATER), '1'),
      fc.oneof({ weight: 9, arbitrary: fc.constantFrom('SID', 'PREF', 'A') }, field),
      fc.oneof({ weight: 9, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 8 }) }, field),
    )
    const someLine = fc
      .oneof({ weight: 5, arbitrary: own }, fc.array(field, { maxLength: 9 }))
      .map((fields) => fields.join('\t'))
    const text = fc.array(someLine, { maxLength: 3 }).map((lines) => lines.join('\n'))
    let read = 0
    fc.assert(
      fc.property(text, (given) => {
        let cookies: readonly Cookie[]
        try {
          cookies = parseNetscape(given, OWN, NOW).cookies
        } catch (error) {
          expect(error).toBeInstanceOf(CookieError)
          return
        }
        read += cookies.length
        const file = formatNetscape(cookies)
        expect(file.split(/[\n\r\u0085\u2028\u2029\v\f]/)).toHaveLength(3 + cookies.length)
        for (const { domain } of cookies) expect(isOfDomains(domain, OWN)).toBe(true)
        expect(parseNetscape(file, OWN, NOW)).toEqual({ cookies, dropped: 0 })
      }),
      { numRuns: 2000 },
    )
    expect(read).toBeGreaterThan(100)
  })
})

describe('cookies that come one by one', () => {
  test('are cut and checked in the same way', () => {
    const given = [
      cookieOf(),
      cookieOf({ domain: '.google.com' }),
      cookieOf({ domain: '.YouTube.com', value: 'newer' }),
    ]
    expect(cutCookies(given, OWN, NOW)).toEqual({ cookies: [cookieOf({ value: 'newer' })], dropped: 2 })
    expect(() => cutCookies([cookieOf(), cookieOf({ value: 'a\nb' })], OWN, NOW)).toThrow(
      expect.objectContaining({ field: 'cookies.1' }) as Error,
    )
    expect(() => cutCookies([cookieOf({ expires: Number.NaN })], OWN, NOW)).toThrow(CookieError)
    expect(cutCookies([cookieOf({ expires: LATER + 0.7 })], OWN, NOW).cookies).toEqual([cookieOf()])
  })
})

describe('a jar that a task has used', () => {
  const kept = [cookieOf(), cookieOf({ name: 'PREF', value: 'a' })]

  test('takes what is new and what was renewed, and keeps all that was not mentioned', () => {
    const seen = [cookieOf({ value: 'renewed', expires: LATER + 5 }), cookieOf({ name: 'YSC', expires: null })]
    expect(renewCookies(kept, seen, NOW)).toEqual([seen[0], kept[1], seen[1]])
    expect(renewCookies(kept, [], NOW)).toEqual(kept)
  })

  test('is not logged out: what was emptied or set to expire stays until its time is over', () => {
    expect(renewCookies(kept, [cookieOf({ value: '' }), cookieOf({ name: 'PREF', expires: 1 })], NOW)).toEqual(kept)
    expect(renewCookies(kept, [], LATER)).toEqual([])
  })
})

test('the first to expire is told of those that look like a login, of others only where there is none', () => {
  const short = cookieOf({ name: 'GPS', expires: NOW + 5 })
  expect(firstExpiry([short, cookieOf()])).toBe(LATER)
  expect(firstExpiry([short, cookieOf({ expires: null })])).toBe(NOW + 5)
  expect(firstExpiry([cookieOf({ expires: null })])).toBeNull()
})
