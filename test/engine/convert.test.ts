import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'

import { TaskError } from '../../src/domain/errors.ts'
import { OUTPUT_FORMATS } from '../../src/domain/output-format.ts'
import { convert, planConversion, type Conversion } from '../../src/engine/convert.ts'
import { checkWhole } from '../../src/engine/gate.ts'
import { probeFile, type MediaContext, type MediaProbe } from '../../src/engine/probe.ts'
import { ffmpeg, inParallel } from '../support/make-media.ts'
import { createPlainRunner, TEST_LIMITS } from '../support/plain-runner.ts'

const SECONDS = 2
const SOURCES: Readonly<Record<string, string>> = {
  'h264.mp4': '-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac',
  'vp9.webm': '-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus',
  'odd.mkv': '-vf scale=63:35 -c:v ffv1 -c:a pcm_s16le',
}
const runner = createPlainRunner()
let dir = ''
const probes = new Map<string, MediaProbe>()

function context(): MediaContext {
  const signal = AbortSignal.timeout(60_000)
  return { label: 'test', workDir: dir, limits: TEST_LIMITS, timeoutMs: 30_000, signal }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'convert-'))
  await inParallel(Object.entries(SOURCES), ([name, args]) =>
    ffmpeg(dir, `-f lavfi -i testsrc=s=64x36:r=10:d=${SECONDS} -f lavfi -i sine=d=${SECONDS} ${args} ${name}`),
  )
  await ffmpeg(dir, `-f lavfi -i sine=d=${SECONDS} -metadata title=Song song.mp3`)
  await ffmpeg(dir, `-f lavfi -i sine=d=${SECONDS} -c:a pcm_s24le -ac 2 song.wav`)
  for (const name of [...Object.keys(SOURCES), 'song.mp3', 'song.wav']) {
    probes.set(name, await probeFile(runner, join(dir, name), context()))
  }
})
afterAll(async () => {
  await rm(dir, { recursive: true })
})

function plan(name: string, kind: 'video' | 'audio', outputFormat: string | null): Conversion | null {
  const probe = probes.get(name)
  if (probe === undefined) throw new Error(`no source ${name}`)
  return planConversion({ probe, kind, outputFormat, sourceExt: extname(name).slice(1) })
}

async function converted(name: string, kind: 'video' | 'audio', format: string | null) {
  const conversion = plan(name, kind, format)
  if (conversion === null) return null
  const shares: number[] = []
  const output = join(dir, `${name}-${kind}-${format}.${conversion.ext}`)
  await convert(runner, conversion, { ...context(), input: join(dir, name), output, onProgress: (s) => shares.push(s) })
  const expect = format === 'gif' ? 'video' : kind
  const gate = await checkWhole(runner, { ...context(), file: output, expect, expectedDuration: SECONDS })
  return { ...gate, conversion, shares, output }
}

const codecs = (result: { probe: MediaProbe } | null) => result?.probe.streams.map((stream) => stream.codec)

describe('a video', () => {
  const cases = Object.keys(SOURCES).flatMap((name) => OUTPUT_FORMATS.video.map((format) => ({ name, format })))

  test('becomes every container there is, whole, under the right name', async () => {
    const seen = await inParallel(cases, async ({ name, format }) => {
      const result = await converted(name, 'video', format)
      if (result === null) return extname(name) === `.${format}`
      return result.conversion.ext === format && result.ext === format
    })
    expect(cases.filter((_, index) => seen[index] !== true)).toEqual([])
  })

  test.each([
    ['h264.mp4', 'mkv', ['h264', 'aac']],
    ['h264.mp4', 'ts', ['h264', 'aac']],
    ['h264.mp4', 'flv', ['h264', 'aac']],
    ['h264.mp4', 'mov', ['h264', 'aac']],
    ['vp9.webm', 'mkv', ['vp9', 'opus']],
    ['vp9.webm', 'mp4', ['vp9', 'opus']],
  ])('%s is copied into %s, not encoded', async (name, format, expected) => {
    const result = await converted(name, 'video', format)
    expect(result?.conversion.isCopy).toBe(true)
    expect(codecs(result)).toEqual(expected)
  })

  test('is encoded where the container cannot carry it, odd sides and all', async () => {
    const result = await converted('odd.mkv', 'video', 'mp4')
    const [picture] = result?.probe.streams ?? []
    expect(picture).toMatchObject({ codec: 'h264', width: 64, height: 36, pixelFormat: 'yuv420p' })
    expect(result?.shares.at(-1)).toBeGreaterThan(0.9)
  })

  test('is left alone without a format, and when it is in that container already', () => {
    expect(plan('h264.mp4', 'video', null)).toBeNull()
    expect(plan('h264.mp4', 'video', 'mp4')).toBeNull()
    expect(plan('h264.mp4', 'video', 'm4v')?.isCopy).toBe(true)
  })

  test('keeps text subtitles where the container takes them, and drops data tracks', async () => {
    await ffmpeg(dir, '-f lavfi -i sine=d=2 -f lavfi -i testsrc=s=64x36:r=10:d=2 -c:a aac -c:v mpeg4 base.mkv')
    const lines = 'data:text/plain,1%0A00:00:00,500%20-->%2000:00:01,500%0AHello%0A'
    await ffmpeg(dir, `-i base.mkv -f srt -i ${lines} -map 0 -map 1 -c copy -c:s srt titled.mkv`)
    probes.set('titled.mkv', await probeFile(runner, join(dir, 'titled.mkv'), context()))
    expect(codecs(await converted('titled.mkv', 'video', 'mp4'))).toContain('mov_text')
    expect(codecs(await converted('titled.mkv', 'video', 'avi'))).toHaveLength(2)
  })
})

