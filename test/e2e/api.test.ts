import { startTestDaemon } from '../support/daemon.ts'
import { startOrigin } from '../support/origin.ts'
import { useRig } from '../support/rig.ts'
import { waitFor } from '../support/wait-for.ts'

const EVERYTHING = ['get_video', 'get_audio', 'get_live_video', 'get_live_audio', 'get_info']

describe('the core API', () => {
  const rig = useRig({ MAX_WORKERS: '2' })

  const admin = rig.client
  const newKey = async (name: string, permissions: readonly string[] = EVERYTHING) => {
    const { body } = await admin().post('/create_key', { name, permissions })
    return String(body['key'])
  }

  test('a submission answers in the words of the contract, and status tells the request back', async () => {
    const sent = {
      video_format: 'bestvideo[height<=1080]',
      audio_format: 'bestaudio[abr<=129]',
      start_time: '00:01',
      end_time: 3,
    }
    const answer = await admin().post('/get_video', { url: `${rig.origin().url}/small.mp4`, ...sent, unknown: 1 })
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ status: 'waiting', task_id: expect.stringMatching(/^[A-Za-z0-9]{16}$/) })
    const id = String(answer.body['task_id'])
    const status = await admin().finish(id)
    expect(status).toMatchObject({
      status: 'completed',
      task_type: 'get_video',
      url: `${rig.origin().url}/small.mp4`,
      key_name: 'admin',
      ...sent,
    })
    expect(status).not.toHaveProperty('unknown')
    expect(status['file']).toBe(`/files/${id}/video.mp4`)
    expect(status).toMatchObject({ task_id: id, progress: 100, attempts: 1 })
    expect(new Date(String(status['completed_time'])).toISOString()).toBe(status['completed_time'])
  })

  test('progress, speed and bytes are told while a file is fetched', async () => {
    const id = await admin().submit('get_video', { url: `${rig.origin().url}/big/8.mp4?bps=3000000` })
    const seen = await waitFor('progress', async () => {
      const body = await admin().status(id)
      return Number(body['progress']) > 10 && body['status'] === 'processing' ? body : null
    })
    expect(Number(seen['progress'])).toBeLessThan(100)
    expect(Number(seen['speed'])).toBeGreaterThan(0)
    expect(Number(seen['downloaded_bytes'])).toBeGreaterThan(100_000)
    expect(Number(seen['total_bytes'])).toBeGreaterThan(8_000_000)
    expect((await admin().finish(id))['status']).toBe('completed')
  })

  test('files are served whole, in ranges, conditionally and by head', async () => {
    const { file } = await admin().complete('get_video', { url: `${rig.origin().url}/small.mp4` })
    const ask = async (headers: Record<string, string>, method = 'GET') => {
      const response = await fetch(rig.daemon().url + String(file), {
        method,
        headers: { ...admin().headers, ...headers },
      })
      return { response, bytes: Buffer.from(await response.arrayBuffer()) }
    }
    const whole = await ask({})
    const { length } = whole.bytes
    expect(whole.response.status).toBe(200)
    expect(whole.response.headers.get('content-type')).toBe('video/mp4')
    expect(whole.response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(whole.response.headers.get('content-disposition')).toMatch(/^attachment; filename="?video\.mp4/)
    const etag = whole.response.headers.get('etag') ?? ''
    const part = await ask({ Range: 'bytes=10-19' })
    expect([part.response.status, part.response.headers.get('content-range')]).toEqual([206, `bytes 10-19/${length}`])
    expect(part.bytes).toEqual(whole.bytes.subarray(10, 20))
    const tail = await ask({ Range: 'bytes=-7' })
    expect(tail.bytes).toEqual(whole.bytes.subarray(length - 7))
    const beyond = await ask({ Range: `bytes=${length}-` })
    expect([beyond.response.status, beyond.response.headers.get('content-range')]).toEqual([416, `bytes */${length}`])
    expect(JSON.parse(beyond.bytes.toString())).toHaveProperty('error')
    expect((await admin().rawGet(String(file), { 'If-None-Match': etag })).status).toBe(304)
    expect((await ask({ Range: 'bytes=0-1', 'If-Range': etag })).response.status).toBe(206)
    expect((await ask({ Range: 'bytes=0-1', 'If-Range': '"other"' })).response.status).toBe(200)
    const head = await ask({}, 'HEAD')
    expect([head.response.headers.get('content-length'), head.bytes.length]).toEqual([String(length), 0])
    const raw = await fetch(`${rig.daemon().url}${String(file)}?raw=true`, { headers: admin().headers })
    expect(raw.headers.get('content-disposition')).toMatch(/^inline/)
    await raw.body?.cancel()
  })

  test('a file name with every kind of character is offered as it was asked for, in one header line', async () => {
    const name = 'naïve 日本語 😀 "quoted"; x=1'
    const { file } = await admin().complete('get_video', {
      url: `${rig.origin().url}/small.mp4`,
      output_filename: name,
    })
    const response = await fetch(rig.daemon().url + String(file), { method: 'HEAD', headers: admin().headers })
    const header = response.headers.get('content-disposition') ?? ''
    expect(decodeURIComponent(/filename\*=UTF-8''([^;]+)/.exec(header)?.[1] ?? '')).toBe(`${name}.mp4`)
  })

  test('the info document is served whole, by field, and by qualities', async () => {
    const { file } = await admin().complete('get_info', { url: `${rig.origin().url}/small.mp4` })
    const whole = await admin().get(String(file))
    expect(whole.body).toMatchObject({ id: 'small', title: 'small', extractor: 'generic' })
    expect((await admin().get(`${String(file)}?title&id`)).body).toEqual({ title: 'small', id: 'small' })
    expect((await admin().get(`${String(file)}?qualities`)).body).toEqual({ qualities: { audio: {}, video: {} } })
    const none = await admin().get(`${String(file)}?nothing`)
    expect([none.status, none.body]).toEqual([404, { error: 'No matching parameters' }])
  })

  test('a signed address works without a key until it is changed', async () => {
    const status = await admin().complete('get_audio', { url: `${rig.origin().url}/tone.m4a` })
    const signed = String(status['file_url'])
    const plain = await fetch(rig.daemon().url + String(status['file']))
    expect([plain.status, await plain.json()]).toEqual([401, { error: 'No API key provided' }])
    const good = await fetch(signed)
    expect(good.status).toBe(200)
    await good.body?.cancel()
    const later = await fetch(signed.replace(/expires=(\d+)/, (_, at) => `expires=${Number(at) + 1}`))
    expect(later.status).toBe(401)
  })

  test("a key sees neither another's tasks nor its files", async () => {
    const other = rig.daemon().client(await newKey('other'))
    const status = await admin().complete('get_info', { url: `${rig.origin().url}/small.mp4` })
    const asked = await other.get(`/status/${String(status['task_id'])}`)
    expect([asked.status, asked.body]).toEqual([
      404,
      { status: 'error', message: 'Task not found', error: 'Task not found' },
    ])
    const file = await other.get(String(status['file']))
    expect([file.status, file.body]).toEqual([404, { error: 'File not found' }])
  })

  test('keys are created, shown, replaced and deleted by the rules', async () => {
    const first = await newKey('rules', ['create_key', 'get_info'])
    expect(first).toMatch(/^[\w-]{43}$/)
    const rules = rig.daemon().client(first)
    expect((await rules.post('/create_key', { name: 'more', permissions: ['get_video'] })).status).toBe(403)
    expect((await rules.post('/create_key', { name: 'rules', permissions: ['get_info'] })).body).toEqual({
      error: 'Key already exists',
    })
    expect((await rules.post('/create_key', { name: 'admin', permissions: ['get_info'] })).status).toBe(409)
    expect((await rules.get('/get_keys')).body).toEqual({ error: 'Insufficient permissions' })
    expect((await admin().get('/get_key/rules')).body).toEqual({
      message: 'API key get successfully',
      name: 'rules',
      key: first,
    })
    const second = await newKey('rules', ['get_info'])
    expect((await rules.post('/check_permissions', { permissions: ['get_info'] })).body).toEqual({
      error: 'Invalid API key',
    })
    const renewed = rig.daemon().client(second)
    expect((await renewed.post('/check_permissions', { permissions: ['get_info'] })).body).toEqual({
      message: 'Permissions granted',
    })
    expect((await renewed.post('/check_permissions', { permissions: ['get_keys'] })).status).toBe(403)
    expect((await admin().get('/get_keys')).body).toMatchObject({
      rules: { key: second, name: 'rules', permissions: ['get_info'] },
    })
    expect((await admin().request('DELETE', '/delete_key/rules')).body).toEqual({
      name: 'rules',
      message: 'API key deleted successfully',
    })
    expect((await admin().request('DELETE', '/delete_key/rules')).body).toEqual({ error: 'Key not found' })
    expect((await admin().request('DELETE', '/delete_key/admin')).status).toBe(409)
  })

  test('health tells versions, sandbox and queue to anybody', async () => {
    const { status, body } = await rig.daemon().client(null).get('/health')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'ok',
      storage_backend: 'sqlite',
      yt_dlp_version: expect.stringMatching(/^\d{4}\.\d\d\.\d\d/),
      gallery_dl_version: expect.stringMatching(/^\d+\.\d+/),
    })
    expect(body['sandbox']).toHaveProperty('landlock')
  })
})

