import fs from 'node:fs/promises'
import path from 'node:path'
import { loadConfig } from '../../src/config/index.ts'
import { PROXY_HOSTS_FILE, readMediaHosts } from '../../src/config/proxy-hosts.ts'
import { whyNotMedia } from '../../src/domain/media-hosts.ts'
import { tempDir } from '../support/temp-dir.ts'

describe('hosts that media may be passed on from', () => {
  const read = async (content: string | null) => {
    await using dir = tempDir()
    if (content !== null) await fs.writeFile(path.join(dir.path, PROXY_HOSTS_FILE), content)
    return await readMediaHosts(dir.path)
  }

  test('are the known ones, and more by the operator’s file', async () => {
    expect((await read(null)).twitter).toEqual(['twimg.com'])
    const { twitter, weibo } = await read('{"twitter": ["media.example.com", "MÜNCHEN.example"]}')
    expect(twitter).toEqual(['twimg.com', 'media.example.com', 'xn--mnchen-3ya.example'])
    expect(weibo).toContain('sinaimg.cn')
  })

  test.each(['[]', '{', '{"vimeo": []}', '{"twitter": "a.b"}', '{"twitter": ["com"]}', '{"twitter": ["http://a.b/"]}'])(
    'are not read from %s',
    async (content) => {
      await expect(read(content)).rejects.toThrow(/proxy-hosts\.json is wrong/)
    },
  )

  test.each<[url: string, isMedia: boolean]>([
    ['https://video.twimg.com/1.mp4', true],
    ['https://twimg.com./1.mp4', true],
    ['https://VIDEO.TWIMG.COM/1.mp4', true],
    ['https://eviltwimg.com/1.mp4', false],
    ['https://twimg.com.example.org/1.mp4', false],
    ['https://a:b@video.twimg.com/1.mp4', false],
    ['ftp://video.twimg.com/1.mp4', false],
  ])('%s: %s', (url, isMedia) => {
    expect(whyNotMedia(new URL(url), ['twimg.com']) === null).toBe(isMedia)
  })
})

describe('who can reach the daemon', () => {
  test.each<[settings: Record<string, string>, isLocalOnly: boolean]>([
    [{}, true],
    [{ HOST: 'localhost', COMPAT_LISTEN: 'mezdia=[::1]:5001' }, true],
    [{ HOST: '0.0.0.0' }, false],
    [{ COMPAT_LISTEN: 'mezdia=0.0.0.0:5001' }, false],
    [{ COMPAT_LISTEN: 'mezdia=192.168.1.5:5001' }, false],
    [{ TRUST_PROXY: 'true' }, false],
  ])('with %j: this machine alone: %s', (settings, isLocalOnly) => {
    expect(loadConfig(settings).access.isLocalOnly).toBe(isLocalOnly)
  })
})
