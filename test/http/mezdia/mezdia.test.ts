import fs from 'node:fs'
import path from 'node:path'
import { ANONYMOUS_ID } from '../../../src/keys/anonymous-key.ts'
import { TaskError, type TaskErrorCode } from '../../../src/domain/errors.ts'
import type { GalleryRows } from '../../../src/domain/gallery-rows.ts'
import { readGalleryRows } from '../../../src/domain/gallery-rows.ts'
import type { FileKind } from '../../../src/domain/task.ts'
import { mezdiaEndpoints } from '../../../src/http/mezdia/index.ts'
import { startCore, type Answer, type CoreServer } from '../../support/core-server.ts'
import { CAROUSEL, PHOTO, PLAYLIST, REEL, VIDEO } from './documents.ts'

const MOUNT = '/compat/mezdia'
const WATCH = 'https://www.youtube.com/watch?v=dQw4w9WgXcQ'
const LIST = 'https://www.youtube.com/playlist?list=PL1'
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/
const NOWHERE = '550e8400-e29b-41d4-a716-446655440000'

let core: CoreServer
let pages: Record<string, object | TaskErrorCode> = {}
let rows: GalleryRows | TaskErrorCode = 'login_required'

beforeAll(async () => {
  core = await startCore(
    {},
    {
      infoCacheMs: 0,
      extract: (url) => {
        const page = pages[url] ?? 'unsupported_url'
        if (typeof page === 'string') return Promise.reject(new TaskError(page, 'as the test wants it'))
        return Promise.resolve(JSON.stringify(page))
      },
      rows: () =>
        typeof rows === 'string' ? Promise.reject(new TaskError(rows, 'no cookies')) : Promise.resolve(rows),
    },
  )
  await core.keys.ensureAnonymous()
})
afterAll(() => core[Symbol.asyncDispose]())
beforeEach(() => {
  pages = { [WATCH]: VIDEO, [LIST]: PLAYLIST }
  rows = 'login_required'
})

const call = (method: string, at: string, more: object = {}) => core.call(method, MOUNT + at, { key: null, ...more })
const get = (at: string, query: Readonly<Record<string, string>> = {}) =>
  call('GET', `${at}?${new URLSearchParams(query).toString()}`)
const post = (at: string, body: unknown = {}) => call('POST', at, { body })
const said = ({ status, body }: Answer) => [status, body['detail']]

/** Does the work of the next task: publishes files, or fails. */
async function work(made: readonly Readonly<{ name: string; kind: FileKind }>[], title = 'A title'): Promise<void> {
  const { tasks, files } = core.rig.ground
  const task = await tasks.claim({ keyId: ANONYMOUS_ID, now: Date.now(), blockedHosts: [] })
  if (!task) throw new Error('no task to be claimed')
  const dir = await files.openWork(task.id, task.attempt)
  const published = []
  for (const { name, kind } of made) {
    const file = path.join(dir, 'part')
    fs.writeFileSync(file, `content of ${name}`)
    const { size } = await files.publish(task.id, file, name)
    published.push({ name, size, kind, duration: null, width: null, height: null, note: null })
  }
  const [first, ...others] = published
  const outcome = first
    ? ({ kind: 'completed', files: [first, ...others], title } as const)
    : ({ kind: 'error', code: 'private', message: 'Private video' } as const)
  await tasks.settle(task.id, task.attempt, outcome, Date.now())
}
const MP4 = [{ name: 'video.mp4', kind: 'video' }] as const

