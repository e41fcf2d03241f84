import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { decodesCleanly, probe } from '../support/media.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/wait-for.ts'
import { describeUrl, runYtDlp } from '../support/tools.ts'
import { addBulkPlaylist, createVideo, type Sim, startSim, videos } from './index.ts'

const run = promisify(execFile)
const watch = (id: string) => `https://www.youtube.com/watch?v=${id}`
const MEDIA_URL = 'https://rr4---sn-4g5ednsl.googlevideo.com/videoplayback?id=simPlain001&itag=18'

describe('the loopback internet', () => {
  let sim: Sim
  beforeAll(async () => {
    sim = await startSim()
  })
  afterEach(() => sim.reset())
  afterAll(() => sim[Symbol.asyncDispose]())

  test('a YouTube video has all its formats, chapters and captions', async () => {
    const info = await describeUrl(watch('dQw4w9WgXcQ'), { sim })
    expect(info.formats).toHaveLength(29)
    expect(info.title).toBe('Sim: Never Going To Give You Up (4K)')
    expect(info.chapters).toHaveLength(3)
    expect(Object.keys(info.subtitles ?? {})).toEqual(['en', 'de'])
    expect(Object.keys(info.automatic_captions ?? {})).toContain('en-orig')
    expect(sim.problems()).toEqual([])
  })

  test('the best tracks up to 1080p download and merge', async () => {
    await using dir = tempDir()
    const args = ['-f', 'bestvideo[height<=1080]+bestaudio', '-o', 'out.%(ext)s', watch('dQw4w9WgXcQ')]
    const { exitCode, stdout } = await runYtDlp(args, { sim, cwd: dir.path })
    expect(exitCode).toBe(0)
    expect(stdout).toContain('399+251')
    const { duration, streams } = await probe(path.join(dir.path, 'out.webm'))
    expect(duration).toBeCloseTo(65, 0)
    expect(streams.map(({ codec, height }) => [codec, height])).toEqual([
      ['av1', 1080],
      ['opus', null],
    ])
    expect(sim.problems()).toEqual([])
  })

  test('a playlist lists its private and deleted entries too', async () => {
    const url = 'https://www.youtube.com/playlist?list=PLsimsimsimsimsimsimsimsimsimsim0001'
    const { title, entries } = await describeUrl(url, { sim })
    expect(title).toBe('Sim: mixed playlist')
    expect(entries).toHaveLength(6)
    expect(entries?.map((entry) => entry.title)).toEqual(expect.arrayContaining(['[Private video]', '[Deleted video]']))
    expect(sim.problems()).toEqual([])
  })

  test('a playlist of thousands comes page by page', async () => {
    const url = `https://www.youtube.com/playlist?list=${addBulkPlaylist(5000)}`
    const { stdout } = await runYtDlp(['--flat-playlist', '--print', 'id', '-I', '1:1200', url], { sim })
    expect(stdout.trim().split('\n')).toHaveLength(1200)
    expect(sim.problems()).toEqual([])
  })

  test('a test can add a video of its own', async () => {
    videos.set('simAdded001', createVideo({ id: 'simAdded001', title: 'Added by a test', duration: 5, maxHeight: 144 }))
    expect(await describeUrl(watch('simAdded001'), { sim })).toMatchObject({ title: 'Added by a test', duration: 5 })
    videos.delete('simAdded001')
  })

  test.each([
    ['simPrivate1', 'Private video'],
    ['simRemoved1', 'removed by the uploader'],
    ['simAgeGate1', 'confirm your age'],
    ['simBotChk01', 'not a bot'],
    ['simGeoBlk01', 'not made this video available in your country'],
    ['simMembers1', 'members-only content'],
    ['simRateLim1', 'try again later'],
    ['simUpcom001', 'Premieres in 2 hours'],
    ['simNothing1', 'This video is unavailable'],
  ])('%s is refused with "%s"', async (id, reason) => {
    const { exitCode, stderr } = await runYtDlp(['-J', watch(id)], { sim })
    expect(exitCode).toBe(1)
    expect(stderr).toContain(reason)
    expect(sim.problems()).toEqual([])
  })

  test.each([
    ['https://www.instagram.com/reel/CsimReel001/', 'Instagram', 2],
    ['https://vm.tiktok.com/Zsim/', 'TikTok', 6],
    ['https://x.com/simx/status/1790000000000000001', 'twitter', 5],
    ['https://www.bilibili.com/video/BV1sim411x7Q', 'BiliBili', 11],
  ])('%s is found by the %s extractor', async (url, extractor, formats) => {
    const info = await describeUrl(url, { sim })
    expect(info.extractor).toBe(extractor)
    expect(info.formats).toHaveLength(formats)
    expect(sim.problems()).toEqual([])
  })

  test('a carousel, a tweet and an anthology hold several videos', async () => {
    const urls = [
      'https://www.instagram.com/p/CsimCarous1/',
      'https://x.com/simx/status/1790000000000000002',
      'https://www.bilibili.com/video/BV1ant411x7Q',
    ]
    const counts = urls.map(async (url) => (await describeUrl(url, { sim })).entries?.length)
    expect(await Promise.all(counts)).toEqual([4, 2, 3])
    expect(sim.problems()).toEqual([])
  })

  test('a live stream records until it ends', async () => {
    await using dir = tempDir()
    const recording = runYtDlp(['-f', '91', '-o', 'live.mp4', watch('simLive0001')], { sim, cwd: dir.path })
    await waitFor('a late segment to be sent', () =>
      sim.log.some(({ url, ms }) => url?.includes('/seg/91/') && ms !== undefined),
    )
    sim.state.liveEnded = true
    expect((await recording).exitCode).toBe(0)
    const file = path.join(dir.path, 'live.mp4')
    expect((await probe(file)).duration).toBeGreaterThan(5)
    expect(await decodesCleanly(file)).toBe(true)
    expect(sim.problems()).toEqual([])
  })

  test('faults hit as many requests as they say', async () => {
    await using dir = tempDir()
    sim.faults.push({ match: /videoplayback.*itag=18/, status: 503, times: 2 })
    const args = ['-f', '18', '--retry-sleep', '0', '-o', 'out.mp4', watch('simPlain001')]
    expect((await runYtDlp(args, { sim, cwd: dir.path })).exitCode).toBe(0)
    const answers = sim.log.filter(({ url }) => url?.includes('itag=18')).map(({ status }) => status)
    expect(answers).toEqual([503, 503, 206])
  })

  test('a media download can be slowed down', async () => {
    sim.state.bps = 50_000
    const started = performance.now()
    await run('curl', ['-s', '-x', sim.url, '--cacert', sim.caFile, '-r', '0-49999', MEDIA_URL], { encoding: 'buffer' })
    expect(performance.now() - started).toBeGreaterThan(800)
  })

  test('a host that is not simulated is refused and shows up as a problem', async () => {
    const { exitCode } = await runYtDlp(['-J', 'https://elsewhere.example/video.mp4'], { sim })
    expect(exitCode).toBe(1)
    expect(sim.problems()).toMatchObject([{ host: 'elsewhere.example', denied: true }])
  })

  test('ffmpeg accepts its certificates only by its authority', async () => {
    const play = (...trust: string[]) =>
      run(
        'ffmpeg',
        ['-nostdin', '-v', 'error', '-tls_verify', '1', ...trust, '-i', MEDIA_URL, '-t', '1', '-f', 'null', '-'],
        {
          env: { ...process.env, http_proxy: sim.url },
        },
      )
    await play('-ca_file', sim.caFile)
    expect(sim.problems()).toEqual([])
    await expect(play()).rejects.toThrow('Peer certificate failed verification')
  })

  test('other processes control it over HTTP', async () => {
    const control = (name: string, body?: object) =>
      fetch(`${sim.url}/__sim/${name}`, body ? { method: 'POST', body: JSON.stringify(body) } : {})
    await control('fault', { match: 'youtube', reset: true })
    await control('state', { bps: 1000 })
    expect(sim.faults).toEqual([{ match: 'youtube', reset: true }])
    expect(sim.state).toEqual({ bps: 1000 })
    expect(await (await control('log')).json()).toHaveLength(3)
    await control('reset')
    expect([sim.faults, sim.state]).toEqual([[], {}])
  })

  test('a second one with credentials shares the authority and lets only its own clients pass', async () => {
    await using locked = await startSim({ sites: ['youtube'], credentials: 'user:secret' })
    expect(locked.caFile).toBe(sim.caFile)
    const url = locked.url.replace('//', '//user:secret@')
    const info = await describeUrl(watch('simPlain001'), { sim: { url, caFile: locked.caFile } })
    expect(info.title).toBe('Sim: plain 720p')
    const { exitCode, stderr } = await runYtDlp(['-J', watch('simPlain001')], { sim: locked })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('407')
  })
})
