import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { startSim, type Sim } from '../sim/index.ts'
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { decodesCleanly, probe, type Probed } from '../support/media.ts'
import { waitFor } from '../support/wait-for.ts'

const WATCH = 'https://www.youtube.com/watch?v=dQw4w9WgXcQ'
const SMALL = { video_format: 'bestvideo[height<=240]' }

type File = Readonly<{ name: string; kind: string; size: number; duration: number | null; note: string | null }>
type Ended = Readonly<{
  state: string
  title: string | null
  error: Readonly<{ code: string; message: string }> | null
  files: readonly (File & Readonly<{ url: string }>)[]
  wait_reason: string | null
}>
type Body = Readonly<Record<string, unknown>>

/** The video of the simulator lasts 65 s, has chapters at 0, 20 and 40 s, subtitles in en and de, and marked parts. */
describe('what a task can ask of the engine', () => {
  let sim: Sim
  let daemon: TestDaemon

  beforeAll(async () => {
    sim = await startSim()
    daemon = await startTestDaemon({ PROXY_URL: sim.url, CA_FILE: sim.caFile, RETRY_MAX_WAIT: '3600' })
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

  const end = async (body: Body): Promise<Ended> => {
    const answer = await daemon.client().post('/v1/tasks', { url: WATCH, ...body })
    expect(answer).toMatchObject({ status: 201 })
    const id = String(answer.body['id'])
    return waitFor(
      `task ${id} to end`,
      async () => {
        const task = (await daemon.client().get(`/v1/tasks/${id}`)).body as unknown as Ended
        return ['completed', 'error'].includes(task.state) || task.wait_reason !== null ? task : null
      },
      100_000,
    )
  }

  const make = async (body: Body): Promise<Ended> => {
    const task = await end(body)
    if (task.state !== 'completed') throw new Error(JSON.stringify(task))
    return task
  }

  /** Reads one file of a task while it is in a temporary folder. */
  const withFile = async <T>(task: Ended, name: string, read: (file: string) => Promise<T>): Promise<T> => {
    const found = task.files.find((file) => file.name === name)
    if (found === undefined) throw new Error(`no ${name} in ${JSON.stringify(task.files)}`)
    const file = await daemon.client().download(new URL(found.url, daemon.url).pathname)
    try {
      return await read(file)
    } finally {
      await fs.rm(path.dirname(file), { recursive: true })
    }
  }
  const text = (task: Ended, name: string) => withFile(task, name, (file) => fs.readFile(file, 'utf8'))
  const probed = (task: Ended, name: string) => withFile(task, name, probe)
  const names = (task: Ended) => task.files.map(({ name }) => name)
  const codecs = ({ streams }: Probed) => streams.map(({ type, codec }) => `${type} ${codec}`)

  describe('subtitles', () => {
    test('come in the languages and the format asked for, under names of ours', async () => {
      const task = await make({ kind: 'subtitles', subtitles: { languages: ['de', 'en'], format: 'srt' } })
      expect(names(task)).toEqual(['subtitles.de.srt', 'subtitles.en.srt'])
      expect(task.title).toBe('Sim: Never Going To Give You Up (4K)')
      expect(await text(task, 'subtitles.de.srt')).toContain('00:00:05,000 --> 00:00:09,000\n[de] line 2')
    })

    test('that people wrote are taken before those that a machine made, which stand in where they are wanted', async () => {
      const task = await make({ kind: 'subtitles', subtitles: { languages: ['en', 'fr'], automatic: true } })
      expect(names(task)).toEqual(['subtitles.en.vtt', 'subtitles.fr.vtt'])
      const asked = sim.log.filter(({ url }) => url?.includes('/api/timedtext')).map(({ url }) => new URL(url ?? ''))
      expect(asked.map(({ searchParams }) => [searchParams.get('kind'), searchParams.get('tlang')])).toEqual([
        [null, null],
        ['asr', 'fr'],
      ])
    })

    test('that are not there end the task with the languages that are', async () => {
      const task = await end({ kind: 'subtitles', subtitles: { languages: ['ko'] } })
      expect(task.error).toMatchObject({ code: 'no_media' })
      expect(task.error?.message).toContain('no subtitles in ko: there are en, de; ')
    })

    test('that are only partly there come with a note', async () => {
      const task = await make({ kind: 'subtitles', subtitles: { languages: ['en', 'ko'] } })
      expect(task.files).toMatchObject([{ name: 'subtitles.en.vtt', note: 'it has no subtitles in ko' }])
    })

    test.each([
      ['not found', { status: 404 }, 'not_found'],
      ['a web page', { status: 200, body: '<!doctype html><html></html>' }, 'invalid_media'],
    ])('that are %s end the task', async (_, answer, code) => {
      sim.faults.push({ match: 'api/timedtext', ...answer })
      const task = await end({ kind: 'subtitles' })
      expect(task.error).toMatchObject({ code })
    })
  })

  describe('a thumbnail', () => {
    test('is the best there is', async () => {
      const task = await make({ kind: 'thumbnail' })
      expect(task.files).toMatchObject([{ name: 'thumbnail.webp', kind: 'thumbnail', width: 1280, height: 720 }])
    })

    test('that is a web page ends the task', async () => {
      sim.faults.push({ match: 'i.ytimg.com', status: 200, body: '<!doctype html><html></html>' })
      const task = await end({ kind: 'thumbnail' })
      expect(task.error).toMatchObject({ code: 'invalid_media', message: 'not media but a web page' })
    })
  })

  describe('parts', () => {
    test('are files of their own, each as long as it should be', async () => {
      const clips = [
        { start: 10, end: 20 },
        { start: '0:30', end: 35.5 },
      ]
      const task = await make({ ...SMALL, clips })
      expect(names(task)).toEqual(['video.mp4', 'video.2.mp4'])
      expect((await probed(task, 'video.mp4')).duration).toBeCloseTo(10, 0)
      expect((await probed(task, 'video.2.mp4')).duration).toBeCloseTo(5.5, 0)
    })

    test('that begin behind the end are refused before anything is fetched', async () => {
      const task = await end({ ...SMALL, clips: [{ start: 10, end: 20 }, { start: 90 }] })
      expect(task.error).toEqual(expect.objectContaining({ code: 'bad_request_options' }))
      expect(task.error?.message).toContain('a clip begins at 90 s, and the medium ends at 65 s')
      expect(sim.log.filter(({ host }) => host.endsWith('googlevideo.com'))).toEqual([])
    })

    test('are its chapters where they are asked for, with what belongs to each', async () => {
      const task = await make({ ...SMALL, chapters: 'split', embed: ['subtitles', 'metadata'] })
      expect(task.files.map(({ name, note }) => [name, note])).toEqual([
        ['video.mp4', 'chapter: Intro'],
        ['video.2.mp4', 'chapter: Verse'],
        ['video.3.mp4', 'chapter: Chorus'],
      ])
      const last = await probed(task, 'video.3.mp4')
      expect(last.duration).toBeCloseTo(25, 0)
      expect(last.tags).toMatchObject({ title: 'Chorus', album: 'Sim: Never Going To Give You Up (4K)', track: '3/3' })
      expect(codecs(last)).toContain('subtitle mov_text')
      const lines = await withFile(task, 'video.3.mp4', subtitlesIn)
      expect(lines).toContain('00:00:00,000 --> 00:00:04,000\n[en] line 9')
    })

    test('are named chapters, whatever the case', async () => {
      const task = await make({ kind: 'audio', chapters: ['VERSE'], audio_codec: 'mp3' })
      expect(task.files).toMatchObject([{ name: 'audio.mp3', note: 'chapter: Verse' }])
      expect((await probed(task, 'audio.mp3')).duration).toBeCloseTo(20, 0)
    })

    test('are refused by the name of a chapter that there is none of', async () => {
      const task = await end({ ...SMALL, chapters: ['.*'] })
      expect(task.error).toMatchObject({ code: 'bad_request_options' })
      expect(task.error?.message).toContain('no chapter is called “.*”; there are “Intro”, “Verse”, “Chorus”')
    })
  })

  describe('a file', () => {
    const ALL = ['subtitles', 'thumbnail', 'metadata', 'chapters']

    test.each([
      ['mp4', ['video vp9', 'audio opus', 'subtitle mov_text', 'data bin_data', 'video mjpeg']],
      ['mkv', ['video vp9', 'audio opus', 'subtitle subrip', 'video mjpeg']],
    ])('as %s has subtitles, cover, tags and chapters in it', async (container, streams) => {
      const task = await make({ ...SMALL, container, embed: ALL })
      const video = await probed(task, `video.${container}`)
      expect(codecs(video)).toEqual(streams)
      expect(video.chapters).toBe(3)
      const tags = Object.fromEntries(Object.entries(video.tags).map(([name, value]) => [name.toLowerCase(), value]))
      expect(tags).toMatchObject({ title: 'Sim: Never Going To Give You Up (4K)', artist: 'Sim Channel' })
      expect(await withFile(task, `video.${container}`, decodesCleanly)).toBe(true)
    })

    test.each([
      ['mp3', 'mp3', 'audio.mp3'],
      ['m4a', 'aac', 'audio.m4a'],
      [null, 'opus', 'audio.opus'],
    ])('of sound as %s has cover, tags and chapters in it', async (audio_codec, codec, name) => {
      const task = await make({ kind: 'audio', audio_codec, audio_bitrate: 96, embed: ALL.slice(1) })
      const sound = await probed(task, name)
      expect(codecs(sound)).toEqual(expect.arrayContaining([`audio ${codec}`, 'video mjpeg']))
      expect(sound.chapters).toBe(3)
      const kbps = (await withFile(task, name, soundBytes)) / 125 / sound.duration
      expect(kbps).toBeGreaterThan(40)
      expect(kbps).toBeLessThan(125)
    })

    test('that has to be what cannot carry what is wanted is refused', async () => {
      const body = { url: WATCH, ...SMALL, container: 'webm', embed: ['thumbnail'] }
      const { status, body: told } = await daemon.client().post('/v1/tasks', body)
      expect(status).toBe(400)
      expect(JSON.stringify(told)).toMatch(/"field":"embed".*webm cannot carry thumbnail: choose mkv or mp4/)
    })

    test('comes with subtitles, thumbnail and description beside it', async () => {
      const task = await make({ ...SMALL, write: ['subtitles', 'thumbnail', 'info'] })
      expect(names(task)).toEqual(['video.mp4', 'subtitles.en.vtt', 'thumbnail.webp', 'info.json'])
      const info = JSON.parse(await text(task, 'info.json')) as Body
      expect(info['title']).toBe('Sim: Never Going To Give You Up (4K)')
      expect(JSON.stringify(info)).not.toMatch(/http_headers|cookies|filepath/)
    })

    test('without the cover that the site does not have says so', async () => {
      sim.faults.push({ match: 'i.ytimg.com', status: 404 })
      const task = await make({ ...SMALL, embed: ['thumbnail'] })
      expect(task.files).toMatchObject([{ name: 'video.mp4', note: 'it has no thumbnail' }])
    })
  })

  describe('SponsorBlock', () => {
    const parts = (action: string) => ({ action, categories: ['sponsor', 'selfpromo'] })

    test('takes parts out: 15 s of 65, of subtitles and chapters as well', async () => {
      const task = await make({ ...SMALL, sponsorblock: parts('remove'), embed: ['subtitles', 'chapters'] })
      const video = await probed(task, 'video.mp4')
      expect(Math.abs(video.duration - 50)).toBeLessThan(2.5)
      expect(video.chapters).toBe(3)
      expect(await withFile(task, 'video.mp4', subtitlesIn)).not.toContain('line 4')
    })

    test('marks parts as chapters', async () => {
      const task = await make({ ...SMALL, sponsorblock: parts('mark') })
      const video = await probed(task, 'video.mp4')
      expect(video.duration).toBeCloseTo(65, 0)
      expect(video.chapters).toBeGreaterThan(4)
    })

    test.each([503, 200])('that answers %i without sense costs nobody the video', async (status) => {
      sim.faults.push({ match: 'skipSegments', status, body: '<html>' })
      const task = await make({ ...SMALL, sponsorblock: parts('remove') })
      expect(task.files).toMatchObject([{ name: 'video.mp4', note: 'SponsorBlock did not answer' }])
      expect((await probed(task, 'video.mp4')).duration).toBeCloseTo(65, 0)
    })
  })

  test('too many requests for subtitles make the task wait, unless it was only once', async () => {
    sim.faults.push({ match: 'api/timedtext', status: 429, times: 1 })
    expect(await make({ kind: 'subtitles' })).toMatchObject({ files: [{ name: 'subtitles.en.vtt' }] })
    sim.faults.push({ match: 'api/timedtext', status: 429 })
    const task = await end({ kind: 'subtitles' })
    expect(task).toMatchObject({ state: 'waiting', wait_reason: 'rate_limited' })
  })
})

/** The subtitles in a file as srt. */
async function subtitlesIn(file: string): Promise<string> {
  const { stdout } = await promisify(execFile)('ffmpeg', ['-v', 'error', '-i', file, '-map', '0:s:0', '-f', 'srt', '-'])
  return stdout
}

/** Bytes of the packets of sound in a file. */
async function soundBytes(file: string): Promise<number> {
  const args = ['-v', 'error', '-select_streams', 'a:0', '-show_entries', 'packet=size', '-of', 'csv=p=0', file]
  const { stdout } = await promisify(execFile)('ffprobe', args)
  return stdout.split('\n').reduce((sum, line) => sum + Number.parseInt(line || '0', 10), 0)
}
