import fs from 'node:fs'
import fc from 'fast-check'
import type { Platform } from '../../src/domain/platform.ts'
import { fromGalleryRows, galleryFailures } from '../../src/domain/post-gallery.ts'
import { fromInfo } from '../../src/domain/post-info.ts'
import { expiryOf, expiryOfPost, fileAt, hasMedia, joinPosts, type Post } from '../../src/domain/post.ts'

const documentOf = (name: string): unknown =>
  JSON.parse(fs.readFileSync(new URL(`../fixtures/posts/${name}.json`, import.meta.url), 'utf8'))

const platformOf = (name: string) => name.split('-')[0] as Platform

function postOf(name: string): Post {
  const read = name.endsWith('.gallery') ? fromGalleryRows : fromInfo
  const post = read(documentOf(name), platformOf(name))
  if (post === null) throw new Error(`there is no post in ${name}`)
  return post
}

const sizeOf = ({ width, height }: Readonly<{ width: number | null; height: number | null }>) => `${width}x${height}`

/** The whole of a post in few words. */
const summaryOf = ({ title, author, duration, videos, audios, images }: Post) => ({
  head: `${title} / ${author} / ${duration}`,
  videos: videos.map(
    (video) => `${video.source} ${video.quality} ${sizeOf(video)} ${video.hasAudio ? 'sound' : 'mute'}`,
  ),
  audios: audios.map(({ source, quality, mimeType }) => `${source} ${quality} ${mimeType}`),
  images: images.map((image) => `${image.mimeType} ${sizeOf(image)}`),
})

