import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { probe } from '../../support/media.ts'
import { type Origin, startOrigin } from '../../support/origin.ts'
import { openLane, startEgress } from './support.ts'
import { ffmpeg, ytDlp } from './tools.ts'

/** Both programs find their way out by the environment alone, as the daemon gives it to them. */
let origin: Origin
let dir: string

beforeAll(async () => {
  origin = await startOrigin({ https: true })
  dir = await mkdtemp(path.join(tmpdir(), 'egress-tools-'))
})

afterAll(async () => {
  await origin[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

async function through<T>(use: (proxyUrl: string, env: Record<string, string>) => Promise<T>) {
  await using egress = await startEgress({ allow: ['127.0.0.1'] })
  using lane = openLane(egress)
  const result = await use(lane.proxyUrl, { SSL_CERT_FILE: origin.caFile ?? '' })
  expect(lane.hosts).toEqual(new Set(['127.0.0.1']))
  return { result, bytes: lane.bytes, connections: egress.stats.connections }
}

const urlOf = (scheme: string) => (scheme === 'http' ? origin.url : (origin.httpsUrl ?? ''))

describe.each(['http', 'https'])('over %s', (scheme) => {
  test.each(['small.mp4', 'hls/plain/index.m3u8', 'dash/manifest.mpd'])('yt-dlp fetches %s', async (file) => {
    const output = path.join(dir, `yt-dlp-${scheme}-${path.basename(file)}.mp4`)
    const { result, bytes } = await through((proxyUrl, env) =>
      ytDlp(['--compat-options', 'no-certifi', '-f', 'bv/b', '-o', output, '--', `${urlOf(scheme)}/${file}`], {
        cwd: dir,
        proxyUrl,
        env,
      }),
    )
    expect(result).toMatchObject({ exitCode: 0 })
    expect(bytes).toBeGreaterThan((await stat(output)).size * 0.9)
    expect((await probe(output)).duration).toBeGreaterThan(5)
  })

  test.each(['small.mp4', 'hls/plain/index.m3u8', 'hls/encrypted/index.m3u8', 'dash/manifest.mpd'])(
    'ffmpeg fetches %s',
    async (file) => {
      const output = path.join(dir, `ffmpeg-${scheme}-${file.replaceAll('/', '-')}.mkv`)
      const { result, connections } = await through((proxyUrl, env) =>
        ffmpeg(['-i', `${urlOf(scheme)}/${file}`, '-map', '0:v:0', '-c', 'copy', output], { cwd: dir, proxyUrl, env }),
      )
      expect(result).toMatchObject({ exitCode: 0, stderr: '' })
      expect(connections).toBeGreaterThan(0)
      expect((await probe(output)).duration).toBeGreaterThan(5)
    },
  )
})

test('a file that yt-dlp fetches is the file the origin has, byte for byte', async () => {
  const output = path.join(dir, 'big.mp4')
  const { result } = await through((proxyUrl) =>
    ytDlp(['--fixup', 'never', '-o', output, '--', `${origin.url}/big/8.mp4`], { cwd: dir, proxyUrl }),
  )
  expect(result).toMatchObject({ exitCode: 0 })
  const direct = Buffer.from(await (await fetch(`${origin.url}/big/8.mp4`)).arrayBuffer())
  expect(direct.equals(await readFile(output))).toBe(true)
})

test('yt-dlp goes on where an earlier run stopped', async () => {
  const output = path.join(dir, 'resumed.mp4')
  const url = `${origin.url}/small.mp4`
  const run = (proxyUrl: string, target: string) =>
    ytDlp(['--fixup', 'never', '-o', output, '--', target], { cwd: dir, proxyUrl })
  const cut = await through((proxyUrl) => run(proxyUrl, `${url}?reset=20000`))
  expect(cut.result.exitCode).toBe(1)
  const resumed = await through((proxyUrl) => run(proxyUrl, url))
  expect(resumed.result).toMatchObject({ exitCode: 0 })
  const whole = Buffer.from(await (await fetch(url)).arrayBuffer())
  expect(whole.equals(await readFile(output))).toBe(true)
})
