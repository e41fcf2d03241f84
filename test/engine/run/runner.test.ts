import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { createForkServer } from '../../../src/engine/run/fork-server.ts'
import type { ToolRunner } from '../../../src/engine/tool.ts'
import { ffmpeg, LIMITS, openBench, PLAIN, RUNNERS, waitUntil, type Bench } from './bench.ts'

let bench: Bench

beforeAll(async () => {
  bench = await openBench()
  const media = join(bench.dir, 'media')
  await mkdir(media)
  await ffmpeg(
    ...['-f', 'lavfi', '-i', 'testsrc=d=2:s=160x120:r=10', '-f', 'lavfi', '-i', 'sine=d=2'],
    ...['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-c:a', 'aac', join(media, 'both.mp4')],
  )
  await ffmpeg('-i', join(media, 'both.mp4'), '-an', '-c', 'copy', join(media, 'video.mp4'))
  await ffmpeg('-i', join(media, 'both.mp4'), '-vn', '-c', 'copy', join(media, 'audio.m4a'))
  await ffmpeg('-i', join(media, 'both.mp4'), '-c', 'copy', join(media, 'stream.ts'))
  for (const name of await readdir(media)) bench.files.set(`/${name}`, await readFile(join(media, name)))
})

afterAll(() => bench.dispose())

const runners: typeof RUNNERS = [
  ...RUNNERS,
  ['fork server without namespaces', (options) => createForkServer(options, { isolations: ['none'] })],
]

