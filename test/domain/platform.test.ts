import fs from 'node:fs'
import fc from 'fast-check'
import { classify, firstAddress, PLATFORMS } from '../../src/domain/platform.ts'

const TABLE = new URL('../fixtures/platforms.tsv', import.meta.url)

const rows = fs
  .readFileSync(TABLE, 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t') as [address: string, kind: string, platform: string, url: string])

const shown = (address: string) => {
  const found = classify(address)
  return [found.kind, found.platform ?? '-', found.kind === 'unsupported' ? '-' : found.url]
}

describe('an address', () => {
  test.each(rows)('%s is %s of %s', (address, ...expected) => {
    expect(shown(address)).toEqual(expected)
  })

  test('is known in all forms of every service: the table has posts and others of each', () => {
    for (const platform of PLATFORMS) {
      const kinds = rows.filter((row) => row[2] === platform).map(([, kind]) => kind)
      expect([platform, kinds]).toEqual([platform, expect.arrayContaining(['post', 'unsupported'])])
    }
    expect(rows.length).toBeGreaterThan(160)
  })

  test('to go on with stands for itself', () => {
    for (const [, kind, platform, url] of rows) {
      if (kind !== 'unsupported') expect([url, ...shown(url)]).toEqual([url, kind, platform, url])
    }
  })
})

describe('any text', () => {
  const hosts = [...new Set(rows.flatMap(([address]) => URL.parse(address)?.host ?? []))]
  const words = [
    'video',
    'p',
    'reel',
    'status',
    'watch',
    'share',
    'explore',
    'short-video',
    'tv',
    'show',
    '@u',
    '1034:1',
  ]
  const part = fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 12 }), fc.stringMatching(/^[\w-]{9,19}$/))
  const address = fc
    .tuple(
      fc.constantFrom('http', 'https', 'HTTPS', 'ftp'),
      fc.constantFrom(...hosts),
      fc.array(part, { maxLength: 4 }),
      fc.constantFrom('', '?v=dQw4w9WgXcQ', '?fid=1034:49', '?bvid=BV1sW4y197cE', '?p=2', '#x'),
    )
    .map(([scheme, host, path, rest]) => `${scheme}://${host}/${path.join('/')}${rest}`)

  test('is classified without a fault, and what is found stands for itself', () => {
    fc.assert(
      fc.property(fc.oneof(address, fc.string(), fc.webUrl()), (candidate) => {
        const found = classify(candidate)
        if (found.kind === 'unsupported') return
        expect(classify(found.url)).toEqual(found)
        expect(found.url).toMatch(/^https?:\/\/[^@]+$|^https?:\/\/[^/@]+\/.*$/)
      }),
      { numRuns: 3_000 },
    )
  })

  test('is searched for an address without a fault', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string(), address), (candidate) => {
        const found = firstAddress(candidate)
        if (found !== null) expect(found).toMatch(/^https?:\/\//i)
      }),
      { numRuns: 2_000 },
    )
  })

  test('is searched in time that grows with its length', () => {
    const long = `${'a.'.repeat(50_000)}x ${'tiktok.com'.repeat(5_000)}`
    const started = performance.now()
    firstAddress(long)
    expect(performance.now() - started).toBeLessThan(1_000)
  })
})

describe('the first address in a text', () => {
  test.each([
    ['https://x.com/u/status/1', 'https://x.com/u/status/1'],
    ['  https://x.com/u/status/1  ', 'https://x.com/u/status/1'],
    ['look: https://x.com/u/status/1.', 'https://x.com/u/status/1'],
    ['(https://x.com/u/status/1)', 'https://x.com/u/status/1'],
    ['<https://x.com/u/status/1>, then https://x.com/u/status/2', 'https://x.com/u/status/1'],
    [
      '7.99 复制打开抖音，看看【某某的作品】 https://v.douyin.com/f-QpBB_oD9Y/ 12/05',
      'https://v.douyin.com/f-QpBB_oD9Y/',
    ],
    [
      '98 【标题 - 作者 | 小红书】 😆 abc 😆 http://xhslink.com/a/AbC，复制本条信息，打开【小红书】App查看',
      'http://xhslink.com/a/AbC',
    ],
    [
      'https://v.kuaishou.com/JuuRuozy 标题 "该作品在快手被播放过" 点击链接，打开【快手】直接观看！',
      'https://v.kuaishou.com/JuuRuozy',
    ],
    ['【标题】https://b23.tv/INJgdai', 'https://b23.tv/INJgdai'],
    ['微博正文http://t.cn/A6aerGsM。转发', 'http://t.cn/A6aerGsM'],
    ['tiktok.com/@user/video/7647557116596718861', 'https://tiktok.com/@user/video/7647557116596718861'],
    ['watch www.youtube.com/watch?v=dQw4w9WgXcQ now', 'https://www.youtube.com/watch?v=dQw4w9WgXcQ'],
    ['example.com/a then youtu.be/dQw4w9WgXcQ', 'https://youtu.be/dQw4w9WgXcQ'],
    ['HTTPS://X.COM/u/status/1', 'HTTPS://X.COM/u/status/1'],
  ])('%j is %j', (text, address) => {
    expect(firstAddress(text)).toBe(address)
  })

  test.each(['', 'no address here', 'example.com/a', 'user@x.com/u', 'x.com', 'ftp://x.com/u/status/1', 'https://'])(
    'there is none in %j',
    (text) => {
      expect(firstAddress(text)).toBeNull()
    },
  )
})
