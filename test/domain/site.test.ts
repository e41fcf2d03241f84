import { domainsOf, isOfSites, siteNamed, siteOf, sitesAbove } from '../../src/domain/site.ts'

test.each([
  ['https://Video.Example/watch?v=1', 'video.example'],
  ['http://user:pass@video.example:8080/', 'video.example'],
  ['https://www.youtube.com/watch?v=1', 'youtube.com'],
  ['https://m.youtube.com/watch?v=1', 'youtube.com'],
  ['https://youtu.be/1', 'youtube.com'],
  ['https://twitter.com/a/status/1', 'x.com'],
  ['https://vm.tiktok.com/abc', 'tiktok.com'],
  ['http://127.1/', '127.0.0.1'],
  ['https://www.youtube.com./watch?v=1', 'youtube.com'],
  ['https://music.com/', 'music.com'],
  ['https://www.mobile.de/', 'mobile.de'],
])('%s belongs to %s', (url, site) => {
  expect(siteOf(url)).toBe(site)
})

test.each([
  ['www.YouTube.com', 'youtube.com'],
  ['youtu.be', 'youtube.com'],
  ['player.vimeo.com', 'player.vimeo.com'],
  ['b\u00fccher.example', 'xn--bcher-kva.example'],
  ['mobile.de', 'mobile.de'],
  ['localhost', null],
  ['com', null],
  ['127.0.0.1', null],
  ['[::1]', null],
  ['a..b', null],
  ['youtube.com/../x', null],
  ['https://youtube.com', null],
  ['user@youtube.com', null],
  ['youtube.com:443', null],
  ['', null],
])('the host %j names the site %j', (host, site) => {
  expect(siteNamed(host)).toBe(site)
})

test('a site has the domains of its other names', () => {
  expect(domainsOf('x.com')).toEqual(['x.com', 'twitter.com'])
  expect(domainsOf('vimeo.com')).toEqual(['vimeo.com'])
})

test('a URL belongs to the sites above its host, but not to a look-alike', () => {
  expect(sitesAbove('https://a.player.vimeo.com/1')).toEqual(['a.player.vimeo.com', 'player.vimeo.com', 'vimeo.com'])
  expect(sitesAbove('https://127.0.0.1/')[0]).toBe('127.0.0.1')
  expect(sitesAbove('http://localhost/')).toEqual(['localhost'])
  expect(isOfSites('https://player.vimeo.com/1', ['vimeo.com'])).toBe(true)
  expect(isOfSites('https://notvimeo.com/1', ['vimeo.com'])).toBe(false)
  expect(isOfSites('https://vimeo.com.evil.example/1', ['vimeo.com'])).toBe(false)
})