describe('limits', () => {
  test('the rate limit counts permissioned calls of each key in a rolling window, and nothing else', async () => {
    await using daemon = await startTestDaemon({ REQUEST_LIMIT: '3', TASK_CLEANUP_TIME: '0.05' })
    const client = daemon.client()
    const statuses: number[] = []
    for (const body of [{}, { url: 'http://10.0.0.1/' }, { url: 'ftp://x' }, { url: 'http://10.0.0.1/' }]) {
      statuses.push((await client.post('/get_info', body)).status)
    }
    expect(statuses).toEqual([400, 400, 400, 429])
    const refused = await client.post('/get_info', {})
    expect(refused.body).toEqual({ error: 'Rate limit exceeded. Maximum 3 requests per 0.05 minutes.' })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(refused.headers.get('ratelimit-limit')).toBe('3')
    for (const path of ['/status/unknown', '/files/unknown', '/health'])
      expect((await client.get(path)).status).not.toBe(429)
    expect((await client.post('/check_permissions', { permissions: [] })).status).toBe(200)
    await waitFor('the window to pass', async () => (await client.post('/get_info', {})).status === 400)
  })

  test('finished tasks go with their files when they are due; what is being served is served to its end', async () => {
    await using origin = await startOrigin()
    await using daemon = await startTestDaemon({ TASK_CLEANUP_TIME: '0.02' })
    const client = daemon.client()
    const status = await client.complete('get_video', { url: `${origin.url}/big/24.mp4` })
    const response = await fetch(daemon.url + String(status['file']), { headers: client.headers })
    const reader = response.body?.getReader()
    let bytes = (await reader?.read())?.value?.length ?? 0
    await waitFor(
      'the task to go',
      async () => (await client.get(`/status/${String(status['task_id'])}`)).status === 404,
      8_000,
    )
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read())
      bytes += chunk.value.length
    expect(bytes).toBe(Number(status['file_size']))
    expect((await client.get(String(status['file']))).status).toBe(404)
  })

  test('files and status can be opened to whoever knows the task id', async () => {
    await using origin = await startOrigin()
    await using daemon = await startTestDaemon({ PUBLIC_FILES: 'true', PUBLIC_STATUS: 'true' })
    const status = await daemon.client().complete('get_info', { url: `${origin.url}/small.mp4` })
    const anybody = daemon.client(null)
    expect((await anybody.status(String(status['task_id'])))['status']).toBe('completed')
    expect((await anybody.get(`${String(status['file'])}?title`)).body).toEqual({ title: 'small' })
  })
})
