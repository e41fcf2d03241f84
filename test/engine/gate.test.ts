import { copyFile, mkdtemp, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { TaskError } from '../../src/domain/errors.ts'
import { checkWhole, type GateRequest, type GateResult } from '../../src/engine/gate.ts'
import { ffmpeg, inParallel } from '../support/make-media.ts'
import { createPlainRunner, TEST_LIMITS } from '../support/plain-runner.ts'

const runner = createPlainRunner()
let dir = ''

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gate-'))
})
afterAll(async () => {
  await rm(dir, { recursive: true })
})

function check(name: string, more: Partial<GateRequest> = {}): Promise<GateResult> {
  return checkWhole(runner, {
    file: join(dir, name),
    expect: 'any',
    expectedDuration: null,
    label: 'test',
    workDir: dir,
    limits: TEST_LIMITS,
    timeoutMs: 20_000,
    signal: AbortSignal.timeout(60_000),
    ...more,
  })
}

async function refusal(name: string, more: Partial<GateRequest> = {}): Promise<string | null> {
  try {
    await check(name, more)
    return null
  } catch (error) {
    if (error instanceof TaskError && error.code === 'invalid_media') return error.message
    throw error
  }
}

const PICTURE = '-f lavfi -i testsrc=s=64x36:r=10:d='
const TONE = '-f lavfi -i sine=d='
const H264 = '-c:v libx264 -preset ultrafast -g 10 -pix_fmt yuv420p'
const both = (seconds: number) => `${PICTURE}${seconds} ${TONE}${seconds}`

describe('a file that was cut off', () => {
  const SECONDS = 60
  const KINDS: Readonly<Record<string, string>> = {
    'front.mp4': `-i base.mp4 -c copy -movflags +faststart`,
    'end.mp4': `-i base.mp4 -c copy`,
    'fragments.mp4': `-i base.mp4 -c copy -movflags frag_keyframe+empty_moov+default_base_moof`,
    'a.webm': `-i base.webm -c copy`,
    'a.mkv': `-i base.mp4 -c copy`,
    'a.mp3': `-i base.mp4 -vn`,
    'a.ts': `-i base.mp4 -c copy`,
    'a.ogg': `-i base.mp4 -vn -c:a libvorbis`,
  }
  /** A cut anywhere in these shows by itself. */
  const TELLING = ['front.mp4', 'end.mp4', 'a.webm', 'a.mkv', 'a.mp3']
  const points = Array.from({ length: 20 }, (_, index) => (index + 0.5) / 20)
  const sizes = new Map<string, number>()

  async function survivors(kinds: readonly string[], more: (kind: string) => Partial<GateRequest>) {
    const cases = kinds.flatMap((kind) => points.map((point) => ({ kind, point })))
    const passed = await inParallel(cases, async ({ kind, point }) => {
      const name = `cut-${Math.round(point * 1000)}-${kind}`
      await copyFile(join(dir, kind), join(dir, name))
      await truncate(join(dir, name), Math.floor((sizes.get(kind) ?? 0) * point))
      const message = await refusal(name, more(kind))
      await rm(join(dir, name))
      return message === null ? [`${kind} at ${point}`] : []
    })
    return passed.flat()
  }

  beforeAll(async () => {
    await ffmpeg(dir, `${both(SECONDS)} ${H264} -c:a aac base.mp4`)
    await ffmpeg(dir, `${both(SECONDS)} -c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus base.webm`)
    await inParallel(Object.entries(KINDS), ([name, args]) => ffmpeg(dir, `${args} ${name}`))
    for (const name of Object.keys(KINDS)) sizes.set(name, (await stat(join(dir, name))).size)
  })

  test('passes while it is whole', async () => {
    for (const name of Object.keys(KINDS)) {
      const result = await check(name, { expectedDuration: SECONDS, expectedBytes: sizes.get(name) ?? null })
      expect(result.duration).toBeCloseTo(SECONDS, 0)
    }
  })

  test('is refused at each of 20 points in each of 8 kinds when its size was announced', async () => {
    const expected = (kind: string) => ({ expectedDuration: SECONDS, expectedBytes: sizes.get(kind) ?? null })
    expect(await survivors(Object.keys(KINDS), expected)).toEqual([])
  })

  test('is refused with nothing announced where its container can tell', async () => {
    expect(await survivors(TELLING, () => ({}))).toEqual([])
  })

  test('is refused by the announced duration in the other kinds, up to the tolerance', async () => {
    const kinds = ['fragments.mp4', 'a.ts', 'a.ogg']
    const passed = await survivors(kinds, () => ({ expectedDuration: SECONDS, durationTolerance: 0.5 }))
    expect(passed).toEqual([])
    const lenient = await survivors(kinds, () => ({ expectedDuration: SECONDS }))
    expect(lenient.filter((name) => !name.endsWith('0.975'))).toEqual([])
  })

  test('is refused when it lacks only its last byte', async () => {
    const names = ['front.mp4', 'end.mp4', 'fragments.mp4', 'a.webm', 'a.mkv', 'a.ogg']
    for (const name of names) {
      await copyFile(join(dir, name), join(dir, `last-${name}`))
      await truncate(join(dir, `last-${name}`), (sizes.get(name) ?? 0) - 1)
      expect(await refusal(`last-${name}`)).toMatch(/truncated/)
    }
  })
})