describe('what is at an address', () => {
  test('health has the time in six digits', async () => {
    const { body, headers } = await get('/health')
    expect(body).toEqual({ status: 'healthy', timestamp: expect.stringMatching(TIME) })
    expect(headers.get('access-control-allow-origin')).toBe('*')
  })

  test('a video is shown with the keys of the seed, its description cut', async () => {
    const { status, body } = await get('/info', { url: WATCH })
    expect(status).toBe(200)
    const {
      formats: _f,
      subtitles: _s,
      automatic_captions: _a,
      extractor_key: _e,
      channel_follower_count: count,
      ...told
    } = VIDEO
    const thumbnails = VIDEO.thumbnails.slice(-3).map(({ url, width, height }) => ({ url, width, height }))
    expect(body).toEqual({
      type: 'video',
      ...told,
      description: 'd'.repeat(500),
      channel_subscriber_count: count,
      thumbnails,
    })
  })

  test('a playlist is shown with all of each video that can be read, and what the list tells of the others', async () => {
    pages[PLAYLIST.entries[0]?.url ?? ''] = { ...VIDEO, id: 'simPlain001' }
    pages[PLAYLIST.entries[1]?.url ?? ''] = 'private'
    const { body } = await get('/info', { url: LIST })
    expect(body).toMatchObject({
      type: 'playlist',
      playlist_id: 'PL1',
      playlist_title: 'A playlist',
      playlist_count: 2,
    })
    const [first, second] = body['videos'] as Record<string, unknown>[]
    expect(first).toMatchObject({ id: 'simPlain001', view_count: 1234567890 })
    expect(second).toMatchObject({ id: 'simPlain002', title: 'Video 2', view_count: null, is_live: false })
    expect(first).not.toHaveProperty('type')
  })

  test('formats stand by what is in them, without storyboards', async () => {
    const { body } = await get('/formats', { url: WATCH })
    const groups = body['formats'] as Record<string, { format_id: string }[]>
    expect(Object.entries(groups).map(([name, all]) => [name, all.map(({ format_id }) => format_id)])).toEqual([
      ['video_only', ['137']],
      ['audio_only', ['140']],
      ['combined', ['18', '22', '96']],
    ])
    expect(groups['video_only']?.[0]).toMatchObject({
      resolution: '1920x1080',
      fps: 30,
      acodec: 'none',
      filesize: 123456789,
      abr: null,
    })
    expect(body['recommended']).toEqual({
      best_video: 'bestvideo+bestaudio/best',
      best_audio: 'bestaudio/best',
      '720p': 'bestvideo[height<=720]+bestaudio',
      '1080p': 'bestvideo[height<=1080]+bestaudio',
    })
  })

  test('the videos of a playlist are counted from 0; a video in it may be named too', async () => {
    const { body } = await get('/download/playlist/info', { url: `${WATCH}&list=PL1` })
    expect(body).toMatchObject({ playlist_id: 'PL1', playlist_count: 2, uploader: 'A channel' })
    expect((body['videos'] as object[])[1]).toEqual({
      index: 1,
      id: 'simPlain002',
      title: 'Video 2',
      duration: 180,
      url: 'https://www.youtube.com/watch?v=simPlain002',
      thumbnail: 'https://i.ytimg.com/vi/2/default.jpg',
    })
    expect(said(await get('/download/playlist/info', { url: WATCH }))).toEqual([400, 'URL is not a valid playlist'])
  })

  test('subtitles of all languages and of one', async () => {
    const all = await get('/subtitles', { url: WATCH })
    expect(all.body).toEqual({
      video_id: 'dQw4w9WgXcQ',
      title: 'A title',
      manual_subtitles: ['en'],
      auto_generated_subtitles: ['en', 'fa'],
      subtitle_details: { en: [{ ext: 'vtt', url: 'https://r1/en.vtt' }] },
      auto_subtitle_details: VIDEO.automatic_captions,
    })
    const one = await get('/subtitles', { url: WATCH, lang: 'fa' })
    expect(one.body).toEqual({
      video_id: 'dQw4w9WgXcQ',
      title: 'A title',
      language: 'fa',
      is_auto_generated: true,
      formats: [{ ext: 'vtt', url: 'https://r1/fa.vtt' }],
    })
    expect(said(await get('/subtitles', { url: WATCH, lang: 'xx' }))).toEqual([
      404,
      "Subtitles for language 'xx' not found",
    ])
    expect(said(await get('/subtitles', { url: WATCH, lang: '__proto__' }))[0]).toBe(404)
    expect(said(await post('/subtitles', { url: WATCH, lang: 'fa' }))).toEqual([
      404,
      "No subtitles found for language 'fa'",
    ])
  })

  test('a thumbnail is YouTube’s own, elsewhere the one of the nearest size', async () => {
    const { body } = await get('/thumbnail', { url: WATCH, quality: 'hq' })
    expect(body).toMatchObject({
      video_id: 'dQw4w9WgXcQ',
      quality: 'hq',
      thumbnail_url: 'https://img.youtube.com/vi/dQw4w9WgXcQ/hqdefault.jpg',
    })
    expect(body['all_thumbnails']).toHaveLength(5)
    pages['https://vimeo.com/1'] = { ...VIDEO, extractor_key: 'Vimeo' }
    expect((await get('/thumbnail', { url: 'https://vimeo.com/1', quality: 'mq' })).body['thumbnail_url']).toBe(
      'https://i.ytimg.com/3.jpg',
    )
    pages['https://vimeo.com/1'] = { id: '1', title: 'bare' }
    expect(said(await get('/thumbnail', { url: 'https://vimeo.com/1' }))).toEqual([404, 'Thumbnail not found'])
    expect(said(await get('/thumbnail', { url: WATCH, quality: 'huge' }))[0]).toBe(400)
  })

  test('a player is led to a file with picture and sound', async () => {
    const to = async (quality?: string) => {
      const { status, headers } = await get('/stream/video', {
        url: WATCH,
        ...(quality === undefined ? {} : { quality }),
      })
      expect([status, headers.get('cache-control')]).toEqual([307, 'no-cache, no-store, must-revalidate'])
      return headers.get('location')
    }
    expect(await to()).toBe('https://r1/22')
    expect(await to('worst')).toBe('https://r1/18')
    expect(await to('1080p')).toBe('https://r1/22')
    pages[WATCH] = { ...VIDEO, formats: VIDEO.formats.filter(({ format_id: id }) => id === '137') }
    expect(said(await get('/stream/video', { url: WATCH }))).toEqual([400, 'No video URL found for streaming'])
    expect(said(await get('/stream/video', { url: WATCH, quality: 'audio_only' }))[0]).toBe(400)
    pages[WATCH] = { ...VIDEO, is_live: true }
    expect(said(await get('/stream/video', { url: WATCH }))).toEqual([
      400,
      'Live streams cannot be downloaded while they are active.',
    ])
  })

  test.each<[TaskErrorCode, number, string]>([
    ['private', 403, 'This video is private and cannot be accessed.'],
    ['age_restricted', 403, 'This video is age-restricted. Login may be required.'],
    ['geo_blocked', 404, 'This video is not available in your region or has been removed.'],
    ['not_found', 404, 'This video is not available in your region or has been removed.'],
    ['live_not_started', 400, 'Live streams cannot be downloaded while they are active.'],
    ['no_media', 400, 'Could not extract video information. The video may be private, age-restricted, or unavailable.'],
    ['unsupported_url', 400, 'Error extracting video info: as the test wants it'],
    ['network', 400, 'Error extracting video info: as the test wants it'],
    ['unknown', 500, 'Internal server error'],
  ])('a page that fails with %s is answered %i', async (code, status, detail) => {
    pages[WATCH] = code
    for (const at of ['/info', '/formats', '/subtitles', '/thumbnail', '/stream/video', '/download/playlist/info'])
      expect(said(await get(at, { url: WATCH }))).toEqual([status, detail])
  })
})

