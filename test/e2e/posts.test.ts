import path from 'node:path'
import { TaskError } from '../../src/domain/errors.ts'
import type { FoundPost } from '../../src/tasks/posts.ts'
import { openPostRig, type PostRig } from '../support/post-rig.ts'

const TOOLS = path.resolve(process.env['TOOLS_DIR'] ?? 'jsons/tools')

/** Found media in few words: how many of each kind, and the first of them. */
function summaryOf(found: unknown) {
  const { platform, url, post, isCached } = found as FoundPost
  const [video] = post.videos
  return {
    platform,
    url,
    isCached,
    head: `${post.title} / ${post.author} / ${post.duration}`,
    counts: [post.videos.length, post.audios.length, post.images.length],
    video: video ? `${video.source} ${video.quality} ${video.width}x${video.height}` : null,
  }
}

const codeOf = (error: unknown) => (error instanceof TaskError ? error.code : error)

/** The real yt-dlp and gallery-dl, confined, on a loopback internet. */
describe('a post', () => {
  let rig: PostRig

  beforeAll(async () => {
    rig = await openPostRig()
  })

  afterEach(() => {
    const problems = rig.sim.problems()
    rig.sim.reset()
    expect(problems).toEqual([])
  })

  afterAll(() => rig[Symbol.asyncDispose]())

  const youtube = 'https://www.youtube.com/watch?v=dQw4w9WgXcQ'
  const tiktok = 'https://www.tiktok.com/@simtok/video/7300000000000000001'
  const weibo = 'https://weibo.com/7827771738/49108151474623'
  const note = 'https://www.xiaohongshu.com/discovery/item/671e2c6500000000210016b2?xsec_token=sim'

  test.each<[string, string, string, readonly number[], string | null]>([
    [
      'https://youtu.be/dQw4w9WgXcQ',
      youtube,
      'Sim: Never Going To Give You Up (4K) / Sim Channel / 65',
      [24, 5, 0],
      'direct 360p 640x360',
    ],
    [
      'https://www.instagram.com/reel/CsimReel001/',
      'https://www.instagram.com/reel/CsimReel001/',
      'Caption of CsimReel001 #sim / Sim Gram / 15',
      [2, 0, 0],
      'direct 720p 720x1280',
    ],
    [
      'https://www.instagram.com/simgram/p/CsimVideo01/',
      'https://www.instagram.com/p/CsimVideo01/',
      'Caption of CsimVideo01 #sim / Sim Gram / 12',
      [2, 0, 0],
      'direct 640p 640x640',
    ],
    [
      'https://www.instagram.com/p/CsimCarous1/',
      'https://www.instagram.com/p/CsimCarous1/',
      'Caption of CsimCarous1 #sim / Sim Gram / 8',
      [2, 0, 3],
      'direct 720p 720x720',
    ],
    [
      'https://www.instagram.com/p/CsimPhoto01/',
      'https://www.instagram.com/p/CsimPhoto01/',
      'Caption of CsimPhoto01 #sim / Sim Gram / 0',
      [0, 0, 1],
      null,
    ],
    [
      'https://vm.tiktok.com/ZTR45GpSF/',
      tiktok,
      'TikTok sim 7300000000000000001 #fyp / simtok / 15',
      [2, 1, 0],
      'direct 720p 720x1280',
    ],
    [
      'https://tiktok.com/@simtok/photo/7300000000000000003',
      'https://www.tiktok.com/@simtok/photo/7300000000000000003',
      'photo post / Sim Tok / 0',
      [0, 1, 3],
      null,
    ],
    [
      'https://twitter.com/simx/status/1790000000000000001',
      'https://x.com/simx/status/1790000000000000001',
      'One video https://t.co/abc / Sim X / 15',
      [3, 0, 0],
      'direct 720p 1280x720',
    ],
    [
      'https://x.com/simx/status/1790000000000000002',
      'https://x.com/simx/status/1790000000000000002',
      'Two videos https://t.co/abc / Sim X / 10',
      [6, 0, 0],
      'direct 720p 1280x720',
    ],
    [
      'https://x.com/simx/status/1790000000000000003',
      'https://x.com/simx/status/1790000000000000003',
      'Photos / Sim X / 0',
      [0, 0, 2],
      null,
    ],
    [
      'https://m.bilibili.com/video/BV1sim411x7Q',
      'https://www.bilibili.com/video/BV1sim411x7Q',
      'B站模拟视频 / 模拟UP / 20',
      [8, 3, 0],
      'dash 1080p 1920x1080',
    ],
    [
      'https://www.bilibili.com/video/BV1ant411x7Q?p=2',
      'https://www.bilibili.com/video/BV1ant411x7Q?p=2',
      '合集 p02 第2集 / 模拟UP / 20',
      [8, 3, 0],
      'dash 1080p 1920x1080',
    ],
    ['微博 http://t.cn/A6video', `${weibo}01`, '微博正文第一行 / 模拟微博 / 15', [2, 0, 0], 'direct 720p 1280x720'],
    [`${weibo}02`, `${weibo}02`, '微博正文第一行 / 模拟微博 / 0', [0, 0, 3], null],
    [`${weibo}03`, `${weibo}03`, '微博正文第一行 / 模拟微博 / 0', [1, 0, 2], 'live_photo HD 1080x1440'],
    [
      '小红书 http://xhslink.com/a/AbC，打开看',
      note,
      '笔记第一行#话题[话题]# / 5c31698d0000000007018a31 / 0',
      [0, 0, 3],
      null,
    ],
  ])('%s is read', async (text, url, head, ...[counts, video]) => {
    expect(summaryOf(await rig.find(text))).toMatchObject({ url, head, counts, video, isCached: false })
    rig.sim.log.length = 0
    const again = await rig.find(url)
    expect(again).toMatchObject({ isCached: true })
    expect(rig.sim.log).toEqual([])
  })

  test.each([
    ['https://www.youtube.com/watch?v=simPrivate1', 'private'],
    ['https://www.youtube.com/watch?v=simRemoved1', 'not_found'],
    ['https://www.youtube.com/watch?v=simLive0001', 'filtered'],
    ['https://www.instagram.com/p/CsimPrivat1/', 'login_required'],
    ['https://www.instagram.com/p/CsimRestri1/', 'age_restricted'],
    ['https://www.tiktok.com/@simtok/video/7300000000000000091', 'private'],
    ['https://x.com/simx/status/1790000000000000004', 'no_media'],
    ['https://x.com/simx/status/1790000000000000091', 'age_restricted'],
    ['https://www.bilibili.com/video/BV1del411x7Q', 'not_found'],
    [`${weibo}05`, 'no_media'],
    [`${weibo}99`, 'not_found'],
    ['https://www.xiaohongshu.com/explore/671e2c6500000000210016b1', 'not_found'],
    ['https://v.douyin.com/simvideo/', 'login_required'],
    ['https://v.douyin.com/simnote/', 'no_media'],
    ['https://v.kuaishou.com/JuuRuozy', 'unsupported_url'],
  ])('%s ends as %s', async (text, code) => {
    expect(await rig.find(text).catch(codeOf)).toBe(code)
  })

  test('of a short link that leads elsewhere is none, and nobody is asked there', async () => {
    expect(await rig.find('http://t.cn/A6user')).toEqual({ reason: 'not_a_post', platform: 'weibo' })
    expect(await rig.find('http://t.cn/A6away')).toEqual({ reason: 'not_a_post', platform: 'weibo' })
    expect(rig.sim.log.map(({ host }) => host)).not.toContain('elsewhere.example')
  })

  test('that a site shows to those with cookies is read with the cookies of the key, and for that key alone', async () => {
    const cookie = { name: 's_v_web_id', value: 'sim', domain: '.douyin.com', path: '/', secure: true, expires: 4e9 }
    const line = ['.douyin.com', 'TRUE', '/', 'TRUE', '4000000000', cookie.name, cookie.value].join('\t')
    await rig.app.jars.put(rig.key, 'douyin.com', { netscape: `${line}\n` })
    const found = await rig.find('https://v.douyin.com/simvideo/')
    expect(summaryOf(found)).toMatchObject({
      url: 'https://www.douyin.com/video/7641191614632071546',
      head: '抖音模拟视频 #话题 / simdou / 15',
      counts: [2, 0, 0],
    })
    expect(JSON.stringify(found)).not.toContain('s_v_web_id')
    await rig.app.jars.remove(rig.key, 'douyin.com')
    expect(await rig.find('https://v.douyin.com/simvideo/').catch(codeOf)).toBe('login_required')
  })

  test('can be read whole where /health names gallery-dl', async () => {
    const { body } = await rig.app.health.check()
    expect(body['gallery_dl_version']).toMatch(/^\d+\.\d+/)
  })
})

describe('a daemon without gallery-dl', () => {
  let rig: PostRig

  beforeAll(async () => {
    rig = await openPostRig({
      PATH: '/usr/bin:/bin',
      TOOLS_DIR: path.join(TOOLS, 'none'),
      YTDLP_PATH: path.join(TOOLS, 'yt-dlp/usr/bin/yt-dlp'),
      INFO_CACHE_SECONDS: '0',
    })
  })

  afterAll(() => rig[Symbol.asyncDispose]())

  test('says so, and reads what yt-dlp finds', async () => {
    expect((await rig.app.health.check()).body).toMatchObject({ gallery_dl_version: null })
    const photo = await rig.find('https://www.tiktok.com/@simtok/photo/7300000000000000003')
    expect(summaryOf(photo)).toMatchObject({ counts: [0, 1, 0] })
    expect(await rig.find('https://x.com/simx/status/1790000000000000003').catch(codeOf)).toBe('no_media')
    expect(summaryOf(await rig.find('https://www.instagram.com/p/CsimPhoto01/'))).toMatchObject({ counts: [0, 0, 1] })
  })
})
