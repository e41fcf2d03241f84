import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'

import { readIndex } from '../../src/engine/gate-index.ts'
import { checkWhole } from '../../src/engine/gate.ts'
import { readThrough, type MediaContext, type MediaRead } from '../../src/engine/probe.ts'
import type { ToolRunner } from '../../src/engine/tool.ts'
import { ffmpeg, inParallel } from '../support/make-media.ts'
import { createPlainRunner, TEST_LIMITS } from '../support/plain-runner.ts'

const runner = createPlainRunner()
let dir = ''

/** By name, what ffmpeg makes them with: what the index of each of these says must be what its packets are. */
const PLAIN: Readonly<Record<string, string>> = {
  'front.mp4': '-i base.mp4 -c copy -movflags +faststart',
  'end.mp4': '-i base.mp4 -c copy',
  'picture.mp4': '-i base.mp4 -an -c copy',
  'sound.m4a': '-i base.mp4 -vn -c copy',
  'opus.mp4': '-i base.mp4 -c:v copy -c:a libopus',
  'delayed.mp4': '-i base.mp4 -itsoffset 1.5 -i base.mp4 -map 0:v -map 1:a -c copy',
  'thirds.mp4': '-i base.mp4 -c:a copy -c:v libx264 -preset ultrafast -r 30000/1001',
  'uniform.mp4': '-i base.mp4 -vn -c:a alac -ar 8000',
}

/** Begins with pictures that are there for those after them and not shown. */
const CUT = { 'cut.mp4': '-ss 3.3 -i base.mp4 -c copy' }

/** What is left to ffprobe. */
const OTHERS: Readonly<Record<string, string>> = {
  'fragments.mp4': '-i base.mp4 -c copy -movflags frag_keyframe+empty_moov+default_base_moof',
  'subtitled.mp4': '-i base.mp4 -f srt -i lines.srt -map 0 -map 1 -c copy -c:s mov_text',
  'jpeg.mp4': '-i base.mp4 -c:a copy -c:v mjpeg',
  'base.webm': '-i base.mp4 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus',
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gate-index-'))
  await writeFile(join(dir, 'lines.srt'), '1\n00:00:01,000 --> 00:00:02,000\nhello\n')
  // The picture is coded out of order, as most are: its packets have two times each.
  const sources = '-f lavfi -i testsrc=s=64x36:r=25:d=10 -f lavfi -i sine=d=10'
  await ffmpeg(dir, `${sources} -c:v libx264 -g 25 -bf 3 -pix_fmt yuv420p -c:a aac base.mp4`)
  await inParallel(Object.entries({ ...PLAIN, ...CUT, ...OTHERS }), ([name, args]) => ffmpeg(dir, `${args} ${name}`))
}, 60_000)
afterAll(async () => {
  await rm(dir, { recursive: true })
})

const context = (): MediaContext => ({
  ...{ label: 'test', workDir: dir, limits: TEST_LIMITS },
  ...{ timeoutMs: 20_000, signal: AbortSignal.timeout(60_000) },
})

async function indexOf(name: string): Promise<MediaRead | null> {
  await using handle = await open(join(dir, name))
  return await readIndex(handle, (await handle.stat()).size)
}

/** The same file with bytes of it replaced. */
async function changed(name: string, change: (bytes: Buffer) => Buffer): Promise<string> {
  const other = `changed-${name}`
  await writeFile(join(dir, other), change(await readFile(join(dir, name))))
  return other
}

const spansOf = ({ spans }: MediaRead) => [...spans].toSorted(([one], [other]) => one - other).map(([, span]) => span)
const tracksOf = ({ probe }: MediaRead) => probe.streams.map(({ type, width, height }) => ({ type, width, height }))