describe('jobs', () => {
  test('a download is accepted in the words of the seed, and followed to its file', async () => {
    const started = await post('/download/single', { url: WATCH, quality: '720p', format_id: null, unknown: 1 })
    const id = String(started.body['job_id'])
    expect(started.body).toEqual({
      job_id: id,
      status: 'pending',
      message: 'Download started. Use /status/{job_id} to check progress.',
      status_url: `${MOUNT}/status/${id}`,
    })
    const status = async () => (await get(`/status/${id}`)).body
    expect(await status()).toEqual({
      job_id: id,
      status: 'pending',
      progress: 0,
      files: [],
      error: null,
      title: null,
      created_at: expect.stringMatching(TIME),
    })
    await work(MP4, 'A #1: 100% title')
    const done = await status()
    const [file] = done['files'] as Record<string, string>[]
    expect(done).toMatchObject({ status: 'completed', progress: 100, title: 'A #1: 100% title', error: null })
    expect(file).toEqual({
      filename: expect.stringMatching(/^[\da-f]{8}_A _1_ 100_ title\.mp4$/),
      path: `tmp/downloads/${file?.['filename']}`,
      size: 20,
      download_url: `${MOUNT}/download/file/${file?.['filename']}`,
    })
    const at = encodeURI(file?.['download_url'] ?? '').slice(MOUNT.length)
    const got = await call('GET', at)
    expect([got.status, got.text, got.headers.get('content-type')]).toEqual([
      200,
      'content of video.mp4',
      'application/octet-stream',
    ])
    expect((await call('GET', at, { headers: { Range: 'bytes=0-6' } })).text).toBe('content')
    expect(said(await post(`/jobs/${id}/cancel`))).toEqual([
      400,
      "Cannot cancel job with status 'completed'. Only pending or processing jobs can be cancelled.",
    ])
    expect(said(await get(`/instagram/status/${id}`))).toEqual([400, 'This is not an Instagram job'])
  })

  test('a job that failed says why, one that was cancelled by whom', async () => {
    const failed = await post('/download/single', { url: WATCH })
    await work([])
    expect((await call('GET', `/status/${String(failed.body['job_id'])}`)).body).toMatchObject({
      status: 'failed',
      error: 'Private video',
      files: [],
    })
    const id = String((await post('/download/single', { url: WATCH })).body['job_id'])
    expect((await post(`/jobs/${id}/cancel`)).body).toEqual({
      job_id: id,
      status: 'cancelled',
      message: 'Download job has been cancelled',
      cancelled_at: expect.stringMatching(TIME),
    })
    expect((await get(`/status/${id}`)).body).toMatchObject({ status: 'cancelled', error: 'Job was cancelled by user' })
    expect(said(await post(`/jobs/${id}/cancel`))[0]).toBe(400)
  })

  test('a batch is one job: done as far as its videos are, completed with the files it got', async () => {
    const urls = [WATCH, `${WATCH}&t=1`]
    const started = await post('/download/batch', { urls, quality: '1080p' })
    const id = String(started.body['job_id'])
    expect(started.body).toMatchObject({
      total_urls: 2,
      message: 'Batch download started. Use /status/{job_id} to check progress.',
    })
    await work(MP4)
    expect((await get(`/status/${id}`)).body).toMatchObject({ status: 'processing', progress: 50, title: null })
    await work([])
    const { body } = await get(`/status/${id}`)
    expect(body).toMatchObject({ status: 'completed', progress: 100, error: null })
    expect(body['files']).toMatchObject([{ title: 'A title' }])
    const listed = await get('/jobs', { type: 'batch', status: 'completed' })
    expect(listed.body).toMatchObject({
      total: 1,
      jobs: [
        { job_id: id, type: 'batch', title: null, total_urls: 2, completed_count: 1, files_count: 1, error_count: 1 },
      ],
    })
    const both = await post('/download/batch', { urls: [WATCH], type: 'both' })
    const bothId = String(both.body['job_id'])
    expect((await post(`/jobs/${bothId}/cancel`)).body).toMatchObject({ status: 'cancelled' })
    expect((await get(`/status/${bothId}`)).body).toMatchObject({ status: 'cancelled' })
  })

  test('the list is paged and filtered, the newest first', async () => {
    const { body } = await get('/jobs', { limit: '2' })
    const { total, jobs, ...rest } = body as { total: number; jobs: { created_at: string }[] }
    expect(rest).toEqual({ skip: 0, limit: 2, has_more: true })
    expect(jobs.map(({ created_at: at }) => at)).toEqual(
      jobs
        .map(({ created_at: at }) => at)
        .toSorted()
        .toReversed(),
    )
    expect((await get('/jobs', { skip: String(total) })).body).toMatchObject({ total, jobs: [], has_more: false })
    expect(said(await get('/jobs', { status: 'done' }))[0]).toBe(400)
    expect(said(await get('/jobs', { type: 'post' }))[0]).toBe(400)
    expect(said(await get('/jobs', { limit: '101' }))).toEqual([
      422,
      'limit: Input should be less than or equal to 100',
    ])
    expect(said(await get('/jobs', { skip: '-1' }))[0]).toBe(422)
  })

  test('a playlist and a choice of its videos are jobs of that type', async () => {
    const all = await post('/download/playlist/all', { url: `${WATCH}&list=PL1`, type: 'audio', audio_format: 'mp3' })
    expect(all.body).toMatchObject({ message: 'Playlist download started. Use /status/{job_id} to check progress.' })
    const some = await post('/download/playlist/select', { url: LIST, video_indices: [0, 2, 2] })
    expect(some.body).toMatchObject({
      message: 'Selected videos download started. Use /status/{job_id} to check progress.',
    })
    expect((await get('/jobs', { type: 'playlist' })).body).toMatchObject({
      total: 2,
      jobs: [{ type: 'playlist', status: 'pending', total_urls: null }, {}],
    })
    const { key } = core.keys.require('anonymous')
    const { items } = await core.ctx.list.page({
      keyId: key.id,
      before: null,
      limit: 2,
      filter: { states: null, kinds: ['playlist'], batchId: null, text: null, createdAfter: null, createdBefore: null },
    })
    expect(
      items.map(({ request, retentionMs }) => [
        request.url,
        request.playlist?.kind,
        request.playlist?.items,
        request.outputFormat,
        retentionMs,
      ]),
    ).toEqual([
      [
        LIST,
        'video',
        [
          { from: 1, to: 1 },
          { from: 3, to: 3 },
        ],
        null,
        1_800_000,
      ],
      [LIST, 'audio', null, 'mp3', 1_800_000],
    ])
    for (const { body } of [all, some]) expect((await post(`/jobs/${String(body['job_id'])}/cancel`)).status).toBe(200)
    for (const video_indices of [[], [-1]])
      expect(said(await post('/download/playlist/select', { url: LIST, video_indices }))[0]).toBe(400)
    expect(said(await post('/download/playlist/select', { url: LIST, video_indices: ['a'] }))[0]).toBe(422)
  })
})