const AUDIO_ONLY: Readonly<Record<string, string>> = {
  'tone.mp3': `${TONE}3 -c:a libmp3lame`,
  'noid3.mp3': `${TONE}3 -c:a libmp3lame -id3v2_version 0 -write_xing 0`,
  'cbr.mp3': `${TONE}3 -c:a libmp3lame -b:a 64k -metadata title=x`,
  'cover.mp3': `${TONE}3 -f lavfi -i color=s=600x600:d=0.04:r=25 -map 0 -map 1 -c:v png -disposition:v attached_pic`,
  'tone.aac': `${TONE}3 -c:a aac`,
  'tone.m4a': `${TONE}3 -c:a aac`,
  'front.m4a': `${TONE}3 -c:a aac -movflags +faststart -metadata title=a|b`,
  'alac.m4a': `${TONE}3 -c:a alac`,
  'tone.ogg': `${TONE}3 -c:a libvorbis`,
  'tone.opus': `${TONE}3 -c:a libopus`,
  'tone.oga': `${TONE}3 -c:a flac`,
  'tone.flac': `${TONE}3 -c:a flac`,
  'tone.wav': `${TONE}3`,
  'deep.wav': `${TONE}3 -c:a pcm_s24le`,
  'tone.weba': `${TONE}3 -c:a libopus -f webm`,
  'tone.mka': `${TONE}3 -c:a aac -f matroska`,
  'tone.wma': `${TONE}3 -c:a wmav2`,
  'tone.ac3': `${TONE}3 -c:a ac3`,
  'six.m4a': `-f lavfi -i anoisesrc=d=2 -ac 6 -c:a aac`,
  'short.mp3': `${TONE}0.1`,
  'short.m4a': `${TONE}0.1`,
  'short.opus': `${TONE}0.1`,
  'long.opus': `${TONE}90 -b:a 8k`,
}

