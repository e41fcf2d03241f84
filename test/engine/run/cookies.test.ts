import { readFile, mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ToolRunner } from '../../../src/engine/tool.ts'
import { ffmpeg, openBench, PLAIN, RUNNERS, type Bench } from './bench.ts'

const COOKIE = 'c00kie-s3cret'

describe.each(RUNNERS)('yt-dlp with cookies, by the %s,', (_, create) => {
  let bench: Bench
  let runner: ToolRunner

  beforeAll(async () => {
    bench = await openBench()
    runner = await create(bench.options())
    const video = join(bench.dir, 'v.mp4')
    await ffmpeg(...['-f', 'lavfi', '-i', 'testsrc=s=64x64:d=2:r=10', '-c:v', 'libx264', '-g', '5', video])
    bench.files.set('/v.mp4', await readFile(video))
  })

  afterAll(async () => {
    await runner[Symbol.asyncDispose]()
    expect(await bench.processes()).toEqual([])
    await bench.dispose()
  })

  test('keeps them out of the arguments of ffmpeg', async () => {
    const workDir = await mkdtemp(join(bench.dir, 'work-'))
    const file = join(workDir, 'cookies.txt')
    await writeFile(file, `# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t4000000000\tSID\t${COOKIE}\n`)
    const { exit, stderr } = await bench.run(runner, {
      workDir,
      args: [
        ...[...PLAIN, '-v', '--cookies', file, '--proxy', bench.proxyUrl, '--output', 'media.%(ext)s'],
        ...['--download-sections', '*0-1', '--', `${bench.origin}/v.mp4`],
      ],
    })
    expect(exit).toMatchObject({ kind: 'exit', exitCode: 0 })
    const text = stderr.join('\n')
    expect(text).toContain('ffmpeg command line: ')
    expect(text).not.toContain(COOKIE)
    expect(await readFile(file, 'utf8')).toContain(COOKIE)
  })
})
