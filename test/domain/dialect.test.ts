import { parseDialectAddresses, parseKeylessDialects } from '../../src/domain/dialect.ts'

describe('COMPAT_LISTEN', () => {
  test('names dialects and where they listen', () => {
    expect(parseDialectAddresses('mezdia=127.0.0.1:5001, PICOSHOT=[::1]:0,easydown=media.local:65535,')).toEqual([
      { dialect: 'mezdia', host: '127.0.0.1', port: 5001 },
      { dialect: 'picoshot', host: '::1', port: 0 },
      { dialect: 'easydown', host: 'media.local', port: 65_535 },
    ])
    expect(parseDialectAddresses('')).toEqual([])
  })

  test.each([
    'mezdia',
    'mezdia=5001',
    'mezdia=127.0.0.1',
    'mezdia=127.0.0.1:65536',
    'mezdia=::1:5001',
    '=a:1',
    'x=a:1',
  ])('refuses %s', (text) => {
    expect(() => parseDialectAddresses(text)).toThrow()
  })
})

describe('ANONYMOUS_ACCESS', () => {
  test('names dialects that know no keys', () => {
    expect(parseKeylessDialects('mezdia, Picoshot,mezdia')).toEqual(['mezdia', 'picoshot'])
  })

  test('refuses one that knows keys, and one that there is not', () => {
    expect(() => parseKeylessDialects('easydown')).toThrow('easydown is none of picoshot, mezdia')
    expect(() => parseKeylessDialects('all')).toThrow('none of')
  })
})
