import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { decodesCleanly, probe, sha256 } from './media.ts'
import { type Origin, startOrigin } from './origin.ts'
import { tempDir } from './temp-dir.ts'
import { waitFor } from './wait-for.ts'
import { describeUrl, runYtDlp } from './tools.ts'

const run = promisify(execFile)

describe('the media origin', () => {
  let origin: Origin
  beforeAll(async () => {
    origin = await startOrigin({ https: true })
  })
  afterAll(() => origin[Symbol.asyncDispose]())

  const get = async (target: string, headers: Record<string, string> = {}) => {
    const response = await fetch(origin.url + target, { headers, redirect: 'manual' })
    const body = Buffer.from(await response.arrayBuffer())
    return { status: response.status, headers: response.headers, body }
  }
  const download = async (target: string, dir: string, ...args: readonly string[]) => {
    const file = path.join(dir, 'out.mp4')
    const result = await runYtDlp([...args, '-o', file, origin.url + target], { cwd: dir })
    return { ...result, file }
  }

  test.each([
    ['small.mp4', ['h264', 'aac']],
    ['silent.mp4', ['h264']],
    ['small.webm', ['vp9', 'opus']],
    ['vp8.webm', ['vp8', 'opus']],
    ['tone.mp3', ['mp3']],
    ['tone.m4a', ['aac']],
    ['tone.wav', ['pcm_s16le']],
    ['tone.ogg', ['vorbis']],
  ])('%s is real media of six seconds: %j', async (name, codecs) => {
    const { duration, streams } = await probe(`${origin.url}/${name}`)
    expect(streams.map(({ codec }) => codec)).toEqual(codecs)
    expect(duration).toBeCloseTo(6, 0)
    expect(await decodesCleanly(`${origin.url}/${name}`)).toBe(true)
  })

  test('a big file is about as big as asked and media to its end', async () => {
    await using dir = tempDir()
    const { exitCode, file } = await download('/big/32.mp4', dir.path)
    expect(exitCode).toBe(0)
    const { size } = await stat(file)
    expect(Math.abs(size / 1024 ** 2 - 32)).toBeLessThan(2)
    await run('ffmpeg', ['-nostdin', '-v', 'error', '-xerror', '-i', file, '-c', 'copy', '-f', 'null', '-'])
  })

  test('ranges, validators and their conditions hold', async () => {
    const whole = await get('/small.mp4')
    const part = await get('/small.mp4', { range: 'bytes=100-199' })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 100-199/${whole.body.length}`])
    expect(part.body).toEqual(whole.body.subarray(100, 200))
    const tag = whole.headers.get('etag') ?? ''
    expect((await get('/small.mp4', { range: 'bytes=-10', 'if-range': tag })).body).toEqual(whole.body.subarray(-10))
    expect((await get('/small.mp4', { range: 'bytes=5-', 'if-range': '"other"' })).status).toBe(200)
    expect((await get('/small.mp4', { range: `bytes=${whole.body.length}-` })).status).toBe(416)
    expect((await get('/small.mp4?norange', { range: 'bytes=5-' })).status).toBe(200)
    expect((await get('/small.mp4?etag=mine')).headers.get('etag')).toBe('"mine"')
    expect(origin.requests('/small.mp4').some(({ range }) => range === 'bytes=100-199')).toBe(true)
  })

  test('lengths can be left out in two ways', async () => {
    const { body } = await get('/tone.mp3')
    for (const variant of ['nolength', 'close']) {
      const answer = await get(`/tone.mp3?${variant}`)
      expect(answer.headers.get('content-length')).toBeNull()
      expect(answer.headers.get('transfer-encoding')).toBe(variant === 'close' ? null : 'chunked')
      expect(answer.body.equals(body)).toBe(true)
    }
  })

  test('a cut answer announces the whole and breaks off, or ends silently without a length', async () => {
    const { body } = await get('/small.mp4')
    await expect(get('/small.mp4?truncate=0.54')).rejects.toThrow()
    await expect(get('/small.mp4?reset=20000')).rejects.toThrow()
    for (const variant of ['nolength', 'close']) {
      const answer = await get(`/small.mp4?truncate=0.54&${variant}`)
      expect(answer.body.equals(body.subarray(0, Math.floor(body.length * 0.54)))).toBe(true)
    }
    const entry = origin.log.find(({ url }) => url === '/small.mp4?truncate=0.54')
    expect(entry).toMatchObject({ bytesSent: Math.floor(body.length * 0.54), aborted: true })
  })

  test('a cut that happens once is healed by resuming', async () => {
    await using dir = tempDir()
    const whole = await get('/small.mp4')
    const target = '/small.mp4?truncate=0.4&times=2' // the first is asked by the extractor
    const { exitCode, file } = await download(target, dir.path, '--retry-sleep', '0')
    expect(exitCode).toBe(0)
    expect((await stat(file)).size).toBe(whole.body.length)
    const ranges = origin.log.filter(({ url }) => url === target).map(({ range }) => range)
    expect(ranges).toEqual([null, null, `bytes=${Math.floor(whole.body.length * 0.4)}-`])
  })

  test('a stalled answer stays silent until the client leaves', async () => {
    const target = '/small.mp4?stall=10000'
    const response = await fetch(origin.url + target, { signal: AbortSignal.timeout(500) })
    expect(response.status).toBe(200)
    await expect(response.arrayBuffer()).rejects.toThrow()
    expect(origin.log.find(({ url }) => url === target)?.bytesSent).toBe(10_000)
  })

  test('a failing answer works after the times asked', async () => {
    const statuses = []
    for (let index = 0; index < 3; index += 1) statuses.push((await get('/tone.ogg?status=503&times=2')).status)
    expect(statuses).toEqual([503, 503, 200])
  })

  test('a changing file has another size, tag and date from the second request on', async () => {
    const [before, after] = [await get('/small.mp4?change'), await get('/small.mp4?change')]
    for (const header of ['etag', 'last-modified', 'content-length'])
      expect(before.headers.get(header)).not.toBe(after.headers.get(header))
    expect(after.body.equals((await get('/other.mp4')).body)).toBe(true)
  })

  test('a throttled answer takes its time', async () => {
    const started = performance.now()
    const { body } = await get('/picture.jpg?bps=5000')
    expect(performance.now() - started).toBeGreaterThan((body.length / 5000) * 1000 * 0.8)
  })

  test('a page leads the generic extractor to its video', async () => {
    await using dir = tempDir()
    const info = await describeUrl(`${origin.url}/watch/small.mp4`)
    expect(info).toMatchObject({ title: 'Test video: small.mp4', extractor: 'generic' })
    const { exitCode, file } = await download('/watch/small.mp4', dir.path)
    expect(exitCode).toBe(0)
    const { body } = await get('/small.mp4')
    expect(await sha256(file)).toBe(createHash('sha256').update(body).digest('hex'))
    const page = new URLSearchParams({ video: `${origin.url}/small.mp4`, title: 'A page' })
    expect(await describeUrl(`${origin.url}/page?${page.toString()}`)).toMatchObject({ title: 'A page (1)' })
  })

  test('a page takes any address and escapes what it is given', async () => {
    const query = new URLSearchParams({ video: 'http://127.0.0.1:1/x.mp4', title: '<b>"T"', thumb: 'http://t/i.jpg' })
    const text = (await get(`/page?${query.toString()}`)).body.toString()
    expect(text).toContain('<video src="http://127.0.0.1:1/x.mp4"')
    expect(text).toContain('<meta property="og:image" content="http://t/i.jpg">')
    expect(text).toContain('<title>&lt;b&gt;&quot;T&quot;</title>')
  })

  test('redirects lead where they are told', async () => {
    const single = await get('/redirect?status=307&to=http://127.0.0.1:1/')
    expect([single.status, single.headers.get('location')]).toEqual([307, 'http://127.0.0.1:1/'])
    const end = await fetch(`${origin.url}/redirect-chain?n=5&to=/picture.jpg`)
    expect(end.url).toBe(`${origin.url}/picture.jpg`)
    await end.body?.cancel()
    expect(origin.requests('/redirect-chain')).toHaveLength(6)
  })

  test('any bytes can stand under any name and type', async () => {
    const query = new URLSearchParams({ body: '#EXTM3U\nfile:///etc/passwd\n', type: 'application/x-mpegURL' })
    const answer = await get(`/text/a.mp4?${query.toString()}`)
    expect(answer.headers.get('content-type')).toBe('application/x-mpegURL')
    expect(answer.body.toString()).toBe('#EXTM3U\nfile:///etc/passwd\n')
    expect((await get('/ffconcat')).body.toString()).toBe("ffconcat version 1.0\nfile 'file:///etc/passwd'\n")
  })

  test('a bomb is small on the wire and as large as asked when unpacked', async () => {
    expect((await get('/bomb/64')).body).toHaveLength(64 * 1024 ** 2)
    expect(origin.requests('/bomb/64')[0]?.bytesSent).toBeLessThan(100_000)
  })

  test('huge and endless pages stop when the client leaves', async () => {
    expect((await get('/huge-html?mb=3')).body.length).toBeGreaterThan(3 * 1024 ** 2)
    const response = await fetch(`${origin.url}/endless`, { signal: AbortSignal.timeout(200) })
    await expect(response.arrayBuffer()).rejects.toThrow()
    await waitFor('the answer to be cut off', () => origin.requests('/endless')[0]?.aborted)
  })

  test('the sink records what it is sent', async () => {
    const response = await fetch(`${origin.url}/sink?status=500&times=1`, { method: 'POST', body: 'hello' })
    expect(response.status).toBe(500)
    expect(origin.requests('/sink')).toMatchObject([{ method: 'POST', body: 'hello' }])
  })

  test.each(['plain', 'fmp4', 'encrypted', 'master'])('HLS "%s" downloads whole', async (name) => {
    await using dir = tempDir()
    const { exitCode, file } = await download(`/hls/${name}/index.m3u8`, dir.path, '--downloader', 'm3u8:native')
    expect(exitCode).toBe(0)
    expect((await probe(file)).duration).toBeCloseTo(8, 0)
    expect(await decodesCleanly(file)).toBe(true)
  })

  test('ffmpeg reads the encrypted and the two-variant HLS', async () => {
    expect((await probe(`${origin.url}/hls/master/index.m3u8`)).streams).toHaveLength(4)
    expect(await decodesCleanly(`${origin.url}/hls/encrypted/index.m3u8`)).toBe(true)
  })

  test('a segment of HLS can be missing', async () => {
    await using dir = tempDir()
    const args = ['--abort-on-unavailable-fragments', '--fragment-retries', '0']
    expect((await download('/hls/plain/index.m3u8?gap=2', dir.path, ...args)).exitCode).toBe(1)
    expect(origin.requests('/hls/plain/missing-2.ts').map(({ status }) => status)).toEqual([404])
  })

  test('DASH has a video and an audio track that merge', async () => {
    await using dir = tempDir()
    const { exitCode, file, stdout } = await download('/dash/manifest.mpd', dir.path)
    expect(exitCode).toBe(0)
    expect(stdout).toContain('Merging formats')
    expect((await probe(file)).streams.map(({ codec }) => codec)).toEqual(['h264', 'aac'])
    expect(await decodesCleanly(file)).toBe(true)
  })

  test('https serves the same by the authority of the loopback internet', async () => {
    const args = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--cacert', origin.caFile ?? '']
    const { stdout } = await run('curl', [...args, '--noproxy', '*', `${origin.httpsUrl}/picture.jpg`])
    expect(stdout).toBe('200')
  })
})