describe('the index of an mp4', () => {
  test.each(Object.keys(PLAIN))('%s: says what reading all packets says', async (name) => {
    const read = await readThrough(runner, join(dir, name), context())
    const index = await indexOf(name)
    if (index === null) throw new Error('not taken for plain')
    expect(tracksOf(index)).toEqual(tracksOf(read))
    for (const [track, span] of spansOf(index).entries()) {
      const other = spansOf(read)[track]
      expect(span.packets).toBe(other?.packets)
      expect(Math.abs(span.first - (other?.first ?? NaN))).toBeLessThan(0.15)
      expect(Math.abs(span.end - (other?.end ?? NaN))).toBeLessThan(0.15)
    }
    expect(Math.abs((index.probe.duration ?? NaN) - (read.probe.duration ?? NaN))).toBeLessThan(0.1)
  })

  test('counts what is played, not what an edit list leaves out', async () => {
    const index = await indexOf('cut.mp4')
    for (const span of index === null ? [] : spansOf(index)) {
      expect(span.first).toBeCloseTo(0, 0)
      expect(Math.abs(span.end - 6.7)).toBeLessThan(0.15)
    }
    expect(index?.spans.size).toBe(2)
  })

  test.each(Object.keys(OTHERS))('%s: is left to ffprobe', async (name) => {
    expect(await indexOf(name)).toBeNull()
  })

  test('does not account for samples that are missing, at either end of the file', async () => {
    expect(await indexOf(await changed('front.mp4', (bytes) => bytes.subarray(0, -1)))).toBeNull()
    const shorter = await changed('front.mp4', (bytes) => {
      // The media box says that it is shorter and the rest is padding: all boxes fit, but not all samples.
      const at = bytes.lastIndexOf('mdat') - 4
      const length = bytes.readUInt32BE(at)
      const media = Buffer.from(bytes.subarray(0, at + length - 1000))
      media.writeUInt32BE(length - 1000, at)
      const padding = Buffer.alloc(1000)
      padding.writeUInt32BE(1000, 0)
      padding.write('free', 4)
      return Buffer.concat([media, padding])
    })
    expect(await indexOf(shorter)).toBeNull()
    await expect(gate('front.mp4')).resolves.toMatchObject({ ext: 'mp4' })
    await expect(gate(shorter)).resolves.toMatchObject({ ext: 'mp4' }) // its last bytes are there: ffprobe finds them
  })

  test('is not believed where it names another file or a longer time', async () => {
    const foreign = await changed('end.mp4', (bytes) => {
      const url = bytes.indexOf('url ', bytes.lastIndexOf('dref'))
      bytes.writeUInt32BE(0, url + 4)
      return bytes
    })
    expect(await indexOf(foreign)).toBeNull()
    const longer = await changed('end.mp4', (bytes) => {
      const mvhd = bytes.indexOf('mvhd')
      bytes.writeUInt32BE(bytes.readUInt32BE(mvhd + 20) + 2000, mvhd + 20)
      return bytes
    })
    expect(await indexOf(longer)).toBeNull()
  })

  test('may be damaged in any way: it is read or left to ffprobe, at once', async () => {
    const whole = await readFile(join(dir, 'end.mp4'))
    const from = whole.lastIndexOf('moov') - 4
    const places = fc.array(fc.tuple(fc.nat({ max: whole.length - from - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(places, async (changes) => {
        const name = await changed('end.mp4', (bytes) => {
          for (const [place, value] of changes) bytes[from + place] = value
          return bytes
        })
        const startedAt = performance.now()
        const index = await indexOf(name)
        expect(performance.now() - startedAt).toBeLessThan(1_000)
        for (const span of index === null ? [] : spansOf(index)) expect(Number.isFinite(span.end)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

const gate = (name: string, indexIsEnough = true, tools: ToolRunner = runner) =>
  checkWhole(tools, { ...context(), file: join(dir, name), expect: 'video', expectedDuration: 10, indexIsEnough })

describe('the gate, where the index is enough', () => {
  test('starts no program for a plain mp4, and comes to the same result', async () => {
    const runs: string[] = []
    const counting = {
      ...runner,
      run: (run: Parameters<ToolRunner['run']>[0]) => (runs.push(run.tool), runner.run(run)),
    }
    const byIndex = await gate('front.mp4', true, counting)
    expect(runs).toEqual([])
    const byReading = await gate('front.mp4', false, counting)
    expect(runs).toEqual(['ffprobe'])
    expect(byIndex.ext).toBe(byReading.ext)
    expect(Math.abs(byIndex.duration - byReading.duration)).toBeLessThan(0.1)
  })

  test('still refuses what is too short or has no picture', async () => {
    await expect(gate('cut.mp4')).rejects.toThrow('shorter than announced')
    await expect(gate('sound.m4a')).rejects.toThrow('no video stream')
  })

  test('reads through what is no plain mp4', async () => {
    await expect(gate('fragments.mp4')).resolves.toMatchObject({ ext: 'mp4' })
    await expect(gate('base.webm')).resolves.toMatchObject({ ext: 'webm' })
  })
})
