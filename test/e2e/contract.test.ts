import fs from 'node:fs/promises'
import path from 'node:path'
import { startTestDaemon } from '../support/daemon.ts'
import { probe } from '../support/media.ts'
import { startOrigin } from '../support/origin.ts'
import { useRig } from '../support/rig.ts'
import { waitFor } from '../support/wait-for.ts'

/** What the service this API comes from gets wrong, and this daemon must not. */
describe('the promises of the core API', () => {
  const rig = useRig()

  const client = rig.client
  const requestsFor = (part: string) => rig.origin().log.filter((entry) => entry.url.includes(part))

  test('each of eight slow tasks on four workers runs exactly once', async () => {
    const ids = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        client().submit('get_video', { url: `${rig.origin().url}/small.mp4?bps=60000&slow=${i}` }),
      ),
    )
    const ends = await Promise.all(ids.map((id) => client().finish(id)))
    expect(ends.map((end) => [end['status'], end['attempts']])).toEqual(ids.map(() => ['completed', 1]))
    for (const i of ids.keys()) {
      const whole = requestsFor(`slow=${i}`).filter((entry) => entry.bytesSent > 20_000)
      expect(whole).toHaveLength(1)
    }
  })

  test('of 200 parallel creations none is lost or doubled, and status never fails', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        client().post('/get_info', { url: `${rig.origin().url}/small.mp4?n=${i}` }),
      ),
    )
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]))
    const ids = answers.map((answer) => String(answer.body['task_id']))
    expect(new Set(ids).size).toBe(200)
    const ends = await Promise.all(ids.map((id) => client().finish(id, 120_000)))
    expect(ends.filter((end) => end['status'] !== 'completed')).toEqual([])
    expect(ends.map((end) => end['url'])).toEqual(ids.map((_, i) => `${rig.origin().url}/small.mp4?n=${i}`))
  }, 150_000)

  test('a file of unknown size is downloaded', async () => {
    const status = await client().complete('get_video', { url: `${rig.origin().url}/small.mp4?nolength` })
    const file = await client().download(status['file'])
    expect((await probe(file)).duration).toBeCloseTo(6, 0)
    await fs.rm(path.dirname(file), { recursive: true })
  })

  test('qualities are answered when formats lack language, bitrate and size', async () => {
    const status = await client().complete('get_info', { url: `${rig.origin().url}/hls/master/index.m3u8` })
    const { status: code, body } = await client().get(`${String(status['file'])}?qualities`)
    expect(code).toBe(200)
    expect(Object.keys(body['qualities'] as object)).toEqual(['audio', 'video'])
  })

  test('after kill -9 in mid-download the next start goes on with the partial file', async () => {
    await using mortal = await startTestDaemon()
    const url = `${rig.origin().url}/big/24.mp4?bps=4000000&mortal`
    const id = await mortal.client().submit('get_video', { url })
    await waitFor(
      'some megabytes',
      async () => Number((await mortal.client().status(id))['downloaded_bytes'] ?? 0) > 8_000_000,
    )
    await mortal.end('SIGKILL')
    const before = rig.origin().log.length
    await mortal.start()
    const status = await mortal.client().finish(id)
    expect(status).toMatchObject({ status: 'completed', attempts: 2 })
    const ranges = rig
      .origin()
      .log.slice(before)
      .filter((entry) => entry.url.includes('mortal'))
      .map((entry) => entry.range ?? '')
    expect(ranges.some((range) => /^bytes=[1-9]\d{6,}-/.test(range))).toBe(true)
  })

  test('clips of one key run side by side', async () => {
    const body = { url: `${rig.origin().url}/big/8.mp4?bps=2000000`, start_time: 1, end_time: 4, force_keyframes: true }
    const ids = await Promise.all([
      client().submit('get_video', body),
      client().submit('get_video', { ...body, start_time: 2 }),
    ])
    await waitFor('both at once', async () => {
      const states = await Promise.all(ids.map((id) => client().status(id)))
      return states.every((state) => state['status'] === 'processing')
    })
    const ends = await Promise.all(ids.map((id) => client().finish(id)))
    expect(ends.map((end) => end['status'])).toEqual(['completed', 'completed'])
  })

  test('a file over the limit, and a page without anything, are errors that say so', async () => {
    await using small = await startTestDaemon({ MAX_FILE_BYTES: '20K' })
    const large = await small
      .client()
      .finish(await small.client().submit('get_video', { url: `${rig.origin().url}/small.mp4` }))
    expect(large).toMatchObject({ status: 'error', error_code: 'too_large' })
    expect(String(large['error'])).toContain('20480 bytes')
    const empty = await client().finish(
      await client().submit('get_info', {
        url: `${rig.origin().url}/text/empty.html?body=${encodeURIComponent('<html><body>nothing</body></html>')}&type=text/html`,
      }),
    )
    expect(empty['status']).toBe('error')
    expect(['unsupported_url', 'no_media']).toContain(empty['error_code'])
  })

  test('of a playlist address one item is downloaded', async () => {
    const links = [1, 2, 3]
      .map((n) => `<item><title>${n}</title><link>${rig.origin().url}/small.mp4?item=${n}</link></item>`)
      .join('')
    const feed = `<?xml version="1.0"?><rss version="2.0"><channel><title>feed</title>${links}</channel></rss>`
    const url = `${rig.origin().url}/text/feed.xml?type=application/rss%2Bxml&body=${encodeURIComponent(feed)}`
    await client().complete('get_video', { url })
    expect(requestsFor('item=1').length).toBeGreaterThan(0)
    expect([...requestsFor('item=2'), ...requestsFor('item=3')]).toEqual([])
  })

  test('addresses that lead inside are refused, whatever their spelling and however they are reached', async () => {
    await using inside = await startOrigin({ host: '127.0.0.9' })
    const { port } = new URL(inside.url)
    const spellings = [
      '127.9',
      '2130706441',
      '0x7f000009',
      '0177.0.0.9',
      '[::ffff:127.0.0.9]',
      '[::1]',
      '10.0.0.1',
      '169.254.169.254',
    ]
    for (const host of spellings) {
      const answer = await client().post('/get_info', { url: `http://${host}:${port}/direct` })
      expect({ host, status: answer.status }).toEqual({ host, status: 400 })
    }
    const target = `http://127.0.0.9:${port}`
    const playlist = encodeURIComponent(
      `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n${target}/seg.ts\n#EXT-X-ENDLIST\n`,
    )
    const ways = [
      `${rig.origin().url}/redirect?to=${encodeURIComponent(`${target}/redirected`)}`,
      `${rig.origin().url}/page?video=${encodeURIComponent(`${target}/video.mp4`)}`,
      `${rig.origin().url}/text/list.m3u8?type=application/vnd.apple.mpegurl&body=${playlist}`,
    ]
    const ids = await Promise.all(ways.map((url) => client().submit('get_video', { url })))
    const ends = await Promise.all(ids.map((id) => client().finish(id)))
    expect(ends.map((end) => end['error_code'])).toEqual(ways.map(() => 'egress_denied'))
    expect(inside.log).toEqual([])
  })

  test('paths out of a task folder name no file', async () => {
    const [one, other] = await Promise.all(
      [1, 2].map(async (n) => client().complete('get_info', { url: `${rig.origin().url}/small.mp4?p=${n}` })),
    )
    const mine = String(one?.['task_id'])
    const sibling = String(other?.['task_id'])
    await fs.symlink('/etc/passwd', path.join(rig.daemon().downloads, mine, 'link.json'))
    const attempts = [
      `/files/${mine}/..%2f${sibling}/info.json`,
      `/files/${mine}/../${sibling}/../../jsons/seal.key`,
      `/files/..%2f..%2fjsons%2fseal.key`,
      `/files/${mine}%2f..%2f${sibling}%2finfo.json`,
      `/files/${mine}/info.json%00.mp4`,
      `/files/${mine}/%2e%2e/${sibling}/info.json`,
      `/files/${mine}/..%5c${sibling}%5cinfo.json`,
      `/files/%252e%252e/${sibling}/info.json`,
      `/files/${mine}/link.json`,
      `/files/.work/${mine}.1/info.json`,
      `/files//etc/passwd`,
      `/files/${mine}/`,
      `/files/${mine}`,
      `/files/%`,
    ]
    const answers = await Promise.all(attempts.map((attempt) => client().rawGet(attempt)))
    expect(answers).toEqual(attempts.map(() => ({ status: 404, text: '{"error":"File not found"}' })))
  })

  test('no key can be read in the files of the state folder', async () => {
    const { body } = await client().post('/create_key', { name: 'reader', permissions: ['get_info'] })
    const value = String(body['key'])
    const files = await fs.readdir(rig.daemon().state, { withFileTypes: true })
    const contents = await Promise.all(
      files
        .filter((file) => file.isFile())
        .map((file) => fs.readFile(path.join(rig.daemon().state, file.name), 'latin1')),
    )
    expect(contents.filter((content) => content.includes(value))).toEqual([])
    expect(rig.daemon().output).not.toContain(value)
  })

  test('errors are JSON everywhere', async () => {
    const answers = await Promise.all([
      client().get('/nothing/here'),
      client().request('DELETE', '/status/x'),
      client().request('PUT', '/get_video', { body: '{}' }),
      client().request('DELETE', '/get_key/admin'),
      client().request('POST', '/get_video', { body: '{', headers: { 'Content-Type': 'application/json' } }),
      client().request('POST', '/get_video', {
        body: 'url=x',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      }),
      client().request('POST', '/get_video', {
        body: JSON.stringify({ url: 'x'.repeat(2 ** 20) }),
        headers: { 'Content-Type': 'application/json' },
      }),
      client().get('/status/unknown'),
      client().get('/files/unknown'),
      client().get('/get_key/unknown'),
      rig.daemon().client(null).get('/get_keys'),
      rig.daemon().client('wrong').get('/get_keys'),
      client().request('POST', '/files/x/y'),
    ])
    expect(answers.map((answer) => answer.status)).toEqual([
      404, 405, 405, 405, 400, 415, 413, 404, 404, 404, 401, 401, 405,
    ])
    for (const answer of answers) expect(typeof answer.body['error']).toBe('string')
    expect((await client().get('/get_key/admin')).status).toBe(200)
  })
})
