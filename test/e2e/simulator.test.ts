import fs from 'node:fs/promises'
import path from 'node:path'
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { decodesCleanly, probe, type Probed } from '../support/media.ts'
import { waitFor } from '../support/wait-for.ts'
import { startSim, type Sim } from '../sim/index.ts'

const WATCH = 'https://www.youtube.com/watch?v='

/** The real extractors of yt-dlp on a loopback internet, reached as an operator reaches a proxy. */
describe('sites behind a proxy with an authority of its own', () => {
  let sim: Sim
  let daemon: TestDaemon

  beforeAll(async () => {
    sim = await startSim()
    daemon = await startTestDaemon({ PROXY_URL: sim.url, CA_FILE: sim.caFile, INFO_CACHE_SECONDS: '0' })
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

  const made = async (
    kind: string,
    body: Readonly<Record<string, unknown>>,
  ): Promise<Probed & { name: string; whole: boolean }> => {
    const status = await daemon.client().complete(kind, body, 110_000)
    const file = await daemon.client().download(status['file'])
    const result = { ...(await probe(file)), name: path.basename(file), whole: await decodesCleanly(file) }
    await fs.rm(path.dirname(file), { recursive: true })
    return result
  }
  const codecs = (probed: Probed) => probed.streams.map((stream) => `${stream.type} ${stream.codec}`)

  test('get_info lists 29 formats, and qualities in ascending order', async () => {
    const status = await daemon.client().complete('get_info', { url: `${WATCH}dQw4w9WgXcQ` })
    const { body: info } = await daemon.client().get(String(status['file']))
    expect(info['formats']).toHaveLength(29)
    expect(info['title']).toBe('Sim: Never Going To Give You Up (4K)')
    const text = JSON.stringify(info)
    expect(text).not.toContain('http_headers')
    expect(text).not.toContain('cookies')
    expect(text).not.toContain(daemon.dir)
    const raw = await daemon.client().rawGet(`${String(status['file'])}?qualities&title`)
    const ids = (kind: string) =>
      [...(new RegExp(`"${kind}":\\{(.*?)\\}\\}`).exec(raw.text)?.[1] ?? '').matchAll(/"(\d+)":\{/g)].map(
        (match) => match[1],
      )
    expect(ids('audio')).toEqual(['139', '249', '250', '140', '251'])
    expect(ids('video').slice(0, 3)).toEqual(expect.arrayContaining(['160', '278', '394']))
    expect(['315', '401']).toContain(ids('video').at(-1))
  })

  test('picture up to 1080 lines and sound are merged', async () => {
    const video = await made('get_video', {
      url: `${WATCH}dQw4w9WgXcQ`,
      video_format: 'bestvideo[height<=1080]',
      audio_format: 'bestaudio',
    })
    expect(video.name).toBe('video.mp4')
    expect(video.streams.find((stream) => stream.type === 'video')).toMatchObject({ width: 1920, height: 1080 })
    expect(video.duration).toBeGreaterThan(64)
    expect(video.streams).toHaveLength(2)
    expect(video.whole).toBe(true)
  }, 120_000)

  test('a clip from 30 to 60 is 30 seconds long', async () => {
    const video = await made('get_video', {
      url: `${WATCH}dQw4w9WgXcQ`,
      video_format: 'bestvideo[height<=240]',
      start_time: 30,
      end_time: '01:00',
      force_keyframes: true,
    })
    expect(video.duration).toBeGreaterThan(29)
    expect(video.duration).toBeLessThan(31)
    expect(video.whole).toBe(true)
  }, 120_000)

  test('sound comes as mp3', async () => {
    const audio = await made('get_audio', { url: `${WATCH}simPlain001`, output_format: 'mp3' })
    expect(audio.name).toBe('audio.mp3')
    expect(codecs(audio)).toEqual(['audio mp3'])
    expect(audio.duration).toBeCloseTo(30, 0)
  })

  test.each([
    ['simPrivate1', 'private'],
    ['simRemoved1', 'not_found'],
    ['simTermin01', 'not_found'],
    ['simAgeGate1', 'age_restricted'],
    ['simGeoBlk01', 'geo_blocked'],
    ['simMembers1', 'payment_required'],
  ])('%s ends as %s', async (id, code) => {
    const client = daemon.client()
    const status = await client.finish(await client.submit('get_video', { url: `${WATCH}${id}` }))
    expect(status).toMatchObject({ status: 'error', error_code: code })
    expect(String(status['error'])).not.toMatch(/--|yt-dlp -|github\.com/)
  })

  test('too many requests make the task wait and leave the host in peace', async () => {
    await using patient = await startTestDaemon({ PROXY_URL: sim.url, CA_FILE: sim.caFile })
    const client = patient.client()
    sim.faults.push({ match: 'youtubei/v1/player', status: 429 })
    const first = await client.submit('get_info', { url: `${WATCH}simPlain001` })
    const status = await waitFor('the first to be put off', async () => {
      const body = await client.status(first)
      return body['status'] === 'waiting' && body['error_code'] ? body : null
    })
    expect(status).toMatchObject({ status: 'waiting', error_code: 'rate_limited', wait_reason: 'rate_limited' })
    expect(Date.parse(String(status['next_attempt_at']))).toBeGreaterThan(Date.now() + 60_000)
    expect((await client.get('/health')).body['queue']).toMatchObject({ cooling_hosts: ['youtube.com'] })
  })
})
