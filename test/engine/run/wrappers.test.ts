import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

import type { ToolRunner } from '../../../src/engine/tool.ts'
import { ffmpeg, openBench, PLAIN, RUNNERS, type Bench } from './bench.ts'

/** A colour the attacker's own media does not have: the victim's video is this and nothing else. */
const VICTIM_COLOUR = '0xd040a0'

let bench: Bench
let victim: string

beforeAll(async () => {
  bench = await openBench()
  victim = join(bench.dir, 'victim')
  await mkdir(victim)
  const picture = ['-f', 'lavfi', '-i', `color=${VICTIM_COLOUR}:s=64x64:d=1:r=10`]
  await ffmpeg(...picture, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', join(victim, 'video.ts'))
  await ffmpeg(
    ...picture,
    '-c:v',
    'libx264',
    '-pix_fmt',
    'yuv420p',
    '-movflags',
    '+frag_keyframe+empty_moov',
    join(victim, 'video.mp4'),
  )
  await ffmpeg(
    '-f',
    'lavfi',
    '-i',
    'testsrc=s=64x64:d=1:r=10',
    '-g',
    '1',
    '-c:v',
    'libx264',
    '-pix_fmt',
    'yuv420p',
    join(bench.dir, 'own.mp4'),
  )
  bench.files.set('/own.mp4', await readFile(join(bench.dir, 'own.mp4')))
})

afterAll(() => bench.dispose())

function hls(target: string): string {
  return `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${target}\n#EXT-X-ENDLIST\n`
}

function attacks(): Readonly<Record<string, string>> {
  return {
    'a playlist named as a video': hls(`file://${victim}/video.ts`),
    'a playlist of a plain path': hls(`${victim}/video.ts`),
    'a master playlist': `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${hlsChild}\n`,
    'a DASH manifest': `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1" codecs="avc1.64000a" width="64" height="64"><BaseURL>file://${victim}/video.mp4</BaseURL><SegmentBase indexRange="0-0"/></Representation></AdaptationSet></Period></MPD>`,
    'a list to join': `ffconcat version 1.0\nfile 'file:${victim}/video.ts'\n`,
    'a list of a file beside it': `ffconcat version 1.0\nfile sibling.ts\n`,
  }
}

const hlsChild = 'child.txt'

describe.each(RUNNERS)('%s: a download that is not what it says', (_name, create) => {
  let runner: ToolRunner

  // Without the sandbox: the wrappers alone have to stop these.
  beforeAll(async () => {
    runner = await create(bench.options({ sandbox: 'off' }))
  })

  afterAll(() => runner[Symbol.asyncDispose]())

  async function folderWithSiblings(): Promise<string> {
    const workDir = await mkdtemp(join(bench.dir, 'work-'))
    await copyFile(join(victim, 'video.ts'), join(workDir, 'sibling.ts'))
    await writeFile(join(workDir, hlsChild), hls(`file://${victim}/video.ts`))
    return workDir
  }

  test.each(Object.keys(attacks()))('%s is refused by remux, conversion and probing', async (name) => {
    const workDir = await folderWithSiblings()
    bench.files.set('/a.mp4', Buffer.from(attacks()[name] ?? ''))
    const remuxed = await bench.run(runner, {
      workDir,
      args: [...PLAIN, '--remux-video', 'mkv', '-o', 'a.%(ext)s', `${bench.origin}/a.mp4`],
    })
    expect(remuxed.exit).toMatchObject({ kind: 'exit', exitCode: 1 })
    const direct = await bench.run(runner, {
      workDir,
      tool: 'ffmpeg',
      args: ['-y', '-i', 'a.mp4', '-c', 'copy', 'b.mkv'],
    })
    expect(direct.exit.stderr).toMatch(/not on whitelist|Invalid data/i)
    expect(direct.exit.exitCode).not.toBe(0)
    const probed = await bench.run(runner, {
      workDir,
      tool: 'ffprobe',
      args: ['-v', 'error', '-show_streams', 'file:a.mp4'],
    })
    expect(probed.exit.exitCode).not.toBe(0)
    expect(probed.stdout).toEqual([])
    expect((await readdir(workDir)).filter((file) => file.endsWith('.mkv'))).toEqual([])
  })

  test('a playlist as thumbnail does not become a picture', async () => {
    const workDir = await folderWithSiblings()
    bench.files.set('/t.jpg', Buffer.from(hls(`file://${victim}/video.ts`)))
    const info = { id: 'm', title: 'm', ext: 'mp4', url: `${bench.origin}/own.mp4`, extractor: 'generic' }
    const whole = {
      ...info,
      extractor_key: 'Generic',
      webpage_url: `${bench.origin}/page`,
      thumbnail: `${bench.origin}/t.jpg`,
    }
    await writeFile(join(workDir, 'in.json'), JSON.stringify(whole))
    await bench.run(runner, {
      workDir,
      args: [
        ...PLAIN,
        '--load-info-json',
        'in.json',
        '--write-thumbnail',
        '--convert-thumbnails',
        'png',
        '-o',
        'x.%(ext)s',
      ],
    })
    const files = await readdir(workDir)
    expect(files).toContain('x.jpg')
    expect(files.filter((file) => file.endsWith('.png'))).toEqual([])
  })

  test('only http and https are read as remote input', async () => {
    for (const input of [
      'rtmp://127.0.0.1:9/x',
      'ftp://127.0.0.1:9/x',
      'tcp://127.0.0.1:9',
      'concat:own.mp4',
      'subfile,,start,0,end,9,,:own.mp4',
    ]) {
      const { exit } = await bench.run(runner, { tool: 'ffmpeg', args: ['-i', input, '-f', 'null', '-'] })
      expect(exit.exitCode).not.toBe(0)
      expect(exit.stderr).toMatch(/not on whitelist|No such file/)
    }
  })

  test('the joining and cutting of yt-dlp itself still works', async () => {
    const chapters = [
      { start_time: 0, end_time: 0.5, title: 'cut me' },
      { start_time: 0.5, end_time: 1, title: 'keep me' },
    ]
    const workDir = await mkdtemp(join(bench.dir, 'work-'))
    const info = {
      id: 'm',
      title: 'm',
      ext: 'mp4',
      url: `${bench.origin}/own.mp4`,
      extractor: 'generic',
      duration: 1,
      chapters,
    }
    await writeFile(
      join(workDir, 'in.json'),
      JSON.stringify({ ...info, extractor_key: 'Generic', webpage_url: 'http://x' }),
    )
    const { exit } = await bench.run(runner, {
      workDir,
      args: [...PLAIN, '--load-info-json', 'in.json', '--remove-chapters', 'cut me', '-o', 'x.%(ext)s'],
    })
    expect(exit).toMatchObject({ kind: 'exit', exitCode: 0 })
    const { stdout } = await bench.run(runner, {
      workDir,
      tool: 'ffprobe',
      args: ['-v', 'error', '-show_entries', 'format=duration', '-of', 'csv=p=0', 'x.mp4'],
    })
    expect(Number(stdout[0])).toBeLessThan(1)
  })
})

describe('the wrappers as programs', () => {
  const wrapper = resolve(import.meta.dirname, '../../../src/engine/wrappers/ffmpeg')

  test('the attack is real: ffmpeg alone reads the foreign file', async () => {
    const file = join(bench.dir, 'a.mp4')
    await writeFile(file, hls(`file://${victim}/video.ts`))
    await ffmpeg('-i', `file:${file}`, '-c', 'copy', join(bench.dir, 'stolen.mkv'))
  })

  test('pass arguments of any bytes, and add their own before each input', async () => {
    const show = join(bench.dir, 'show')
    await writeFile(show, '#!/bin/sh\nfor a in "$@"; do printf "%s\\0" "$a"; done\n', { mode: 0o755 })
    const odd = ['-metadata', 'title=a\nb "c" \\ $(id) `id` *', '', '-n']
    const { stdout } = await promisify(execFile)(wrapper, ['-i', 'file:a', ...odd, '-i', 'https://h/x', '--', '-i'], {
      env: { YTDLPD_FFMPEG: show, SSL_CERT_FILE: '/ca file', PATH: '/usr/bin:/bin' },
    })
    const given = stdout.split('\0').slice(0, -1)
    expect(
      given.filter((_, index) => !/whitelist$/.test(given[index - 1] ?? '') && !/whitelist$/.test(given[index] ?? '')),
    ).toEqual([
      ...[
        '-xerror',
        '-i',
        'file:a',
        ...odd,
        '-tls_verify',
        '1',
        '-ca_file',
        '/ca file',
        '-i',
        'https://h/x',
        '--',
        '-i',
      ],
    ])
    expect(given.filter((argument) => /whitelist$/.test(argument))).toHaveLength(4)
  })
})