const VIDEOS: Readonly<Record<string, string>> = {
  'end.mp4': `${both(3)} ${H264} -c:a aac`,
  'front.mp4': `${both(3)} ${H264} -c:a aac -movflags +faststart`,
  'fragments.mp4': `${both(3)} ${H264} -c:a aac -movflags frag_keyframe+empty_moov+default_base_moof`,
  'dash.mp4': `${both(3)} ${H264} -c:a aac -movflags +dash -frag_duration 1000000`,
  'silent.mp4': `${PICTURE}3 ${H264}`,
  'hevc.mp4': `${PICTURE}1 -c:v libx265 -preset ultrafast -x265-params log-level=0`,
  'av1.mp4': `-f lavfi -i testsrc=s=96x64:r=10:d=1 ${TONE}1 -c:v libsvtav1 -preset 12 -c:a aac`,
  'opus.mp4': `${both(3)} ${H264} -c:a libopus`,
  'oneframe.mp4': `${PICTURE}0.1 ${H264}`,
  'still.mp4': `-f lavfi -i color=s=64x36:r=1:d=20 ${TONE}20 ${H264} -c:a aac`,
  'short.mp4': `${both(0.1)} ${H264} -c:a aac`,
  'odd.mp4': `-f lavfi -i testsrc=s=63x35:r=10:d=2 -c:v libx264 -pix_fmt yuv444p`,
  'vfr.mp4': `${PICTURE}6 -vf select=not(mod(n\\,7))+eq(mod(n\\,5)\\,0) -vsync vfr ${H264}`,
  'chapters.mp4': `${both(3)} -i chapters.txt -map_metadata 2 ${H264} -c:a aac`,
  'subtitles.mp4': `${both(3)} -i lines.srt ${H264} -c:a aac -c:s mov_text`,
  'longsubtitles.mkv': `${both(3)} -i late.srt ${H264} -c:a aac -c:s srt`,
  'subtitles.mkv': `${both(3)} -i lines.srt ${H264} -c:a aac -c:s ass`,
  'chapters.mkv': `${both(3)} -i chapters.txt -map_metadata 2 ${H264} -c:a flac`,
  'live.mkv': `${both(3)} ${H264} -c:a aac -live 1`,
  'uneven.mkv': `${PICTURE}5 ${TONE}3.5 ${H264} -c:a aac`,
  'two.mkv': `${both(3)} ${TONE}1 -map 0 -map 1 -map 2 ${H264} -c:a aac`,
  'vp8.webm': `${both(3)} -c:v libvpx -deadline realtime -cpu-used 8 -c:a libvorbis`,
  'vp9.webm': `${both(2)} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus`,
  'alpha.webm': `${PICTURE}1 -c:v libvpx -pix_fmt yuva420p -auto-alt-ref 0 -deadline realtime`,
  'short.webm': `${PICTURE}0.1 -c:v libvpx -deadline realtime`,
  'a.mov': `${both(3)} ${H264} -c:a pcm_s16le`,
  'a.3gp': `${PICTURE}2 -c:v mpeg4`,
  'a.ts': `${both(3)} ${H264} -c:a aac`,
  'mp2.ts': `${both(3)} -c:v mpeg2video -c:a mp2`,
  'a.flv': `${both(3)} ${H264} -c:a aac`,
  'a.avi': `${both(3)} -c:v mpeg4 -c:a libmp3lame`,
  'a.mpg': `${both(3)} -c:v mpeg2video -c:a mp2 -r 25`,
  'a.wmv': `${both(3)} -c:v wmv2 -c:a wmav2`,
  'a.ogv': `${both(3)} -c:v libtheora -c:a libvorbis`,
  'a.gif': `${PICTURE}2`,
}

describe('a good file', () => {
  const refused: string[] = []

  beforeAll(async () => {
    await writeFile(join(dir, 'lines.srt'), '1\n00:00:00,500 --> 00:00:02,000\nHello\n')
    await writeFile(join(dir, 'late.srt'), '1\n00:00:00,500 --> 00:00:09,000\nHello\n')
    const chapter = (start: number) => `[CHAPTER]\nTIMEBASE=1/1000\nSTART=${start}\nEND=${start + 1500}\ntitle=a=b|c\n`
    await writeFile(join(dir, 'chapters.txt'), `;FFMETADATA1\ntitle=x\n${chapter(0)}${chapter(1500)}`)
  })

  test.each([
    ['audio', AUDIO_ONLY],
    ['video', VIDEOS],
  ] as const)('of %s is never refused', async (expect_, files) => {
    await inParallel(Object.entries(files), async ([name, args]) => {
      await ffmpeg(dir, `${args} good-${name}`)
      const { size } = await stat(join(dir, `good-${name}`))
      const message = await refusal(`good-${name}`, { expect: expect_, expectedBytes: size })
      if (message !== null) refused.push(`${name}: ${message}`)
    })
    expect(refused).toEqual([])
  })

  test('keeps an extension that fits and loses one that does not', async () => {
    const cases = [
      ['good-end.mp4', 'x.m4a', 'm4a'],
      ['good-end.mp4', 'x.webm', 'mp4'],
      ['good-tone.m4a', 'x.unknown_video', 'm4a'],
      ['good-a.ts', 'x.mp4', 'ts'],
      ['good-vp9.webm', 'x.mkv', 'mkv'],
      ['good-chapters.mkv', 'x.webm', 'mkv'],
      ['good-tone.mka', 'x.bin', 'mka'],
      ['good-tone.opus', 'x.mp3', 'opus'],
      ['good-cover.mp3', 'x.m4a', 'mp3'],
      ['good-a.mov', 'x', 'mov'],
    ] as const
    for (const [from, to, ext] of cases) {
      await copyFile(join(dir, from), join(dir, to))
      expect([to, (await check(to)).ext]).toEqual([to, ext])
    }
  })

  test('of pictures passes as anything, not as video', async () => {
    for (const [name, args] of [
      ['p.jpg', '-f lavfi -i testsrc=s=64x36:d=0.04 -frames:v 1'],
      ['p.png', '-f lavfi -i testsrc=s=64x36:d=0.04 -frames:v 1'],
      ['p.webp', '-f lavfi -i testsrc=s=64x36:d=0.04 -frames:v 1 -c:v libwebp'],
    ] as const) {
      await ffmpeg(dir, `${args} ${name}`)
      expect((await check(name)).ext).toBe(name.slice(2))
      expect(await refusal(name, { expect: 'video' })).toMatch(/picture/)
    }
  })
})

