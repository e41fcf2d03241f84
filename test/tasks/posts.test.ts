import { Refusal, TaskError } from '../../src/domain/errors.ts'
import { NO_LIMITS } from '../../src/domain/key.ts'
import type { Post, VideoItem } from '../../src/domain/post.ts'
import type { EgressFetchOptions, EgressResponse } from '../../src/engine/egress/fetch.ts'
import type { EngineRun } from '../../src/engine/engine-run.ts'
import type { PostsOptions } from '../../src/tasks/posts.ts'
import { startCore } from '../support/core-server.ts'
import { keyOf } from '../support/samples.ts'
import { waitFor } from '../support/wait-for.ts'

const KEY = keyOf('key-a')
const PLACE = { platform: 'twitter', url: 'https://x.com/u/status/1' } as const
const { signal: NEVER } = new AbortController()

const video: VideoItem = {
  url: 'https://video.twimg.com/a.mp4',
  mimeType: 'video/mp4',
  headers: {},
  expiresAt: null,
  source: 'direct',
  quality: 'HD',
  width: 1280,
  height: 720,
  fps: null,
  hasAudio: true,
  bytes: null,
}

const placeOf = (id: number) => ({ platform: 'twitter', url: `https://x.com/u/status/${id}` }) as const

const postWith = (more: Partial<VideoItem> = {}): Post => ({
  title: 'A post',
  author: '',
  thumbnail: '',
  duration: 1,
  videos: [{ ...video, ...more }],
  audios: [],
  images: [],
})

/** Reads that the test ends. */
class Reads {
  readonly runs: { url: string; run: EngineRun; answer: (post: Post) => void; fail: (error: Error) => void }[] = []

  readonly read = (url: string, run: EngineRun): Promise<Post> =>
    new Promise((resolve, reject) => {
      this.runs.push({ url, run, answer: resolve, fail: reject })
      run.signal.addEventListener('abort', () => reject(run.signal.reason as Error), { once: true })
    })

  async until(count: number): Promise<void> {
    await waitFor(`${count} reads`, () => this.runs.length >= count)
  }
}

const openPosts = async (options: Partial<PostsOptions>) => {
  const core = await startCore({}, {}, options)
  return { posts: core.ctx.posts, [Symbol.asyncDispose]: () => core[Symbol.asyncDispose]() }
}

const codeOf = (error: unknown) => (error instanceof TaskError || error instanceof Refusal ? error.code : error)