describe('Instagram', () => {
  const CODE = 'CnU4zIh9x_F'
  const at = (place: string) => `https://www.instagram.com/${place}/${CODE}/`

  test('the description of the API is the seed’s, below the mount', async () => {
    const { body } = await get('/instagram/info')
    expect(body).toMatchObject({
      api: { name: 'Instagram Downloader & Info API', version: '2.0.0', base_url: `${MOUNT}/instagram` },
      limits: { max_batch_size: 20, file_retention_minutes: 30, rate_limit_requests_per_minute: 30 },
    })
    expect(body['endpoints']).toHaveLength(14)
  })

  test('a photo, a carousel and a reel are told apart', async () => {
    pages[at('p')] = PHOTO
    expect((await get('/instagram/post/info', { url: CODE })).body).toEqual({
      success: true,
      type: 'image',
      post_id: CODE,
      shortcode: CODE,
      caption: 'A caption\nof two lines',
      owner: { username: 'simgram', user_id: '25025320' },
      timestamp: 1640000000,
      upload_date: '20211220',
      view_count: null,
      like_count: 123456,
      comment_count: 5678,
      duration: null,
      thumbnail: 'https://cdn/1.jpg',
      webpage_url: at('p'),
      is_carousel: false,
      carousel_count: null,
      media_items: null,
    })
    pages[at('p')] = CAROUSEL
    expect((await get('/instagram/post/info', { url: `${at('p')}?igsh=x` })).body).toMatchObject({
      type: 'carousel',
      carousel_count: 2,
      media_items: [
        { index: 0, type: 'image', url: 'https://cdn/1.jpg', width: 1080, height: 1350, duration: null },
        { index: 1, type: 'video', url: 'https://cdn/2.mp4', width: 720, height: 1280, duration: 8 },
      ],
    })
    pages[at('reel')] = REEL
    expect((await get('/instagram/reel/info', { url: CODE })).body).toMatchObject({
      type: 'reel',
      reel_id: CODE,
      video_url: 'https://cdn/reel.mp4',
      width: 1080,
      height: 1920,
      fps: 30,
      duration: 22.5,
      webpage_url: at('reel'),
      formats: [{ format_id: '122' }, { format_id: '123', ext: 'mp4', resolution: '1080x1920', filesize: 12345678 }],
    })
  })

  test('engagement is likes and comments', async () => {
    pages[at('p')] = PHOTO
    pages[at('reel')] = REEL
    expect((await get('/instagram/post/stats', { url: CODE })).body).toEqual({
      success: true,
      type: 'post_statistics',
      post_id: CODE,
      shortcode: CODE,
      owner_username: 'simgram',
      statistics: { likes_count: 123456, comments_count: 5678, view_count: null, total_engagement: 129134 },
    })
    expect((await get('/instagram/reel/stats', { url: CODE })).body).toMatchObject({
      type: 'reel_statistics',
      duration_seconds: 22.5,
      statistics: { view_count: 1234567, total_engagement: 129134 },
    })
  })

  test('stories and profiles need cookies; with them they are shown', async () => {
    for (const where of ['story/info', 'profile/info', 'profile/posts'])
      expect(said(await get(`/instagram/${where}`, { username: '@instagram' }))).toEqual([
        403,
        'This content requires authentication.',
      ])
    const file = {
      owner_id: '25025320',
      media_id: '179',
      date: '2021-12-20 11:33:20',
      width: '1080',
      height: '1920',
      display_url: 'https://cdn/s.jpg',
      post_shortcode: CODE,
      post_url: at('p'),
      description: 'First line\nsecond',
    }
    const read = (...all: unknown[]) => readGalleryRows(all) ?? 'unknown'
    rows = read(
      [2, file],
      [3, 'https://cdn/s.jpg', file],
      [3, 'https://cdn/v.mp4', { ...file, video_url: 'https://cdn/v.mp4' }],
    )
    expect((await get('/instagram/story/info', { username: 'instagram' })).body).toMatchObject({
      type: 'stories',
      user_id: '25025320',
      has_active_stories: true,
      active_stories_count: 2,
      stories: [
        {
          story_id: '179_25025320',
          story_index: 1,
          media_type: 'image',
          url: 'https://cdn/s.jpg',
          timestamp: 1640000000 - 0,
          width: 1080,
        },
        { story_index: 2, media_type: 'video', url: 'https://cdn/v.mp4' },
      ],
    })
    rows = read([2, { pk: '25025320', media_count: '1234' }], [3, 'https://cdn/s.jpg', file])
    expect((await get('/instagram/profile/info', { username: 'instagram' })).body).toMatchObject({
      user_id: '25025320',
      total_posts: 1234,
      recent_posts: [{ id: CODE, title: 'First line', url: at('p'), thumbnail: 'https://cdn/s.jpg', duration: null }],
      recent_posts_count: 1,
    })
    expect((await get('/instagram/profile/posts', { username: 'instagram', limit: '5' })).body).toMatchObject({
      limit: 5,
      returned_count: 1,
      posts: [{ index: 0, post_id: CODE, is_video: false }],
    })
    rows = { heads: [], files: [] }
    expect((await get('/instagram/story/info', { username: 'instagram' })).body).toMatchObject({
      has_active_stories: false,
      stories: [],
      message: 'No active stories found or account may be private.',
    })
    expect(said(await get('/instagram/profile/posts', { username: 'instagram', limit: '51' }))[0]).toBe(422)
    expect(said(await get('/instagram/story/info', { username: 'no/body' }))).toEqual([
      400,
      'Invalid Instagram username',
    ])
  })

  test('a carousel becomes a zip whose size is known before it is made', async () => {
    const started = await post('/instagram/download/carousel', { url: CODE })
    expect(started.body).toMatchObject({
      message: 'Carousel download started as ZIP. Use /instagram/status/{job_id} to check progress.',
    })
    await work([
      { name: 'item_01.jpg', kind: 'image' },
      { name: 'item_02.mp4', kind: 'video' },
      { name: 'metadata.json', kind: 'info' },
    ])
    const { body } = await call('GET', String(started.body['status_url']).slice(MOUNT.length))
    const [file] = body['files'] as Record<string, unknown>[]
    expect(body).toMatchObject({ status: 'completed', type: 'instagram_carousel', error: null })
    expect(file).toMatchObject({
      filename: `${CODE}_carousel.zip`,
      media_type: 'zip',
      size_mb: 0,
      download_url: `${MOUNT}/instagram/download/file/${CODE}_carousel.zip`,
    })
    const zip = await get(`/instagram/download/file/${CODE}_carousel.zip`)
    expect(zip.headers.get('content-length')).toBe(String(file?.['size']))
    for (const name of ['item_01.jpg', 'item_02.mp4', 'metadata.json']) expect(zip.text).toContain(`content of ${name}`)
  })

  test('files of posts, reels and stories have their own names', async () => {
    const names = async (where: string, body: object, made: Parameters<typeof work>[0]) => {
      const started = await post(`/instagram/download/${where}`, body)
      expect(said(started)[1]).toBeUndefined()
      await work(made)
      const { body: job } = await call('GET', String(started.body['status_url']).slice(MOUNT.length))
      return (job['files'] as { filename: string }[]).map(({ filename }) => filename)
    }
    const photo = { name: 'item_01.jpg', kind: 'image' } as const
    expect(await names('post', { url: CODE }, [photo])).toEqual([`${CODE}_image.jpg`])
    expect(await names('reel', { url: CODE }, MP4)).toEqual([`${CODE}_video.mp4`])
    expect(
      await names('reel', { url: CODE, download_type: 'audio_only', audio_format: 'mp3' }, [
        { name: 'audio.mp3', kind: 'audio' },
      ]),
    ).toEqual([`${CODE}_audio.mp3`])
    expect(await names('story', { username: '@sim.gram' }, [photo])).toEqual(['sim.gram_story_01.jpg'])
    expect(await names('story', { username: 'sim.gram', format: 'zip' }, [photo])).toEqual(['sim.gram_stories.zip'])
    const shown = await get(`/instagram/download/file/${CODE}_image.jpg`)
    expect([shown.headers.get('content-type'), shown.text]).toEqual(['image/jpeg', 'content of item_01.jpg'])
    const batch = await names('batch', { items: [{ url: CODE, type: 'post' }], continue_on_error: false }, [photo])
    expect(batch).toEqual([`${CODE}_image.jpg`])
  })

  test.each<[TaskErrorCode, number, string]>([
    ['private', 403, 'This post is from a private account.'],
    ['login_required', 403, 'This content requires authentication.'],
    ['not_found', 404, 'Post not found or has been deleted.'],
  ])('a post that fails with %s is answered %i', async (code, status, detail) => {
    pages[at('p')] = code
    expect(said(await get('/instagram/post/info', { url: CODE }))).toEqual([status, detail])
    expect(said(await get('/instagram/post/stats', { url: CODE }))).toEqual([status, detail])
  })
})

