import fs from 'node:fs'
import { TaskError } from '../../src/domain/errors.ts'
import type { EngineRun } from '../../src/engine/engine-run.ts'
import { PostReader, type PostReaderOptions } from '../../src/engine/post-reader.ts'
import { NO_SITE_ACCESS } from '../support/samples.ts'
import type { ToolExit, ToolName, ToolRun, ToolRunner } from '../../src/engine/tool.ts'

const documentOf = (name: string) =>
  JSON.stringify(JSON.parse(fs.readFileSync(new URL(`../fixtures/posts/${name}.json`, import.meta.url), 'utf8')))

type Said = Readonly<{ stdout?: string; stderr?: string; exitCode?: number }>

/** Tools that say what they are told to. */
class Tools {
  readonly runs: Readonly<{ tool: ToolName; address: string }>[] = []
  readonly #says: Partial<Readonly<Record<ToolName, Said>>>

  constructor(says: Partial<Readonly<Record<ToolName, Said>>>) {
    this.#says = says
  }

  readonly run = ({ tool, args, onStdout }: ToolRun): Promise<ToolExit> => {
    this.runs.push({ tool, address: args.at(-1) ?? '' })
    const { stdout = '', stderr = '', exitCode = 0 } = this.#says[tool] ?? {}
    for (const line of stdout === '' ? [] : stdout.split('\n')) onStdout?.(line)
    return Promise.resolve({ kind: 'exit', exitCode, signalName: null, stderr })
  }
}

const RUN = {
  label: 'a.1',
  workDir: '/work',
  signal: new AbortController().signal,
  lane: { proxyUrl: 'http://u:p@127.0.0.1:9', denials: [], failure: null },
  site: NO_SITE_ACCESS,
} as unknown as EngineRun

function readerOf(tools: Tools, more: Partial<PostReaderOptions> = {}) {
  const runner = tools as unknown as ToolRunner
  return new PostReader({ runner, hasGalleryDl: true, allImages: false, maxFileBytes: 1, ...more })
}

/** What is found, or the code of the failure, and which tools were asked. */
async function outcome(url: string, says: ConstructorParameters<typeof Tools>[0], more?: Partial<PostReaderOptions>) {
  const tools = new Tools(says)
  const found = await readerOf(tools, more)
    .read(url, RUN)
    .then(
      ({ videos, audios, images }) => [videos.length, audios.length, images.length],
      (error: unknown) => (error instanceof TaskError ? error.code : error),
    )
  return [found, tools.runs.map(({ tool }) => tool)]
}

const X = 'https://x.com/simx/status/1790000000000000003'
const WEIBO = 'https://weibo.com/7827771738/4910815147462304'
const NO_VIDEO = { stdout: 'null', stderr: 'ERROR: [twitter] 1: No video could be found in this tweet', exitCode: 1 }
const photos = { stdout: documentOf('twitter-photos.gallery') }

