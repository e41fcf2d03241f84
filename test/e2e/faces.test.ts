import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { startSim, type Sim } from '../sim/index.ts'
import { ADMIN_KEY, startTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { decodesCleanly } from '../support/media.ts'
import fs from 'node:fs/promises'
import path from 'node:path'

type Post = Readonly<{
  platform: string
  title: string
  thumbnail: string
  duration: number
  images: Readonly<{ url: string; width: number; height: number }>[]
  videos: Readonly<{ url: string; quality: string; hasAudio: boolean; source: string; width: number; height: number }>[]
  audios: Readonly<{ url: string; bitrate: number; source: string }>[]
}>
type Parsed = Readonly<{ status: number; data: Post | null; msg: string; code?: unknown }>

const run = promisify(execFile)

/** What the documents of these services print for their clients, with another base address and key; and the real extractors. */
describe('clients of other services', () => {
  let sim: Sim
  let daemon: TestDaemon

  beforeAll(async () => {
    sim = await startSim()
    daemon = await startTestDaemon({ PROXY_URL: sim.url, CA_FILE: sim.caFile })
  })
  afterEach(() => {
    const problems = sim.problems()
    sim.reset()
    expect(problems).toEqual([])
  })
  afterAll(async () => {
    await daemon[Symbol.asyncDispose]()
    await sim[Symbol.asyncDispose]()
  })

  async function parse(url: string): Promise<Parsed> {
    const response = await fetch(`${daemon.url}/api/v1/parse`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ url }),
    })
    return (await response.json()) as Parsed
  }

  async function parsed(url: string): Promise<Post> {
    const { status, data, msg } = await parse(url)
    expect([status, msg]).toEqual([200, 'success'])
    if (data === null) throw new Error('no data')
    return data
  }

  /** As a page of the service's own client does it: `window.location.origin` is the daemon. */
  function proxied(media: Readonly<{ platform: string }>, url: string): URL {
    const downloadUrl = new URL('/api/media-proxy', daemon.url)
    downloadUrl.searchParams.set('platform', media.platform)
    downloadUrl.searchParams.set('url', url)
    return downloadUrl
  }

  test('picoshot: the fetch of its documents', async () => {
    const response = await fetch(`${daemon.url}/api/downloader`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ url: 'https://youtube.com/watch?v=dQw4w9WgXcQ', platform: 'youtube' }),
    })
    const data = (await response.json()) as {
      success: boolean
      data: {
        title: string
        author: string
        thumbnail: string
        media: { type: string; url: string; quality: string }[]
      }
    }
    expect(data).toMatchObject({
      success: true,
      platform: 'youtube',
      url: 'https://youtube.com/watch?v=dQw4w9WgXcQ',
      data: { title: 'Sim: Never Going To Give You Up (4K)', author: 'Sim Channel' },
    })
    const [first] = data.data.media
    expect(first).toMatchObject({ type: 'video', quality: expect.stringMatching(/^(hd|sd)$/) as string })
    const kinds = data.data.media.map(({ quality }) => quality)
    expect(kinds).toEqual(expect.arrayContaining(['1080p_video_only', 'audio_only']))
    expect(kinds.indexOf('audio_only')).toBeGreaterThan(kinds.lastIndexOf('1080p_video_only'))
  })

  test('Easydown: the curl of its documents', async () => {
    const { stdout } = await run('curl', [
      ...['-sS', '-X', 'POST', `${daemon.url}/api/v1/parse`],
      ...['-H', `Authorization: Bearer ${ADMIN_KEY}`],
      ...['-H', 'Content-Type: application/json'],
      ...['-d', '{"url":"https://www.instagram.com/reel/CsimReel001/"}'],
    ])
    const { status, data, msg } = JSON.parse(stdout) as Parsed
    expect([status, msg, data?.platform]).toEqual([200, 'success', 'instagram'])
    expect(data?.videos[0]).toMatchObject({ hasAudio: true, source: 'direct', width: 720, height: 1280 })
  })

  test.each([
    ['Instagram', 'https://www.instagram.com/reel/CsimReel001/'],
    ['TikTok', 'https://www.tiktok.com/@simtok/video/7300000000000000001'],
    ['X', 'https://x.com/simuser/status/1790000000000000001'],
    ['Bilibili', 'https://www.bilibili.com/video/BV1sim411x7Q'],
    ['YouTube', 'https://youtu.be/dQw4w9WgXcQ'],
  ])('Easydown: a medium of %s comes through the proxy, whole and in parts', async (_site, url) => {
    const media = await parsed(url)
    const downloadUrl = proxied(media, media.videos[0]?.url ?? '')
    const whole = await fetch(downloadUrl)
    expect(whole.status).toBe(200)
    expect(whole.headers.get('content-type')).toMatch(/^video\//)
    const bytes = Buffer.from(await whole.arrayBuffer())
    const file = path.join(daemon.dir, 'passed-on')
    await fs.writeFile(file, bytes)
    expect(await decodesCleanly(file)).toBe(true)
    const part = await fetch(downloadUrl, { headers: { Range: 'bytes=10-19' } })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 10-19/${bytes.length}`])
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(10, 20))
  })

  test('Easydown: a photo, a carousel and split tracks are told as they are', async () => {
    const photo = await parsed('https://www.instagram.com/p/CsimPhoto01/')
    expect(photo).toMatchObject({ duration: 0, videos: [], audios: [], images: [{ width: 1080, height: 1350 }] })
    const carousel = await parsed('https://www.instagram.com/p/CsimCarous1/')
    expect(carousel.images).toHaveLength(3)
    expect(carousel.videos[0]).toMatchObject({ width: 720, height: 720, hasAudio: true })
    const dash = await parsed('https://www.bilibili.com/video/BV1sim411x7Q')
    expect(dash.videos.every(({ hasAudio, source }) => !hasAudio && source === 'dash')).toBe(true)
    expect(dash.audios.every(({ source, bitrate }) => source === 'dash' && bitrate > 1_000)).toBe(true)
    const photoUrl = proxied(photo, photo.images[0]?.url ?? '')
    expect((await fetch(photoUrl)).headers.get('content-type')).toMatch(/^image\//)
  })

  test.each([
    ['a private post', 'https://www.instagram.com/p/CsimPrivat1/'],
    ['a tweet of words alone', 'https://x.com/simuser/status/1790000000000000004'],
    ['a private video of TikTok', 'https://www.tiktok.com/@simtok/video/7300000000000000091'],
  ])('Easydown and picoshot: %s has nothing to be had', async (_what, url) => {
    expect(await parse(url)).toEqual({ status: 304, data: null, msg: 'No downloadable media', code: 304 })
    const response = await fetch(`${daemon.url}/api/downloader`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ url, ...(url.includes('x.com') ? { platform: 'youtube' } : {}) }),
    })
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ success: false, url })
  })

  test('both: links through the daemon need no key and no header', async () => {
    const response = await fetch(`${daemon.url}/api/downloader`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ url: 'https://www.tiktok.com/@simtok/video/7300000000000000001', proxy: true }),
    })
    const { data } = (await response.json()) as { data: { media: { url: string }[] } }
    const medium = await fetch(data.media[0]?.url ?? '', { headers: { 'X-Forwarded-For': '203.0.113.7' } })
    expect(medium.status).toBe(200)
    expect(medium.headers.get('content-type')).toBe('video/mp4')
    await medium.body?.cancel()
  })
})

describe('a dialect on an address of its own', () => {
  test('is at its root, alone, and may not be fetched from', async () => {
    const listen = { COMPAT_LISTEN: 'easydown=127.0.0.1:0, picoshot=[::1]:0', LOG_LEVEL: 'info' }
    await using daemon = await startTestDaemon(listen)
    const urlOf = (dialect: string) => {
      const line = daemon.lines.find((each) => each.includes('listening for one API') && each.includes(`"${dialect}"`))
      return (JSON.parse(line ?? '{}') as { url: string }).url
    }
    const easydown = urlOf('easydown')
    expect((await fetch(`${easydown}/api/v1/capabilities`)).status).toBe(200)
    const lost = await fetch(`${easydown}/v1/me`, { headers: { 'X-API-Key': ADMIN_KEY } })
    expect([lost.status, await lost.json()]).toEqual([
      404,
      { status: 404, data: null, msg: 'Not found', code: 'route_not_found' },
    ])
    expect((await fetch(`${urlOf('picoshot')}/api/downloader`)).status).toBe(405)
    const { body } = await daemon.client().post('/get_video', { url: `${easydown}/api/v1/capabilities` })
    expect(JSON.stringify(body)).toMatch(/error/)
  })
})