describe('what is refused', () => {
  test.each([
    ['GET', '/info', undefined, 422, 'url: Field required'],
    ['GET', '/info?url=not-a-url', undefined, 400, 'Invalid URL: it has to begin with http:// or https://'],
    ['GET', '/info?url=file:///etc/passwd', undefined, 400, 'Invalid URL: it has to begin with http:// or https://'],
    ['GET', '/info?url=a&url=b', undefined, 422, 'url: Input should be a valid string'],
    ['GET', '/download/playlist/info', undefined, 422, 'url: Field required'],
    ['POST', '/download/single', {}, 422, 'url: Field required'],
    ['POST', '/download/single', { url: 5 }, 422, 'url: Input should be a valid string'],
    ['POST', '/download/single', [], 400, 'The body must be a JSON object'],
    [
      'POST',
      '/download/single',
      '{"url":',
      400,
      'The body is not a valid JSON object: names and texts stand in "double quotes"',
    ],
    [
      'POST',
      '/download/single',
      { url: 'https://a.example/', quality: '8k' },
      400,
      "Invalid quality '8k'. Use one of: best, worst, 720p, 1080p, 1440p, 4k, audio_only",
    ],
    [
      'POST',
      '/download/single',
      { url: 'https://a.example/', type: 'both' },
      400,
      "Invalid type 'both'. Use one of: video, audio",
    ],
    ['POST', '/download/playlist/select', { url: 'https://a.example/' }, 422, 'video_indices: Field required'],
    ['POST', '/download/batch', {}, 422, 'urls: Field required'],
    ['POST', '/download/batch', { urls: [] }, 400, 'At least one URL must be provided'],
    [
      'POST',
      '/download/batch',
      { urls: Array.from({ length: 11 }, () => 'https://a.example/') },
      400,
      'Maximum 10 URLs per batch download',
    ],
    ['POST', '/subtitles', { url: 'https://a.example/', auto: 'yes' }, 422, 'auto: Input should be a valid boolean'],
    ['GET', `/status/${NOWHERE}`, undefined, 404, 'Job not found'],
    ['GET', '/status/x', undefined, 404, 'Job not found'],
    ['POST', `/jobs/${NOWHERE}/cancel`, {}, 404, 'Job not found'],
    ['GET', `/instagram/status/${NOWHERE}`, undefined, 404, 'Job not found or has expired'],
    ['GET', '/download/file/abc12345_Video.mp4', undefined, 404, 'File not found or has been cleaned up'],
    ['GET', '/download/file/..%2f..%2fetc%2fpasswd', undefined, 404, 'File not found or has been cleaned up'],
    ['GET', '/instagram/download/file/x_image.jpg', undefined, 404, 'File not found or has been cleaned up'],
    [
      'GET',
      '/instagram/post/info?url=https://www.instagram.com/someone/',
      undefined,
      400,
      'Invalid Instagram URL or shortcode',
    ],
    [
      'GET',
      '/instagram/post/info?url=https://evil.example/p/CnU4zIh9x_F/',
      undefined,
      400,
      'Invalid Instagram URL or shortcode',
    ],
    ['POST', '/instagram/download/batch', { items: [] }, 400, 'At least one item must be provided'],
    [
      'POST',
      '/instagram/download/batch',
      { items: Array.from({ length: 21 }, () => ({ url: 'CnU4zIh9x_F', type: 'post' })) },
      400,
      'Maximum 20 items per batch download',
    ],
    [
      'POST',
      '/instagram/download/batch',
      { items: [{ url: 'CnU4zIh9x_F', type: 'igtv' }] },
      400,
      "Invalid type 'igtv'. Use one of: post, reel, story",
    ],
    ['GET', '/nothing', undefined, 404, 'Not Found'],
    ['DELETE', '/info', undefined, 405, 'Method Not Allowed'],
    ['POST', '/status/x', {}, 405, 'Method Not Allowed'],
  ])('%s %s %j', async (...[method, at, body, ...refused]) => {
    const answer = await call(method, at, body === undefined ? {} : { body })
    expect(said(answer)).toEqual(refused)
    expect(Object.keys(answer.body)).toEqual(['detail'])
  })

  test('a private address, and a body too large or of another type', async () => {
    expect(said(await post('/download/single', { url: 'http://10.0.0.1/x' }))[0]).toBe(400)
    expect(said(await get('/info', { url: 'http://169.254.169.254/latest' }))[0]).toBe(400)
    expect(said(await post('/download/single', { url: 'x'.repeat(2_000_000) }))[0]).toBe(413)
    expect(
      said(await call('POST', '/download/single', { body: 'url=x', headers: { 'Content-Type': 'text/plain' } }))[0],
    ).toBe(400)
  })

  test('more than 30 calls a minute that look at sites, whatever else is asked', async () => {
    await using few = await startCore({ mezdiaLimit: 2 })
    await few.keys.ensureAnonymous()
    const ask = (at: string) => few.call('GET', MOUNT + at, { key: null })
    for (let n = 0; n < 5; n++) expect((await ask('/health')).status).toBe(200)
    for (let n = 0; n < 5; n++) expect((await ask('/jobs')).status).toBe(200)
    await ask(`/info?url=${WATCH}`)
    await ask(`/info?url=${WATCH}`)
    const answer = await ask(`/info?url=${WATCH}`)
    expect(said(answer)).toEqual([429, 'Rate limit exceeded. Please try again later.'])
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
  })
})

