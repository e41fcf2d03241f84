import { startTestDaemon, type TestDaemon } from '../support/daemon.ts'
import type { Answer, Body, Client } from '../support/client.ts'
import { waitFor } from '../support/wait-for.ts'
import { addBulkPlaylist, startSim, type Sim } from '../sim/index.ts'

const MOUNT = '/compat/mezdia'
const WATCH = 'https://www.youtube.com/watch?v='
const ROCK = `${WATCH}dQw4w9WgXcQ`
const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

type File = Readonly<{ filename: string; size: number; download_url: string }> & Body
type Job = Readonly<{ status: string; files: readonly File[] }> & Body

describe('Mezdia over the real extractors', () => {
  let sim: Sim
  let daemon: TestDaemon
  let client: Client

  beforeAll(async () => {
    sim = await startSim()
    daemon = await startTestDaemon({
      PROXY_URL: sim.url,
      CA_FILE: sim.caFile,
      MEZDIA_LIMIT: '0',
      COMPAT_LISTEN: 'mezdia=127.0.0.1:0',
    })
    client = daemon.client(null)
  })

  afterAll(async () => {
    await daemon[Symbol.asyncDispose]()
    await sim[Symbol.asyncDispose]()
  })

  const get = (path: string, query: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    client.get(`${MOUNT}${path}?${new URLSearchParams(query).toString()}`)
  const post = (path: string, body: unknown): Promise<Answer> => client.post(MOUNT + path, body)
  const finished = async (started: Answer): Promise<Job> => {
    expect(started).toMatchObject({ status: 200, body: { status: 'pending', job_id: expect.stringMatching(UUID) } })
    const look = async () => {
      const { body } = await client.get(String(started.body['status_url']))
      return ['pending', 'processing'].includes(String(body['status'])) ? null : (body as Job)
    }
    return waitFor('the job to end', look, 100_000)
  }
  const fetched = async (file: File | undefined): Promise<Buffer> => {
    const answer = await fetch(daemon.url + encodeURI(file?.download_url ?? ''))
    expect([answer.status, answer.headers.get('content-length')]).toEqual([200, String(file?.size)])
    return Buffer.from(await answer.arrayBuffer())
  }

  test('the documentation’s samples run: info, formats, download, status, file', async () => {
    const info = await get('/info', { url: ROCK })
    expect(info).toMatchObject({ status: 200, body: { type: 'video', id: 'dQw4w9WgXcQ', webpage_url: ROCK } })
    const formats = await get('/formats', { url: ROCK })
    const groups = formats.body['formats'] as Record<string, { format_id: string }[]>
    expect(groups['audio_only']?.map(({ format_id: id }) => id)).toContain('140')
    expect(groups['combined']?.map(({ format_id: id }) => id)).toContain('18')
    const wish = { url: `${WATCH}simPlain001`, quality: '720p', type: 'video' }
    const job = await finished(await post('/download/single', wish))
    expect(job).toMatchObject({ status: 'completed', progress: 100, error: null, title: 'Sim: plain 720p' })
    expect(job.files).toMatchObject([{ filename: expect.stringMatching(/^[\da-f]{8}_Sim_ plain 720p\.mp4$/) }])
    expect((await fetched(job.files[0])).subarray(4, 8).toString()).toBe('ftyp')
    const sound = await finished(await post('/download/single', { url: `${WATCH}simShort001`, format_id: '140' }))
    expect(sound.files).toMatchObject([{ filename: expect.stringMatching(/\.m4a$/) }])
    const whole = await finished(await post('/download/single', { url: `${WATCH}simShort001`, format_id: '18' }))
    expect(whole.files).toMatchObject([{ filename: expect.stringMatching(/\.mp4$/) }])
  }, 120_000)

  test('a running stream fails as a job in the words of this API', async () => {
    const job = await finished(await post('/download/single', { url: `${WATCH}simLive0001` }))
    expect(job).toMatchObject({ status: 'failed', error: 'Live streams cannot be downloaded while they are active.' })
  }, 60_000)

  test('subtitles are told of and handed over as a file, a thumbnail is named, a player is led to a file', async () => {
    const all = await get('/subtitles', { url: ROCK, lang: 'all' })
    expect(all.body).toMatchObject({ video_id: 'dQw4w9WgXcQ', manual_subtitles: expect.arrayContaining(['en', 'de']) })
    const made = await post('/subtitles', { url: ROCK, lang: 'de' })
    expect(made).toMatchObject({
      status: 200,
      body: { language: 'de', filename: expect.stringMatching(/^[\da-f]{8}_Sim_ Never .*\.de\.vtt$/) },
    })
    const file = await fetch(daemon.url + encodeURI(String(made.body['download_url'])))
    expect(await file.text()).toMatch(/^WEBVTT/)
    expect(await post('/subtitles', { url: ROCK, lang: 'xx' })).toMatchObject({ status: 404 })
    expect((await get('/jobs')).body).not.toMatchObject({ jobs: [{ type: 'subtitles' }] })
    const thumbnail = await get('/thumbnail', { url: ROCK, quality: 'hq' })
    expect(thumbnail.body['thumbnail_url']).toBe('https://img.youtube.com/vi/dQw4w9WgXcQ/hqdefault.jpg')
    const stream = await fetch(`${daemon.url}${MOUNT}/stream/video?url=${ROCK}`, { redirect: 'manual' })
    expect([stream.status, stream.headers.get('location')]).toEqual([
      307,
      expect.stringMatching(/^https:\/\/.*googlevideo/),
    ])
  }, 120_000)

  test('a playlist is listed, read, and downloaded in part', async () => {
    const url = `https://www.youtube.com/playlist?list=${addBulkPlaylist(3)}`
    const listed = await get('/download/playlist/info', { url })
    expect(listed).toMatchObject({
      status: 200,
      body: { playlist_count: 3, videos: [{ index: 0 }, { index: 1 }, { index: 2 }] },
    })
    const info = await get('/info', { url })
    expect(info.body).toMatchObject({ type: 'playlist', videos: [{ view_count: expect.any(Number) }, {}, {}] })
    const job = await finished(
      await post('/download/playlist/select', { url, video_indices: [0, 2], quality: 'worst' }),
    )
    expect(job).toMatchObject({ status: 'completed', title: 'Sim: 3 videos' })
    expect(job.files.map((file) => file['video_index'])).toEqual([0, 2])
    expect((await get('/jobs', { type: 'playlist' })).body).toMatchObject({
      jobs: [{ files_count: 2, status: 'completed' }],
    })
  }, 120_000)

  test('a batch brings what can be had', async () => {
    const urls = [`${WATCH}simShort001`, `${WATCH}simPrivate1`]
    const started = await post('/download/batch', { urls, quality: 'audio_only', audio_format: 'mp3' })
    expect(started.body['total_urls']).toBe(2)
    const job = await finished(started)
    expect(job).toMatchObject({ status: 'completed', files: [{ filename: expect.stringMatching(/\.mp3$/) }] })
    expect((await get('/jobs', { type: 'batch' })).body).toMatchObject({
      jobs: [{ error_count: 1, completed_count: 1 }],
    })
    expect(await get('/info', { url: `${WATCH}simPrivate1` })).toMatchObject({
      status: 403,
      body: { detail: 'This video is private and cannot be accessed.' },
    })
  }, 120_000)

  test('posts of Instagram: a photo, a reel, its sound, a carousel as a zip, one that only an account sees', async () => {
    expect((await get('/instagram/post/info', { url: 'https://www.instagram.com/p/CsimCarous1/' })).body).toMatchObject(
      {
        type: 'carousel',
        carousel_count: 4,
        owner: { username: 'simgram', user_id: '25025320' },
        media_items: [{ type: 'image', width: 1080 }, {}, {}, { type: 'video', duration: 8 }],
      },
    )
    const [carousel, photo, reel, sound] = await Promise.all([
      finished(await post('/instagram/download/carousel', { url: 'CsimCarous1' })),
      finished(await post('/instagram/download/post', { url: 'CsimPhoto01' })),
      finished(await post('/instagram/download/reel', { url: 'CsimReel001', quality: '480p' })),
      finished(await post('/instagram/download/reel', { url: 'CsimReel001', download_type: 'audio_only' })),
    ])
    expect(carousel.files).toMatchObject([{ filename: 'CsimCarous1_carousel.zip', media_type: 'zip' }])
    const zip = (await fetched(carousel.files[0])).toString('latin1')
    for (const name of ['item_01.jpg', 'item_04.mp4', 'metadata.json', '"carousel_count": 4'])
      expect(zip).toContain(name)
    expect(photo.files).toMatchObject([{ filename: 'CsimPhoto01_image.jpg', media_type: 'image' }])
    expect((await fetched(photo.files[0])).subarray(0, 2).toString('hex')).toBe('ffd8')
    expect(reel.files).toMatchObject([{ filename: 'CsimReel001_video.mp4', media_type: 'video' }])
    expect(sound.files).toMatchObject([{ media_type: 'audio' }])
    expect(await get('/instagram/post/info', { url: 'CsimLogin01' })).toMatchObject({ status: 403 })
    const locked = await finished(await post('/instagram/download/post', { url: 'CsimLogin01' }))
    expect(locked).toMatchObject({ status: 'failed', files: [], error: expect.any(String) })
    const stories = await finished(await post('/instagram/download/story', { username: 'simgram' }))
    expect(stories).toMatchObject({ status: 'failed', type: 'instagram_story' })
  }, 120_000)

  test('at an address of its own the links are the seed’s to the byte', async () => {
    const line = daemon.lines.find((text) => text.includes('"dialect":"mezdia"')) ?? '{}'
    const { url } = JSON.parse(line) as { url: string }
    const about = await (await fetch(`${url}/instagram/info`)).text()
    expect(about).toContain('{"method":"GET","path":"/instagram/post/info","description":"Get post information"}')
    const started = await fetch(`${url}/download/single`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ url: `${WATCH}simShort001`, type: 'audio' }),
    })
    const body = await started.text()
    const id = String((JSON.parse(body) as Body)['job_id'])
    expect(body).toBe(
      `{"job_id":"${id}","status":"pending","message":"Download started. Use /status/{job_id} to check progress.",` +
        `"status_url":"/status/${id}"}`,
    )
    expect(await (await fetch(`${url}/get_video`, { method: 'POST' })).json()).toEqual({ detail: 'Not Found' })
    expect(await (await fetch(`${url}/`)).text()).toContain('swagger-ui')
    expect((await fetch(`${url}/metrics`)).status).toBe(404)
  })
})