describe.each(runners)('%s', (_name, create) => {
  let runner: ToolRunner
  const shell = (text: string, more: Parameters<Bench['run']>[1] = { args: [] }) =>
    bench.run(runner, { ...more, tool: 'ffmpeg', args: ['--shell', text] })

  beforeAll(async () => {
    runner = await create(bench.options({ sandbox: 'require' }))
  })

  afterEach(async () => {
    for (const label of ['task.1', 'left.1']) expect(await bench.processes(`YTDLPD_JOB=${label}`)).toEqual([])
  })

  afterAll(async () => {
    await runner[Symbol.asyncDispose]()
    expect(await bench.processes()).toEqual([])
  })

  test('says what confines its runs', () => {
    expect(runner.sandbox.landlock).toBeGreaterThanOrEqual(4)
    expect(runner.sandbox.network).toMatch(runner.sandbox.namespaces ? /namespace|landlock/ : /landlock/)
  })

  test('describes a plain file', async () => {
    const { exit, stdout } = await bench.run(runner, { args: [...PLAIN, '-J', '--', `${bench.origin}/both.mp4`] })
    expect(exit).toMatchObject({ kind: 'exit', exitCode: 0, signalName: null })
    expect(JSON.parse(stdout.join(''))).toMatchObject({ id: 'both', direct: true })
  })

  test('passes output on line by line, however long, and keeps the end of the errors', async () => {
    const { exit, stdout, stderr } = await shell(
      `printf 'one\\n\\ntwo'; head -c 3000000 /dev/zero | tr '\\0' x; printf 'a\\rb\\n€\\n' >&2; exit 3`,
    )
    expect(exit).toEqual({ kind: 'exit', exitCode: 3, signalName: null, stderr: 'a\nb\n€\n' })
    expect(stdout.map((line) => line.length)).toEqual([3, 0, 3_000_003])
    expect(stderr).toEqual(['a', 'b', '€'])
  })

  test("returns yt-dlp's exit codes", async () => {
    const missing = await bench.run(runner, { args: [...PLAIN, `${bench.origin}/nothing.mp4`] })
    expect(missing.exit).toMatchObject({ kind: 'exit', exitCode: 1 })
    expect(missing.stderr.join('\n')).toMatch(/^ERROR: .*HTTP Error 404/m)
    const wrong = await bench.run(runner, { args: [...PLAIN, '--no-such-option'] })
    expect(wrong.exit).toMatchObject({ kind: 'exit', exitCode: 2 })
    expect(wrong.exit.stderr).toContain('no such option')
  })

  test('takes arguments of any bytes as they are', async () => {
    const odd = `a'b"c $d \\e\n#f é`
    const args = [...PLAIN, '--print', `%(id)s ${odd.replaceAll('%', '')}`, `${bench.origin}/both.mp4`]
    const { exit, stdout } = await bench.run(runner, { args })
    expect(exit).toMatchObject({ exitCode: 0 })
    expect(stdout.join('\n')).toBe(`both ${odd}`)
  })

  test('names the signal that ended a run, and says when it could not start', async () => {
    expect((await shell('kill -SEGV $$')).exit).toMatchObject({ kind: 'signal', signalName: 'SIGSEGV', exitCode: null })
    const nowhere = await shell('true', { args: [], workDir: join(bench.dir, 'nowhere') })
    expect(nowhere.exit).toMatchObject({ kind: 'spawn', exitCode: null })
    expect(nowhere.exit.stderr).toContain('nowhere')
  })

  test('ends a run at its time limit, with all it started, even what ignores signals in a session of its own', async () => {
    const stubborn = `trap '' INT TERM HUP; setsid sh -c "trap '' INT TERM HUP; sleep 300; :" & sleep 300; :`
    const started = performance.now()
    const { exit } = await shell(stubborn, { args: [], timeoutMs: 400, label: 'left.1' })
    expect(exit).toMatchObject({ kind: 'timeout', exitCode: null, signalName: 'SIGKILL' })
    expect(performance.now() - started).toBeLessThan(3000)
  })

  test('leaves nothing behind when a tool ends before its own background processes', async () => {
    const { exit } = await shell('setsid sleep 300 & (setsid sleep 300 &) ; echo done', { args: [], label: 'left.1' })
    expect(exit).toMatchObject({ kind: 'exit', exitCode: 0 })
  })

  test('kills a run when it is aborted, before its start as well', async () => {
    const controller = new AbortController()
    const running = shell('echo up; sleep 300', {
      args: [],
      signal: controller.signal,
      onStdout: () => controller.abort(),
    })
    expect((await running).exit).toMatchObject({ kind: 'aborted', signalName: 'SIGKILL' })
    expect((await shell('true', { args: [], signal: AbortSignal.abort() })).exit.kind).toBe('aborted')
  })

  test('lets an interrupted download end by itself and keep its part', async () => {
    const controller = new AbortController()
    const args = [...PLAIN, '--newline', '-o', 'x.mp4', `${bench.origin}/drip/both.mp4`]
    const { exit, workDir } = await bench.run(runner, {
      args,
      interrupt: controller.signal,
      onStdout: (line) => {
        if (line.includes('Destination')) setTimeout(() => controller.abort(), 100)
      },
    })
    expect(exit).toMatchObject({ kind: 'exit', exitCode: 1 })
    expect(exit.stderr).toContain('Interrupted by user')
    expect(await readdir(workDir)).toEqual(['x.mp4.part'])
  })

  test('kills an interrupted run that does not end in its grace', async () => {
    const { exit } = await shell(`trap '' INT; echo up; sleep 300; :`, {
      args: [],
      interrupt: AbortSignal.timeout(200),
      interruptGraceMs: 200,
    })
    expect(exit).toMatchObject({ kind: 'aborted', signalName: 'SIGKILL' })
  })

  test('keeps options out of every process list', async () => {
    const controller = new AbortController()
    const secret = randomUUID()
    const secrets = ['--add-headers', `X-Key:${secret}`, '--username', secret, '--password', secret]
    const args = [...PLAIN, ...secrets, '-o', 'x.mp4', `${bench.origin}/drip/both.mp4`]
    bench.originHits.length = 0
    const running = bench.run(runner, { args, signal: controller.signal })
    try {
      await waitUntil('the download runs', () => bench.originHits.at(-1) === '/drip/both.mp4')
      for (let look = 0; look < 5; look += 1) {
        for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
          const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
          expect(command).not.toContain(secret)
        }
      }
    } finally {
      controller.abort()
      await running
    }
    expect((await running).exit.kind).toBe('aborted')
  })

  test('gives a run an environment of its own', async () => {
    process.env['YTDLPD_TEST_SECRET'] = 'canary'
    const { stdout, workDir } = await shell('env; echo fds /proc/$$/fd/*; cat')
    delete process.env['YTDLPD_TEST_SECRET']
    const text = stdout.join('\n')
    for (const line of [`HOME=${workDir}`, `TMPDIR=${workDir}`, `http_proxy=${bench.proxyUrl}`, 'YTDLPD_JOB=task.1']) {
      expect(stdout).toContain(line)
    }
    expect(text).toMatch(/^fds \S+\/0 \S+\/1 \S+\/2( \S+\/3)?$/m)
    expect(text).not.toMatch(/canary|no_proxy|NODE_|JEST/)
  })

  test('cannot write outside its folder, nor read the folder of another or the state around the tools', async () => {
    const other = join(bench.dir, 'state')
    await mkdir(other, { recursive: true })
    await writeFile(join(other, 'secret'), 'word')
    const given = join(bench.dir, 'given')
    await writeFile(given, 'for you')
    const { stdout, workDir } = await shell(
      `cat ${other}/secret; ls ${other}; ls ${bench.dir}; ls /root /home /tmp; echo x > ${other}/new; echo x > /tmp/ytdlpd-escape
       ln -s ${other}/secret link; cp /bin/true run && chmod +x run && ./run && echo ran
       cat ${given}; echo x >> ${given}; mkdir sub && echo in > sub/a && mv sub/a b && cat b; kill -0 1 && echo signalled; ls /proc/1`,
      { args: [], readable: [given] },
    )
    expect(stdout).toEqual(['for youin'])
    expect(await readdir(other)).toEqual(['secret'])
    await expect(stat('/tmp/ytdlpd-escape')).rejects.toThrow('ENOENT')
    expect((await readdir(workDir)).toSorted()).toEqual(['b', 'run', 'sub'])
  })

  test('has no way to the network but the proxy: yt-dlp, ffmpeg, or any other program', async () => {
    bench.originHits.length = 0
    const direct = await bench.run(runner, { args: [...PLAIN, '--proxy', '', '-J', `${bench.origin}/both.mp4`] })
    expect(direct.exit).toMatchObject({ kind: 'exit', exitCode: 1 })
    const { stdout, stderr } = await shell(
      `unset http_proxy HTTP_PROXY; ffmpeg -v error -i ${bench.origin}/both.mp4 -f null - || echo refused
       python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()" || echo refused`,
    )
    expect(stdout).toEqual(['refused', 'refused'])
    expect(stderr.filter((line) => line.includes('Permission denied'))).toHaveLength(3)
    expect(bench.originHits).toEqual([])
    const alone = await bench.run(runner, { proxyUrl: null, args: [...PLAIN, '-J', `${bench.origin}/both.mp4`] })
    expect(alone.exit).toMatchObject({ kind: 'exit', exitCode: 1 })
    const cut = await shell(`http_proxy=${bench.proxyUrl} ffmpeg -v error -i ${bench.origin}/both.mp4 -f null -`, {
      args: [],
      proxyUrl: null,
    })
    expect(cut.exit).toMatchObject({ kind: 'exit', exitCode: 1 })
    expect(bench.originHits).toEqual([])
  })

  test('holds a run to its limits', async () => {
    const limits = { ...LIMITS, fileBytes: 100_000, openFiles: 40 }
    const { stdout, workDir } = await shell('head -c 300000 /dev/zero > big; ulimit -n; ulimit -c', {
      args: [],
      limits,
    })
    expect((await stat(join(workDir, 'big'))).size).toBe(100_000)
    expect(stdout).toEqual(['40', '0'])
    const small = { ...LIMITS, fileBytes: 10_000 }
    const download = await bench.run(runner, { args: [...PLAIN, `${bench.origin}/both.mp4`], limits: small })
    expect(download.exit.stderr).toContain('Errno 27')
  })

  test('downloads, merges, embeds and cuts as yt-dlp does elsewhere', async () => {
    const workDir = join(bench.dir, `merge-${runner.mode}-${runner.sandbox.namespaces}`)
    await mkdir(workDir)
    const format = { protocol: 'http', width: 160, height: 120 }
    const info = {
      ...{ id: 'm', title: 'two tracks', ext: 'mp4', extractor: 'generic', extractor_key: 'Generic' },
      webpage_url: `${bench.origin}/page`,
      formats: [
        {
          ...format,
          format_id: 'v',
          url: `${bench.origin}/video.mp4`,
          ext: 'mp4',
          vcodec: 'avc1.64000a',
          acodec: 'none',
        },
        {
          format_id: 'a',
          protocol: 'http',
          url: `${bench.origin}/audio.m4a`,
          ext: 'm4a',
          vcodec: 'none',
          acodec: 'mp4a',
        },
      ],
    }
    await writeFile(join(workDir, 'in.json'), JSON.stringify(info))
    const merged = await bench.run(runner, {
      workDir,
      args: [...PLAIN, '--load-info-json', 'in.json', '-f', 'v+a', '--embed-metadata', '-o', 'out.%(ext)s'],
    })
    expect(merged.exit).toMatchObject({ kind: 'exit', exitCode: 0 })
    const probed = await bench.run(runner, {
      workDir,
      tool: 'ffprobe',
      args: ['-v', 'error', '-show_entries', 'stream=codec_type', '-of', 'csv=p=0', 'out.mp4'],
    })
    expect(probed.stdout.toSorted()).toEqual(['audio', 'video'])
    const cut = await bench.run(runner, {
      args: [...PLAIN, '--download-sections', '*0-1', '-o', 'cut.mp4', `${bench.origin}/both.mp4`],
    })
    expect(cut.exit).toMatchObject({ kind: 'exit', exitCode: 0 })
    const audio = await bench.run(runner, {
      args: [...PLAIN, '-x', '--audio-format', 'mp3', `${bench.origin}/both.mp4`],
    })
    expect(audio.exit).toMatchObject({ kind: 'exit', exitCode: 0 })
    expect(await readdir(audio.workDir)).toEqual(['both [both].mp3'])
  })

  test('runs many at once', async () => {
    const runs = Array.from({ length: 6 }, (_, index) => shell(`sleep 0.2; echo ${index}`))
    expect((await Promise.all(runs)).map(({ stdout }) => stdout[0])).toEqual(['0', '1', '2', '3', '4', '5'])
  })
})