describe('who may enter', () => {
  const paths = mezdiaEndpoints.map(
    ({ method, path: at }) => [method.toUpperCase(), at.replaceAll(/:\w+/g, NOWHERE)] as const,
  )

  test('there are all 30 endpoints of the seed', () => {
    expect(paths).toHaveLength(31) // `/subtitles` counts once, and has two methods
  })

  test('where others can reach the daemon, nobody enters without a key but whom the operator lets in', async () => {
    await using far = await startCore({ isLocalOnly: false })
    await far.keys.ensureAnonymous()
    for (const [method, at] of paths) {
      const options = { key: null, ...(method === 'POST' ? { body: {} } : {}) }
      expect(said(await far.call(method, MOUNT + at, options))).toEqual([401, 'No API key provided'])
    }
    expect((await far.call('GET', `${MOUNT}/health`, { headers: { 'X-API-Key': far.admin } })).status).toBe(200)
    await using open = await startCore({ isLocalOnly: false, anonymousAccess: ['mezdia'] })
    await open.keys.ensureAnonymous()
    expect((await open.call('GET', `${MOUNT}/health`, { key: null })).status).toBe(200)
  })

  test('another key sees none of the jobs and files', async () => {
    const { value } = await core.keys.create(core.keys.require('admin').key, 'other', ['get_video'])
    const started = await post('/download/single', { url: WATCH })
    await work(MP4)
    const id = String(started.body['job_id'])
    const [file] = (await get(`/status/${id}`)).body['files'] as { download_url: string }[]
    const other = (method: string, at: string) => core.call(method, at, { key: value })
    expect(said(await other('GET', `${MOUNT}/status/${id}`))).toEqual([404, 'Job not found'])
    expect(said(await other('POST', `${MOUNT}/jobs/${id}/cancel`))).toEqual([404, 'Job not found'])
    expect(said(await other('GET', encodeURI(file?.download_url ?? '')))[0]).toBe(404)
    expect((await other('GET', `${MOUNT}/jobs`)).body).toMatchObject({ total: 0, jobs: [] })
    expect(said(await other('GET', `${MOUNT}/info?url=${WATCH}`))).toEqual([403, 'Insufficient permissions'])
  })
})
