import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { probeFile, readThrough } from '../../src/engine/probe.ts'
import { ffmpeg } from '../support/make-media.ts'
import { createPlainRunner, TEST_LIMITS } from '../support/plain-runner.ts'

const runner = createPlainRunner()
let dir = ''

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'probe-'))
})
afterAll(async () => {
  await rm(dir, { recursive: true })
})

const context = (more: Readonly<{ timeoutMs?: number; signal?: AbortSignal }> = {}) => ({
  label: 'test',
  workDir: dir,
  limits: TEST_LIMITS,
  timeoutMs: 20_000,
  signal: AbortSignal.timeout(20_000),
  ...more,
})

test('a file tells its container, its length and every stream', async () => {
  const inputs =
    '-f lavfi -i testsrc=s=64x36:r=25:d=2 -f lavfi -i sine=d=2:r=48000 -f lavfi -i color=s=32x32:d=0.04:r=25'
  const cover = '-map 0 -map 1 -map 2 -c:v:0 libx264 -c:v:1 png -disposition:v:1 attached_pic -c:a aac -ac 2'
  await ffmpeg(
    dir,
    `${inputs} ${cover} -metadata:s:a:0 language=deu -metadata title=a|b\\c=d a:b.mp4`.replace(' a:b', ' file:a:b'),
  )
  const probe = await probeFile(runner, join(dir, 'a:b.mp4'), context())
  expect(probe.formatName).toContain('mp4')
  expect(probe.duration).toBeCloseTo(2, 1)
  expect(probe.size).toBeGreaterThan(1000)
  expect(probe.streams).toEqual([
    expect.objectContaining({ index: 0, type: 'video', codec: 'h264', width: 64, height: 36, frameRate: 25 }),
    expect.objectContaining({
      index: 1,
      type: 'audio',
      codec: 'aac',
      channels: 2,
      sampleRate: 48_000,
      language: 'deu',
    }),
    expect.objectContaining({ index: 2, type: 'video', codec: 'png', attachedPicture: true }),
  ])
})

test('reading a file through tells how far each stream reaches, whatever its clock begins with', async () => {
  await ffmpeg(dir, '-f lavfi -i testsrc=s=64x36:r=25:d=3 -f lavfi -i sine=d=2 -output_ts_offset 100 a.ts')
  const { spans, probe } = await readThrough(runner, join(dir, 'a.ts'), context())
  const lengths = probe.streams.map(({ index }) => (spans.get(index)?.end ?? 0) - (spans.get(index)?.first ?? 0))
  expect(lengths[0]).toBeCloseTo(3, 1)
  expect(lengths[1]).toBeCloseTo(2, 1)
  expect(spans.get(0)?.first).toBeGreaterThan(100)
})

test('what is not media is invalid_media, without a path in the message', async () => {
  await writeFile(join(dir, 'noise.mp4'), Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]))
  const failure = probeFile(runner, join(dir, 'noise.mp4'), context())
  await expect(failure).rejects.toMatchObject({ code: 'invalid_media' })
  await expect(failure).rejects.not.toThrow(dir)
})

test('a run that is cancelled, too slow or cannot read is no verdict on the file', async () => {
  await ffmpeg(dir, '-f lavfi -i sine=d=1 a.mp3')
  const file = join(dir, 'a.mp3')
  await expect(probeFile(runner, file, context({ signal: AbortSignal.abort() }))).rejects.toMatchObject({
    code: 'cancelled',
  })
  await expect(probeFile(runner, join(dir, 'gone.mp3'), context())).rejects.toMatchObject({ code: 'storage_error' })
  await expect(probeFile(runner, file, context({ timeoutMs: 1 }))).rejects.toMatchObject({ code: 'timeout' })
})