describe('what is not media', () => {
  test.each([
    ['#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n', /HLS playlist/],
    ['\uFEFF\n#EXTM3U\n', /HLS playlist/],
    ['#EXTM3U\u0000\u0001 in the guise of binary', /HLS playlist/],
    ['<?xml version="1.0"?><MPD><BaseURL>file:///x</BaseURL></MPD>', /DASH manifest/],
    ['ffconcat version 1.0\nfile other.mp4\n', /ffconcat/],
    ['<!DOCTYPE html><html><body>Sign in</body></html>', /web page/],
    ['<svg xmlns="http://www.w3.org/2000/svg"/>', /SVG/],
    ['{"error":"gone"}', /JSON/],
    ['Too many requests', /text/],
    ['\u0000\u0001\u0002\u0003 nothing known', /not media/],
  ])('is refused by name: %j', async (content, message) => {
    await writeFile(join(dir, 'a.mp4'), content)
    expect(await refusal('a.mp4')).toMatch(message)
  })

  test('is refused when it is missing, empty, a folder or a link', async () => {
    await writeFile(join(dir, 'empty.mp4'), '')
    await ffmpeg(dir, `${TONE}1 real.mp3`)
    await symlink(join(dir, 'real.mp3'), join(dir, 'link.mp3'))
    expect(await refusal('missing.mp4')).toMatch(/no file/)
    expect(await refusal('empty.mp4')).toMatch(/empty/)
    expect(await refusal('link.mp3')).toMatch(/not a regular file/)
    expect(await refusal('.')).toMatch(/not a regular file/)
  })
})

describe('media that is not what was asked for', () => {
  test('is refused without the stream expected, and as a still cover', async () => {
    await ffmpeg(dir, `${TONE}2 sound.m4a`)
    await ffmpeg(dir, `${PICTURE}2 ${H264} silent.mp4`)
    await ffmpeg(dir, `${AUDIO_ONLY['cover.mp3']} covered.mp3`)
    expect(await refusal('sound.m4a', { expect: 'video' })).toBe('no video stream')
    expect(await refusal('silent.mp4', { expect: 'audio' })).toBe('no audio stream')
    expect(await refusal('covered.mp3', { expect: 'video' })).toBe('no video stream')
  })

  test('is refused when shorter than announced, not when longer', async () => {
    await ffmpeg(dir, `${TONE}10 ten.mp3`)
    expect(await refusal('ten.mp3', { expectedDuration: 30 })).toMatch(/10 s instead of 30 s/)
    expect(await refusal('ten.mp3', { expectedDuration: 11.5 })).toBeNull()
    expect(await refusal('ten.mp3', { expectedDuration: 4 })).toBeNull()
  })

  test.each(['mp4', 'mkv', 'ts'])('is refused when the sound of a merged %s stops early', async (ext) => {
    await ffmpeg(dir, `${PICTURE}60 ${TONE}5 ${H264} -c:a aac merged.${ext}`)
    expect(await refusal(`merged.${ext}`)).toMatch(/its audio ends after 5(\.\d)? s of 6\d(\.\d)? s/)
  })

  test('is refused when a header of one kind leads to the content of another', async () => {
    await ffmpeg(dir, `${TONE}2 inner.mp3`)
    const box = Buffer.from([0, 0, 0, 16, ...Buffer.from('ftypisom'), 0, 0, 0, 0])
    await writeFile(join(dir, 'guise.mp4'), Buffer.concat([box, await readFile(join(dir, 'inner.mp3'))]))
    expect(await refusal('guise.mp4')).not.toBeNull()
  })
})

test('a small file is checked with one process in little more than the time that takes to start', async () => {
  await ffmpeg(dir, `${both(3)} ${H264} -c:a aac quick.mp4`)
  const times: number[] = []
  for (let run = 0; run < 7; run++) {
    const start = performance.now()
    await check('quick.mp4')
    times.push(performance.now() - start)
  }
  // 60 ms on an idle core; the bound leaves room for a busy one.
  expect(times.toSorted((a, b) => a - b)[1]).toBeLessThan(250)
})
