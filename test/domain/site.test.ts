import { siteOf } from '../../src/domain/site.ts'

test.each([
  ['https://Video.Example/watch?v=1', 'video.example'],
  ['http://user:pass@video.example:8080/', 'video.example'],
  ['https://www.youtube.com/watch?v=1', 'youtube.com'],
  ['https://m.youtube.com/watch?v=1', 'youtube.com'],
  ['https://youtu.be/1', 'youtube.com'],
  ['https://twitter.com/a/status/1', 'x.com'],
  ['https://vm.tiktok.com/abc', 'tiktok.com'],
  ['http://127.1/', '127.0.0.1'],
])('%s belongs to %s', (url, site) => {
  expect(siteOf(url)).toBe(site)
})