describe('which tool reads a post', () => {
  test('is yt-dlp, and that alone where it finds videos or pictures', async () => {
    expect(await outcome(X, { 'yt-dlp': { stdout: documentOf('twitter-video') } })).toEqual([[3, 0, 0], ['yt-dlp']])
    const carousel = { stdout: documentOf('instagram-carousel') }
    expect(await outcome('https://www.instagram.com/p/a/', { 'yt-dlp': carousel })).toEqual([[2, 0, 3], ['yt-dlp']])
  })

  test('is gallery-dl too where yt-dlp finds nothing, or nothing but sound', async () => {
    expect(await outcome(X, { 'yt-dlp': NO_VIDEO, 'gallery-dl': photos })).toEqual([
      [0, 0, 2],
      ['yt-dlp', 'gallery-dl'],
    ])
    const says = {
      'yt-dlp': { stdout: documentOf('tiktok-photo') },
      'gallery-dl': { stdout: documentOf('tiktok-photo.gallery') },
    }
    const url = 'https://www.tiktok.com/@u/video/7300000000000000003'
    expect(await outcome(url, says)).toEqual([
      [0, 1, 3],
      ['yt-dlp', 'gallery-dl'],
    ])
    expect(await outcome(url, { ...says, 'gallery-dl': { stdout: '[]' } })).toEqual([
      [0, 1, 0],
      ['yt-dlp', 'gallery-dl'],
    ])
  })

  test('is gallery-dl first for photos of TikTok; without it, yt-dlp by the address it knows', async () => {
    const url = 'https://www.tiktok.com/@u/photo/7300000000000000003'
    const says = { 'gallery-dl': { stdout: documentOf('tiktok-photo.gallery') } }
    expect(await outcome(url, says)).toEqual([[0, 1, 3], ['gallery-dl']])
    const tools = new Tools({ 'yt-dlp': { stdout: documentOf('tiktok-photo') } })
    const post = await readerOf(tools, { hasGalleryDl: false }).read(url, RUN)
    expect(post.audios).toHaveLength(1)
    expect(tools.runs).toEqual([{ tool: 'yt-dlp', address: 'https://www.tiktok.com/@u/video/7300000000000000003' }])
  })

  test('is not gallery-dl where there is none, where it knows nothing, or where yt-dlp has the last word', async () => {
    expect(await outcome(X, { 'yt-dlp': NO_VIDEO }, { hasGalleryDl: false })).toEqual(['no_media', ['yt-dlp']])
    const none = { stdout: 'null', stderr: 'ERROR: [BiliBili] 1: No video formats found!', exitCode: 1 }
    expect((await outcome('https://www.bilibili.com/video/BV1sim411x7Q', { 'yt-dlp': none }))[1]).toEqual(['yt-dlp'])
    const said = { stdout: 'null', stderr: 'ERROR: [twitter] 1: NSFW tweet requires authentication.', exitCode: 1 }
    expect(await outcome(X, { 'yt-dlp': said, 'gallery-dl': photos })).toEqual(['age_restricted', ['yt-dlp']])
  })

  test('is both where all pictures are wanted of a service whose posts mix', async () => {
    const says = {
      'yt-dlp': { stdout: documentOf('weibo-mixed') },
      'gallery-dl': { stdout: documentOf('weibo-mixed.gallery') },
    }
    expect(await outcome(WEIBO, says)).toEqual([[2, 0, 0], ['yt-dlp']])
    expect(await outcome(WEIBO, says, { allImages: true })).toEqual([
      [2, 0, 1],
      ['yt-dlp', 'gallery-dl'],
    ])
    const reel = { 'yt-dlp': { stdout: documentOf('instagram-reel') } }
    expect(await outcome('https://www.instagram.com/reel/a/', reel, { allImages: true })).toEqual([
      [2, 0, 0],
      ['yt-dlp'],
    ])
  })

  test('is none for what none reads', async () => {
    expect(await outcome('https://v.kuaishou.com/a', {})).toEqual(['unsupported_url', []])
    expect(await outcome('https://www.douyin.com/note/7643104807914401929', {})).toEqual(['no_media', []])
    expect(await outcome('https://x.com/u', {})).toEqual(['unsupported_url', []])
    expect(await outcome('https://v26-web.douyinvod.com/a.mp4', {})).toEqual([[1, 0, 0], []])
  })
})

describe('what yt-dlp printed', () => {
  test('is used although it failed in a part of the post', async () => {
    const broken = { stdout: documentOf('twitter-two-videos'), stderr: 'ERROR: [twitter] 2: gone', exitCode: 1 }
    expect(await outcome(X, { 'yt-dlp': broken })).toEqual([[6, 0, 0], ['yt-dlp']])
  })

  test('may hold nothing: then the warnings say why', async () => {
    const empty = { stdout: '{"id": "a", "formats": []}' }
    const url = 'https://www.xiaohongshu.com/explore/671e2c6500000000210016b1'
    expect(await outcome(url, { 'yt-dlp': empty })).toEqual(['no_media', ['yt-dlp']])
    const warned = { ...empty, stderr: 'WARNING: [XiaoHongShu] a: HTTP Error 429: Too Many Requests' }
    expect(await outcome(url, { 'yt-dlp': warned })).toEqual(['rate_limited', ['yt-dlp']])
  })

  test('of a stream that runs or has not begun is no post', async () => {
    const url = 'https://www.youtube.com/watch?v=dQw4w9WgXcQ'
    const live = { stdout: '{"is_live": true, "formats": [{"url": "https://v.example/a.m3u8", "ext": "mp4"}]}' }
    expect((await outcome(url, { 'yt-dlp': live }))[0]).toBe('filtered')
    expect((await outcome(url, { 'yt-dlp': { stdout: '{"live_status": "is_upcoming"}' } }))[0]).toBe('live_not_started')
  })

  test('and is no document is a fault of its extractor', async () => {
    expect((await outcome(X, { 'yt-dlp': { stdout: '{"formats": [' } }))[0]).toBe('extractor_broken')
  })

  test('is read in a thread of its own when it is long', async () => {
    const long = documentOf('youtube-video').replace(/^\{/, `{"padding": "${'x'.repeat(2 ** 20)}", `)
    expect(await outcome('https://www.youtube.com/watch?v=dQw4w9WgXcQ', { 'yt-dlp': { stdout: long } })).toEqual([
      [24, 5, 0],
      ['yt-dlp'],
    ])
  })
})