describe('what the tools print of a post', () => {
  const jpeg = (size: string) => `image/jpeg ${size}`

  test.each<[string, string, readonly string[], readonly string[], readonly string[]]>([
    [
      'instagram-reel',
      'Caption of CsimReel001 #sim / Sim Gram / 15',
      ['direct 720p 720x1280 sound', 'direct 360p 360x640 sound'],
      [],
      [],
    ],
    [
      'instagram-video',
      'Caption of CsimVideo01 #sim / Sim Gram / 12',
      ['direct 640p 640x640 sound', 'direct 320p 320x320 sound'],
      [],
      [],
    ],
    ['instagram-photo', 'Caption of CsimPhoto01 #sim / Sim Gram / 0', [], [], [jpeg('1080x1350')]],
    [
      'instagram-carousel',
      'Caption of CsimCarous1 #sim / Sim Gram / 8',
      ['direct 720p 720x720 sound', 'direct 360p 360x360 sound'],
      [],
      [jpeg('1080x1080'), jpeg('1080x1080'), jpeg('1080x1080')],
    ],
    ['instagram-carousel.gallery', 'First line / Sim Gram / 0', ['direct HD 720x1280 sound'], [], [jpeg('1080x1350')]],
    [
      'tiktok-video',
      'TikTok sim 7300000000000000001 #fyp / simtok / 15',
      ['direct 720p 720x1280 sound', 'direct 576p 576x1024 sound'],
      ['direct default audio/mp4'],
      [],
    ],
    ['tiktok-photo', 'photo post / simtok / 15', [], ['direct default audio/mp4'], []],
    [
      'tiktok-photo.gallery',
      'photo post / Sim Tok / 0',
      [],
      ['direct default audio/mp4'],
      [jpeg('1080x1440'), jpeg('1080x1440'), jpeg('1080x1440')],
    ],
    [
      'twitter-video',
      'One video https://t.co/abc / Sim X / 15',
      ['direct 720p 1280x720 sound', 'direct 360p 640x360 sound', 'direct 180p 320x180 sound'],
      [],
      [],
    ],
    ['twitter-photos.gallery', 'Photos / Sim X / 0', [], [], [jpeg('1200x800'), jpeg('800x1200')]],
    [
      'weibo-video',
      '微博正文第一行 / 模拟微博 / 15',
      ['direct 720p 1280x720 sound', 'direct 480p 854x480 sound'],
      [],
      [],
    ],
    ['weibo-mixed', '模拟视频的标题 /  / 15', ['direct 720p 1280x720 sound', 'direct 480p 854x480 sound'], [], []],
    ['weibo-mixed.gallery', '微博正文第一行 / 模拟微博 / 0', ['direct HD 1280x720 sound'], [], [jpeg('1080x1440')]],
    [
      'weibo-gallery.gallery',
      '微博正文第一行 / 模拟微博 / 0',
      [],
      [],
      [jpeg('1080x1440'), jpeg('1080x1440'), jpeg('1080x1440')],
    ],
    [
      'weibo-live-photo.gallery',
      '微博正文第一行 / 模拟微博 / 0',
      ['live_photo HD 1080x1440 sound'],
      [],
      [jpeg('1080x1440'), jpeg('1080x1440')],
    ],
    [
      'xiaohongshu-video',
      '笔记第一行#话题[话题]# / 5c31698d0000000007018a31 / 12',
      ['direct 1080p 1080x1440 sound', 'direct 720p 720x960 sound'],
      [],
      [],
    ],
    [
      'xiaohongshu-note',
      '笔记第一行#话题[话题]# / 5c31698d0000000007018a31 / 0',
      [],
      [],
      ['image/webp 1080x1080', 'image/webp 1080x1440', 'image/webp 1440x1080'],
    ],
    [
      'douyin-video',
      '抖音模拟视频 #话题 / simdou / 15',
      ['direct 720p 720x1280 sound', 'direct 576p 576x1024 sound'],
      [],
      [],
    ],
  ])('%s is read whole', (name, head, ...[videos, audios, images]) => {
    expect(summaryOf(postOf(name))).toEqual({ head, videos, audios, images })
  })

  test('of YouTube: the one file with sound first, then tracks by height, no storyboard, addresses that expire', () => {
    const { videos, audios, thumbnail, title } = postOf('youtube-video')
    expect(title).toBe('Sim: Never Going To Give You Up (4K)')
    expect(thumbnail).toMatch(/^https:\/\/i\.ytimg\.com\//)
    expect(videos[0]).toMatchObject({ source: 'direct', quality: '360p', hasAudio: true, mimeType: 'video/mp4' })
    expect(videos[1]).toMatchObject({
      source: 'adaptive',
      quality: '2160p60',
      hasAudio: false,
      expiresAt: 1999999999000,
    })
    const heights = videos.slice(1).map(({ height }) => height ?? 0)
    expect(heights).toEqual(heights.toSorted((a, b) => b - a))
    expect(audios[0]).toMatchObject({ source: 'adaptive', mimeType: expect.stringMatching(/^audio\//) as unknown })
    expect(new Set(videos.map(({ url }) => url)).size).toBe(videos.length)
  })

  test('of Bilibili: separate tracks as `dash`, to be asked for from its own page', () => {
    const { videos, audios, title } = postOf('bilibili-dash')
    expect(title).toBe('B站模拟视频')
    expect(new Set([...videos, ...audios].map(({ source }) => source))).toEqual(new Set(['dash']))
    expect(videos.some(({ hasAudio }) => hasAudio)).toBe(false)
    expect(audios.map(({ quality, bitrate }) => [quality, bitrate])).toEqual([
      ['192kbps', 192_000],
      ['128kbps', 128_000],
      ['64kbps', 64_000],
    ])
    expect(videos[0]?.headers).toEqual({ Referer: 'https://www.bilibili.com/video/BV1sim411x7Q' })
    expect(postOf('bilibili-part').title).toBe('合集 p02 第2集')
  })

  test('of two videos on X: each in its sizes, in their order', () => {
    const { videos } = postOf('twitter-two-videos')
    expect(videos.map(({ url }) => /ext_tw_video\/(\d+)/.exec(url)?.[1])).toEqual(['2', '2', '2', '3', '3', '3'])
    expect(videos.every(({ headers }) => headers['Referer'] === 'https://x.com/')).toBe(true)
  })

  test('names no cookies and nothing that a browser sends anyway', () => {
    const http_headers = {
      Cookie: 'a=b',
      Authorization: 'x',
      'User-Agent': 'x',
      'Accept-Language': 'x',
      Origin: 'https://o.example',
    }
    const format = { url: 'https://v.example/a.mp4', ext: 'mp4', http_headers }
    expect(fromInfo({ formats: [format] }, 'weibo')?.videos[0]?.headers).toEqual({
      Referer: 'https://weibo.com/',
      Origin: 'https://o.example',
    })
  })

  test('of entries that could not be read only the others count, and none of another service', () => {
    const file = (name: string) => ({ formats: [{ url: `https://v.example/${name}.mp4`, ext: 'mp4' }] })
    const entries = [
      null,
      { ...file('a'), extractor_key: 'Twitter' },
      { ...file('b'), extractor_key: 'Youtube' },
      'nonsense',
      file('c'),
    ]
    const post = fromInfo({ _type: 'playlist', entries }, 'twitter')
    expect(post?.videos.map(({ url }) => url)).toEqual(['https://v.example/a.mp4', 'https://v.example/c.mp4'])
  })

  test('of what nobody can use there is nothing', () => {
    const url = 'https://v.example/a.mp4'
    const formats = [
      { url, ext: 'mhtml', protocol: 'mhtml' },
      { url, ext: 'mp4', has_drm: true },
      { url, ext: 'mp4', vcodec: 'none', acodec: 'none' },
      { url, ext: 'mp4', format_note: 'Download video, watermarked' },
      { url, ext: 'mp4', format_note: 'Direct video (UNPLAYABLE)' },
      { url: 'file:///etc/passwd', ext: 'mp4' },
      { ext: 'mp4' },
    ]
    const post = fromInfo({ formats }, 'tiktok')
    expect(post && hasMedia(post)).toBe(false)
    expect(fromInfo('nonsense', 'tiktok')).toBeNull()
    expect(fromInfo(null, 'tiktok')).toBeNull()
  })

  test('manifests are named only where there is no file', () => {
    const hls = { url: 'https://v.example/a.m3u8', ext: 'mp4', protocol: 'm3u8_native', height: 1080 }
    const dash = {
      url: 'https://v.example/a.mpd',
      ext: 'mp4',
      protocol: 'http_dash_segments',
      height: 720,
      acodec: 'none',
    }
    const file = { url: 'https://v.example/a.mp4', ext: 'mp4', protocol: 'https', height: 480 }
    expect(fromInfo({ formats: [hls, dash, file] }, 'twitter')?.videos.map(({ url }) => url)).toEqual([file.url])
    expect(fromInfo({ formats: [hls, dash] }, 'twitter')?.videos).toMatchObject([
      { source: 'adaptive', mimeType: 'application/vnd.apple.mpegurl' },
      { source: 'dash', mimeType: 'application/dash+xml', hasAudio: false },
    ])
  })

  test('a video alone is HD or SD, and of unknown size the default', () => {
    const qualityOf = (size: object) =>
      fromInfo({ formats: [{ url: 'https://v.example/a.mp4', ext: 'mp4', ...size }] }, 'instagram')?.videos[0]?.quality
    expect(qualityOf({ width: 1080, height: 1920 })).toBe('HD')
    expect(qualityOf({ width: 360, height: 640 })).toBe('SD')
    expect(qualityOf({})).toBe('default')
    expect(qualityOf({ width: 1080, height: 1920, format_note: '1080p' })).toBe('1080p')
  })
})

describe('rows of gallery-dl', () => {
  test('without a file are no post, and tell why', () => {
    const rows = documentOf('weibo-gone.gallery')
    expect(fromGalleryRows(rows, 'weibo')).toBeNull()
    expect(galleryFailures(rows)).toEqual([{ error: 'HttpError', message: expect.stringContaining('404') as unknown }])
  })

  test('hold no address that only another program understands', () => {
    const post = fromGalleryRows(
      [
        [3, 'ytdl:https://v.example/a', {}],
        [3, 'text:hello', {}],
      ],
      'instagram',
    )
    expect(post).toBeNull()
  })
})

describe('any document', () => {
  const info = fc.oneof(
    fc.jsonValue(),
    fc.record({
      formats: fc.array(fc.jsonValue()),
      thumbnails: fc.array(fc.jsonValue()),
      entries: fc.array(fc.jsonValue()),
    }),
    fc.record({
      title: fc.jsonValue(),
      duration: fc.jsonValue(),
      formats: fc.array(
        fc.record({ url: fc.webUrl(), ext: fc.jsonValue(), width: fc.jsonValue(), protocol: fc.jsonValue() }),
      ),
    }),
  )
  const rows = fc.oneof(
    fc.jsonValue(),
    fc.array(fc.tuple(fc.constantFrom(2, 3, -1, 6), fc.oneof(fc.webUrl(), fc.jsonValue()), fc.jsonValue())),
  )

  test('is read without a fault', () => {
    fc.assert(
      fc.property(
        info,
        rows,
        fc.constantFrom<Platform>('youtube', 'instagram', 'xiaohongshu', 'tiktok'),
        (a, b, platform) => {
          for (const post of [fromInfo(a, platform), fromGalleryRows(b, platform)]) {
            for (const { url } of post ? [...post.videos, ...post.audios, ...post.images] : [])
              expect(url).toMatch(/^https?:/i)
          }
          galleryFailures(b)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('two findings of one post', () => {
  test('are joined: of each kind those of the first that has any', () => {
    const joined = joinPosts(postOf('weibo-mixed'), postOf('weibo-mixed.gallery'))
    expect(summaryOf(joined)).toEqual({
      head: '模拟视频的标题 / 模拟微博 / 15',
      videos: ['direct 720p 1280x720 sound', 'direct 480p 854x480 sound'],
      audios: [],
      images: ['image/jpeg 1080x1440'],
    })
  })
})

describe('an address that is a medium itself', () => {
  test.each([
    ['https://v26-web.douyinvod.com/x/a.mp4', 'video', 'video/mp4'],
    ['https://v26-web.douyinvod.com/x/?mime_type=video_mp4', 'video', 'video/mp4'],
    ['https://p3-sign.douyinpic.com/a.jpeg', 'image', 'image/jpeg'],
    ['https://p3-sign.douyinpic.com/a~tplv-noop.image', 'image', 'image/jpeg'],
    ['https://p3-sign.douyinpic.com/a.webp?x-expires=1999999999', 'image', 'image/webp'],
    ['https://lf3-static.douyinstatic.com/a.mp3', 'audio', 'audio/mpeg'],
  ])('%s is its own %s', (url, kind, mimeType) => {
    const { videos, audios, images } = fileAt(url, 'douyin')
    const items = { video: videos, audio: audios, image: images }
    expect([...videos, ...audios, ...images]).toMatchObject([
      { url, mimeType, headers: { Referer: 'https://www.douyin.com/' } },
    ])
    expect(items[kind as keyof typeof items]).toHaveLength(1)
  })
})

describe('an address', () => {
  test.each([
    ['https://v.example/a?expire=1999999999', 1_999_999_999_000],
    ['https://v.example/a?Expires=1999999999&ssig=x', 1_999_999_999_000],
    ['https://v.example/a?deadline=1999999999', 1_999_999_999_000],
    ['https://v.example/a?x-expires=1999999999', 1_999_999_999_000],
    ['https://manifest.example/api/manifest/hls/expire/1999999999/ei/x', 1_999_999_999_000],
    ['https://v.example/a.jpg?oe=77359400', 0x77359400 * 1000],
    ['https://v.example/a.jpg?oe=xyz', null],
    ['https://v.example/a?expire=soon', null],
    ['nonsense', null],
  ])('%s works until %s', (url, at) => {
    expect(expiryOf(url)).toBe(at)
  })

  test('of a post that goes first decides', () => {
    expect(expiryOfPost(postOf('weibo-video'))).toBe(1_999_999_999_000)
    expect(expiryOfPost(postOf('twitter-video'))).toBeNull()
  })
})