describe('a post', () => {
  test('is read once for calls at the same time and for a while after, and the later ones are told so', async () => {
    const reads = new Reads()
    await using rig = await openPosts(reads)
    const calls = Array.from({ length: 5 }, () => rig.posts.read(KEY, PLACE, NEVER))
    await reads.until(1)
    reads.runs[0]?.answer(postWith())
    const found = await Promise.all(calls)
    expect(found.map(({ isCached }) => isCached)).toEqual([false, true, true, true, true])
    expect(await rig.posts.read(KEY, PLACE, NEVER)).toEqual({ ...PLACE, post: postWith(), isCached: true })
    expect(reads.runs).toHaveLength(1)
  })

  test('is not remembered beyond the time its addresses work', async () => {
    const reads = new Reads()
    await using rig = await openPosts(reads)
    for (const expiresAt of [Date.now() + 30_000, Date.now() - 1_000]) {
      const call = rig.posts.read(KEY, PLACE, NEVER)
      await reads.until(1)
      reads.runs.pop()?.answer(postWith({ expiresAt }))
      expect(await call).toMatchObject({ isCached: false })
    }
    const again = rig.posts.read(KEY, PLACE, NEVER)
    await reads.until(1)
    reads.runs[0]?.answer(postWith({ expiresAt: Date.now() + 3_600_000 }))
    await again
    expect(await rig.posts.read(KEY, PLACE, NEVER)).toMatchObject({ isCached: true })
  })

  test('that could not be read is tried again by the next call', async () => {
    const reads = new Reads()
    await using rig = await openPosts(reads)
    const first = rig.posts.read(KEY, PLACE, NEVER).catch(codeOf)
    await reads.until(1)
    reads.runs[0]?.fail(new TaskError('private', 'private'))
    expect(await first).toBe('private')
    const second = rig.posts.read(KEY, PLACE, NEVER)
    await reads.until(2)
    reads.runs[1]?.answer(postWith())
    expect(await second).toMatchObject({ isCached: false })
  })

  test('is given up when nobody waits for it any more', async () => {
    const reads = new Reads()
    await using rig = await openPosts(reads)
    const stop = new AbortController()
    const call = rig.posts.read(KEY, PLACE, stop.signal).catch(codeOf)
    await reads.until(1)
    stop.abort(new TaskError('cancelled', 'gone'))
    expect(await call).toBe('cancelled')
    expect(reads.runs[0]?.run.signal.aborted).toBe(true)
  })

  test('is refused to a key that may not fetch from there, and while its site is left in peace', async () => {
    await using rig = await openPosts({ read: () => Promise.resolve(postWith()), coolingSites: () => ['x.com'] })
    const limited = { ...KEY, limits: { ...NO_LIMITS, sites: ['youtube.com'] } }
    expect(await rig.posts.read(limited, PLACE, NEVER).catch(codeOf)).toBe('forbidden')
    expect(await rig.posts.read(KEY, PLACE, NEVER).catch(codeOf)).toBe('rate_limited')
  })

  test('has no more than 16 others of its key waiting before it', async () => {
    const reads = new Reads()
    await using rig = await openPosts(reads)
    const stop = new AbortController()
    const calls = Array.from({ length: 18 }, (_, id) => rig.posts.read(KEY, placeOf(id), stop.signal).catch(codeOf))
    await reads.until(2)
    expect(await rig.posts.read(KEY, placeOf(100), NEVER).catch(codeOf)).toBe('queue_full')
    stop.abort(new TaskError('cancelled', 'gone'))
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['cancelled']))
    expect(reads.runs).toHaveLength(2)
    const again = rig.posts.read(KEY, placeOf(101), NEVER)
    await reads.until(3)
    reads.runs[2]?.answer(postWith())
    expect(await again).toMatchObject({ isCached: false })
  })

  test('is read at once although another key has every place taken by sites that hang', async () => {
    const reads = new Reads()
    await using rig = await openPosts({ read: reads.read, patienceMs: 300 })
    const stop = new AbortController()
    const calls = Array.from({ length: 18 }, (_, id) => rig.posts.read(KEY, placeOf(id), stop.signal).catch(codeOf))
    await reads.until(2)
    const other = rig.posts.read(keyOf('key-b'), placeOf(100), NEVER)
    await reads.until(3)
    expect(reads.runs[2]?.url).toBe(placeOf(100).url)
    reads.runs[2]?.answer(postWith())
    expect(await other).toMatchObject({ isCached: false })
    const waited = await Promise.all(calls.slice(2))
    expect(new Set(waited)).toEqual(new Set(['queue_full']))
    stop.abort(new TaskError('cancelled', 'gone'))
    await Promise.all(calls)
  })

  test('waits for its turn among all keys, no longer than among its own', async () => {
    const reads = new Reads()
    await using rig = await openPosts({ read: reads.read, patienceMs: 300 })
    const stop = new AbortController()
    const calls = Array.from({ length: 4 }, (_, id) =>
      rig.posts.read(keyOf(`key-${id % 2}`), placeOf(id), stop.signal).catch(codeOf),
    )
    await reads.until(4)
    expect(await rig.posts.read(KEY, placeOf(100), NEVER).catch(codeOf)).toBe('queue_full')
    stop.abort(new TaskError('cancelled', 'gone'))
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['cancelled']))
  })

  test('costs next to nothing when it is known', async () => {
    await using rig = await openPosts({ read: () => Promise.resolve(postWith()) })
    await rig.posts.read(KEY, PLACE, NEVER)
    const started = performance.now()
    for (let n = 0; n < 2_000; n++) await rig.posts.read(KEY, PLACE, NEVER)
    expect((performance.now() - started) / 2_000).toBeLessThan(1)
  })
})

type Hop = Readonly<{ status: number; location?: string }>

/** An internet of redirects. What is asked for is written down. */
function redirects(hops: Readonly<Record<string, Hop | 'get-only'>>, asked: string[] = []) {
  return (
    url: string,
    { method = 'GET', headers = {}, redirect }: EgressFetchOptions = {},
  ): Promise<EgressResponse> => {
    asked.push(`${method} ${url} ${headers['User-Agent']?.split(' ')[0] ?? ''}`)
    const hop = hops[url] ?? { status: 404 }
    const { status, location } =
      hop !== 'get-only' ? hop : method === 'HEAD' ? { status: 405 } : { status: 302, location: PLACE.url }
    const head = new Headers(location === undefined ? {} : { location })
    if (redirect !== 'manual') return Promise.reject(new Error('redirects are for us to follow'))
    const bytes = () => Buffer.alloc(0)
    return Promise.resolve({ url, status, headers: head, bytes, text: () => '' })
  }
}

