import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import vm from 'node:vm'
import { startSim, type Sim } from '../sim/index.ts'
import { ADMIN_KEY, startTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { decodesCleanly } from '../support/media.ts'
import { waitFor } from '../support/wait-for.ts'

type Json = Readonly<Record<string, unknown>>
type Medium = Readonly<{ url: string }>
type Post = Readonly<{ platform: string; videos: readonly Medium[]; audios: readonly Medium[] }>

const run = promisify(execFile)
const MEGABYTES = 2 ** 26

/** The code that the documents of these services print, letter by letter but for base address, key and what is looked at. */
describe('the samples of other services', () => {
  let sim: Sim
  let daemon: TestDaemon
  let mezdia: string

  beforeAll(async () => {
    sim = await startSim()
    daemon = await startTestDaemon({ PROXY_URL: sim.url, CA_FILE: sim.caFile, COMPAT_LISTEN: 'mezdia=127.0.0.1:0' })
    const line = daemon.lines.find((text) => text.includes('"dialect":"mezdia"')) ?? '{}'
    mezdia = (JSON.parse(line) as { url: string }).url
  })
  afterAll(async () => {
    await daemon[Symbol.asyncDispose]()
    await sim[Symbol.asyncDispose]()
  })

  /** Runs lines of a shell in the daemon's folder. */
  async function shell(code: string): Promise<string> {
    const { stdout } = await run('bash', ['-c', code], { cwd: daemon.dir, maxBuffer: MEGABYTES })
    return stdout
  }
  const shown = async (code: string) => JSON.parse(await shell(code)) as Json

  /** Runs lines of a page. */
  const page = (code: string, globals: object): Promise<void> =>
    vm.runInNewContext(`(async () => {${code}\n})()`, { fetch, URL, ...globals }) as Promise<void>

  /** Opens an address as a browser on the simulated internet does, into a file in the daemon's folder. */
  async function browse(url: string, name: string, ...more: readonly string[]): Promise<string> {
    const file = path.join(daemon.dir, name)
    const network = ['--proxy', sim.url, '--noproxy', '127.0.0.1', '--cacert', sim.caFile]
    await run('curl', ['-sSfL', ...network, ...more, '-o', file, url])
    return file
  }

  async function parse(url: string): Promise<Post> {
    const { status, data } = await shown(`curl -X POST ${daemon.url}/api/v1/parse \\
  -H "Authorization: Bearer ${ADMIN_KEY}" \\
  -H "Content-Type: application/json" \\
  -d '{"url":"${url}"}'`)
    expect(status).toBe(200)
    return data as Post
  }

  test('picoshot’s fetch opens the first medium, or says what is wrong', async () => {
    const sample = (url: string) => `
      const response = await fetch('${daemon.url}/api/downloader', {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
        },
        body: JSON.stringify({
          url: '${url}',
          platform: 'youtube' // optional
        })
      });

      const data = await response.json();

      if (data.success) {
        console.log('Title:', data.data.title);
        console.log('Media files:', data.data.media);

        // Download first media file
        const mediaUrl = data.data.media[0].url;
        window.open(mediaUrl, '_blank');
      } else {
        console.error('Error:', data.error);
      }`
    const said: unknown[][] = []
    const opened: string[] = []
    const say = (...words: unknown[]) => void said.push(words)
    const globals = { console: { log: say, error: say }, window: { open: (url: string) => void opened.push(url) } }
    await page(sample('https://youtube.com/watch?v=dQw4w9WgXcQ'), globals)
    expect(said[0]).toEqual(['Title:', 'Sim: Never Going To Give You Up (4K)'])
    expect(await decodesCleanly(await browse(opened[0] ?? '', 'opened.mp4'))).toBe(true)
    await page(sample('https://invalid-url'), globals)
    expect(said.at(-1)).toEqual([
      'Error:',
      'Content not available or failed to process. Please check the URL and try again.',
    ])
    expect(opened).toHaveLength(1)
  }, 60_000)

  test('Easydown’s curl and the page that leads a browser to the media proxy', async () => {
    const media = await parse('https://www.instagram.com/reel/CsimReel001/')
    const window = { location: { origin: daemon.url, href: '' } }
    await page(
      `
      const downloadUrl = new URL('/api/media-proxy', window.location.origin);
      downloadUrl.searchParams.set('platform', media.platform);
      downloadUrl.searchParams.set('url', media.videos[0].url);

      window.location.href = downloadUrl.toString();`,
      { window, media },
    )
    expect(await decodesCleanly(await browse(window.location.href, 'reel.mp4'))).toBe(true)
  }, 60_000)

  test('Easydown’s ffmpeg merges the tracks that came through the media proxy', async () => {
    const media = await parse('https://www.bilibili.com/video/BV1sim411x7Q')
    const proxied = ({ url }: Medium) =>
      `${daemon.url}/api/media-proxy?${new URLSearchParams({ platform: media.platform, url }).toString()}`
    const [video, audio] = [media.videos[0], media.audios[0]]
    if (!video || !audio) throw new Error('a track is missing')
    await browse(proxied(video), 'video.mp4')
    await browse(proxied(audio), 'audio.m4a')
    await shell('ffmpeg -loglevel error -i video.mp4 -i audio.m4a -c copy output.mp4')
    expect(await decodesCleanly(path.join(daemon.dir, 'output.mp4'))).toBe(true)
  }, 60_000)

  test.each([
    ['info', 'curl "BASE/info?url=https://www.youtube.com/watch?v=dQw4w9WgXcQ"', { id: 'dQw4w9WgXcQ' }],
    ['formats', 'curl "BASE/formats?url=https://www.youtube.com/watch?v=simPlain001"', { video_id: 'simPlain001' }],
    [
      'subtitles',
      'curl "BASE/subtitles?url=https://www.youtube.com/watch?v=dQw4w9WgXcQ&lang=all"',
      { video_id: 'dQw4w9WgXcQ' },
    ],
    [
      'thumbnail',
      'curl "BASE/thumbnail?url=https://www.youtube.com/watch?v=dQw4w9WgXcQ&quality=hq"',
      { thumbnail_url: 'https://img.youtube.com/vi/dQw4w9WgXcQ/hqdefault.jpg' },
    ],
    [
      'instagram',
      'curl "BASE/instagram/post/info?url=https://www.instagram.com/p/CsimPhoto01/"',
      { success: true, type: 'image', shortcode: 'CsimPhoto01' },
    ],
    ['jobs', 'curl "BASE/jobs?skip=0&limit=10&status=completed"', { skip: 0, limit: 10 }],
  ])('Mezdia’s curl of %s', async (_name, code, answer) => {
    expect(await shown(code.replace('BASE', mezdia))).toMatchObject(answer)
  })

  test('Mezdia’s curls of a download, from the call to the file', async () => {
    const { status_url: statusUrl } = await shown(`curl -X POST "${mezdia}/download/single" \\
  -H "Content-Type: application/json" \\
  -d '{
    "url": "https://www.youtube.com/watch?v=simPlain001",
    "quality": "720p",
    "type": "video"
  }'`)
    const look = async () => {
      const job = await shown(`curl "${mezdia}${String(statusUrl)}"`)
      return job['status'] === 'completed' ? job : null
    }
    const { files } = await waitFor('the job to end', look, 60_000)
    const [file] = files as readonly { filename: string; size: number; download_url: string }[]
    const name = encodeURIComponent(file?.filename ?? '')
    await shell(`curl -O "${mezdia}/download/file/${name}"`)
    expect((await fs.stat(path.join(daemon.dir, name))).size).toBe(file?.size)
    expect(await decodesCleanly(path.join(daemon.dir, name))).toBe(true)
  }, 90_000)

  test('Mezdia’s curls of a batch and of its end', async () => {
    const started = await shown(`curl -X POST "${mezdia}/download/batch" \\
  -H "Content-Type: application/json" \\
  -d '{
    "urls": [
      "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
      "https://www.youtube.com/watch?v=simPlain001"
    ],
    "quality": "1080p",
    "type": "video"
  }'`)
    expect(started).toMatchObject({ status: 'pending', total_urls: 2 })
    const cancelled = await shown(`curl -X POST "${mezdia}/jobs/${String(started['job_id'])}/cancel"`)
    expect(cancelled).toMatchObject({ status: 'cancelled', message: 'Download job has been cancelled' })
  }, 60_000)

  test('Mezdia’s video tag plays', async () => {
    const html = `<video width="640" height="480" controls>
  <source src="${mezdia}/stream/video?url=https://www.youtube.com/watch?v=dQw4w9WgXcQ" type="video/mp4">
  Your browser does not support the video tag.
</video>`
    const [, src = ''] = /<source src="([^"]+)"/.exec(html) ?? []
    expect(await decodesCleanly(await browse(src, 'played.mp4', '-H', 'Range: bytes=0-'))).toBe(true)
  }, 60_000)
})