describe('audio', () => {
  const sources = ['h264.mp4', 'vp9.webm', 'song.mp3', 'song.wav']
  const cases = sources.flatMap((name) => OUTPUT_FORMATS.audio.map((format) => ({ name, format })))

  test('becomes every format there is, whole, without a picture', async () => {
    const bad = await inParallel(cases, async ({ name, format }) => {
      const result = await converted(name, 'audio', format)
      if (result === null) return extname(name) === `.${format}` ? [] : [`${name} → ${format}: nothing done`]
      const types = result.probe.streams.map((stream) => stream.type).join()
      return types === 'audio' && result.ext === result.conversion.ext
        ? []
        : [`${name} → ${format}: ${types} ${result.ext}`]
    })
    expect(bad.flat()).toEqual([])
  })

  test.each([
    ['h264.mp4', 'm4a', 'aac', true],
    ['h264.mp4', 'aac', 'aac', true],
    ['vp9.webm', 'opus', 'opus', true],
    ['vp9.webm', 'vorbis', 'vorbis', false],
    ['h264.mp4', 'mp3', 'mp3', false],
    ['song.wav', 'flac', 'flac', false],
    ['song.wav', 'alac', 'alac', false],
  ])('of %s as %s is %s, copied: %s', async (name, format, codec, isCopy) => {
    const result = await converted(name, 'audio', format)
    expect([codecs(result), result?.conversion.isCopy]).toEqual([[codec], isCopy])
  })

  test('of a video goes into the container its codec is at home in', async () => {
    expect((await converted('h264.mp4', 'audio', null))?.ext).toBe('m4a')
    expect((await converted('vp9.webm', 'audio', null))?.ext).toBe('opus')
    expect((await converted('odd.mkv', 'audio', null))?.ext).toBe('wav')
    expect(plan('song.mp3', 'audio', null)).toBeNull()
    expect(plan('song.mp3', 'audio', 'mp3')).toBeNull()
  })

  test('keeps its title', async () => {
    const result = await converted('song.mp3', 'audio', 'm4a')
    await ffmpeg(dir, `-i ${result?.output} -f ffmetadata title.txt`)
    expect(await readFile(join(dir, 'title.txt'), 'utf8')).toContain('title=Song')
  })
})

describe('a conversion that cannot be done', () => {
  test.each([
    ['video', 'mp5', /may be mp4, .*webm/],
    ['audio', 'mp4', /may be mp3, .*flac/],
    ['video', 'constructor', /may be mp4/],
  ] as const)('to %s %s is refused with what there is', (kind, format, message) => {
    expect(() => plan('h264.mp4', kind, format)).toThrow(message)
    expect(() => plan('h264.mp4', kind, format)).toThrow(expect.objectContaining({ code: 'bad_request_options' }))
  })

  test('fails with the reason when cancelled, too slow, or out of room', async () => {
    const conversion = plan('h264.mp4', 'video', 'webm')
    if (conversion === null) throw new Error('nothing to do')
    const run = { ...context(), input: join(dir, 'h264.mp4'), output: join(dir, 'failed.webm') }
    const code = async (more: Partial<typeof run>) => {
      const error = await convert(runner, conversion, { ...run, ...more }).catch((error: unknown) => error)
      return error instanceof TaskError ? error.code : null
    }
    expect(await code({ signal: AbortSignal.abort() })).toBe('cancelled')
    expect(await code({ timeoutMs: 20 })).toBe('timeout')
    expect(await code({ output: '/dev/full' })).toBe('no_space')
    expect(await code({ input: join(dir, 'missing.mp4') })).not.toBeNull()
  })
})