describe('a text', () => {
  test.each([
    ['nothing here', { reason: 'no_address', platform: null }],
    ['https://vimeo.com/1', { reason: 'unknown', platform: null }],
    ['https://x.com/u', { reason: 'not_a_post', platform: 'twitter' }],
    ['look https://twitter.com/u/status/1?s=20', PLACE],
    ['https://v26-web.douyinvod.com/a.mp4', { platform: 'douyin', url: 'https://v26-web.douyinvod.com/a.mp4' }],
  ])('%j is placed without asking anybody', async (text, place) => {
    const asked: string[] = []
    await using rig = await openPosts({ fetch: redirects({}, asked) })
    expect(await rig.posts.locate(text, NEVER)).toEqual(place)
    expect(asked).toEqual([])
  })
})

describe('a short link', () => {
  const VM = 'https://vm.tiktok.com/abc/'
  const VIDEO = 'https://www.tiktok.com/@u/video/7647557116596718861'

  test('is followed until it is a post, once, as those who draw previews', async () => {
    const asked: string[] = []
    const hops = {
      [VM]: { status: 301, location: 'https://www.tiktok.com/t/abc/' },
      'https://www.tiktok.com/t/abc/': { status: 302, location: `${VIDEO}?_r=1` },
    }
    await using rig = await openPosts({ fetch: redirects(hops, asked) })
    expect(await rig.posts.locate(VM, NEVER)).toEqual({ platform: 'tiktok', url: VIDEO })
    expect(await rig.posts.locate(VM, NEVER)).toEqual({ platform: 'tiktok', url: VIDEO })
    expect(asked).toEqual([
      `HEAD ${VM} facebookexternalhit/1.1`,
      'HEAD https://www.tiktok.com/t/abc/ facebookexternalhit/1.1',
    ])
  })

  test('is asked for as a page where that is what its server answers', async () => {
    const url = 'http://t.cn/A6aerGsM'
    const asked: string[] = []
    const target = { status: 302, location: 'https://weibo.com/1/4910815147462302' }
    const fetch = redirects({ [url]: 'get-only' }, asked)
    await using rig = await openPosts({
      fetch: async (address, options) => {
        const answer = await fetch(address, options)
        if (answer.status === 302) answer.headers.set('location', target.location)
        return answer
      },
    })
    expect(await rig.posts.locate(url, NEVER)).toEqual({ platform: 'weibo', url: target.location })
    expect(asked.map((line) => line.split(' ')[0])).toEqual(['HEAD', 'GET'])
    expect(asked.join()).not.toContain('facebookexternalhit')
  })

  test.each([
    ['a profile', 'https://weibo.com/u/1', 'weibo'],
    ['another service', 'https://www.youtube.com/watch?v=dQw4w9WgXcQ', 'weibo'],
    ['anywhere', 'https://elsewhere.example/', 'weibo'],
    ['this machine', 'http://127.0.0.1:22/', 'weibo'],
    ['nonsense', 'https://', 'weibo'],
  ])('that leads to %s is no post, and that is not fetched', async (_where, location, platform) => {
    const asked: string[] = []
    const url = 'http://t.cn/A6aerGsM'
    await using rig = await openPosts({ fetch: redirects({ [url]: { status: 302, location } }, asked) })
    expect(await rig.posts.locate(url, NEVER)).toEqual({ reason: 'not_a_post', platform })
    expect(asked.filter((line) => !line.includes('weibo.com/u') && !line.includes(url))).toEqual([])
  })

  test('that leads on and on, or in a circle, is no post', async () => {
    const asked: string[] = []
    const chain = Object.fromEntries(
      Array.from({ length: 9 }, (_, n) => [
        `https://vm.tiktok.com/a${n}`,
        { status: 302, location: `https://vm.tiktok.com/a${n + 1}` },
      ]),
    )
    const circle = { [VM]: { status: 302, location: VM } }
    await using rig = await openPosts({ fetch: redirects({ ...chain, ...circle }, asked) })
    expect(await rig.posts.locate('https://vm.tiktok.com/a0', NEVER)).toEqual({
      reason: 'not_a_post',
      platform: 'tiktok',
    })
    expect(asked).toHaveLength(5)
    expect(await rig.posts.locate(VM, NEVER)).toEqual({ reason: 'not_a_post', platform: 'tiktok' })
    expect(asked).toHaveLength(10)
  })

  test('whose server does not answer fails as a task would', async () => {
    await using rig = await openPosts({ fetch: () => Promise.reject(new TaskError('dns', 'no such host')) })
    expect(await rig.posts.locate(VM, NEVER).catch(codeOf)).toBe('dns')
  })
})
