import { randomBytes } from 'node:crypto'
import { ADMIN_KEY } from '../support/daemon.ts'
import { useRig } from '../support/rig.ts'
import { waitFor } from '../support/wait-for.ts'

type Line = Readonly<Record<string, unknown>>

describe('the log, at its most talkative', () => {
  const rig = useRig({ LOG_LEVEL: 'trace' })
  const client = rig.client
  const lines = (): Line[] =>
    rig
      .daemon()
      .lines.filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Line)

  test('has one line for each request, with its id, and the ids of tasks in the lines of tasks', async () => {
    const url = `${rig.origin().url}/small.mp4`
    const made = await client().request('POST', '/get_video', {
      body: JSON.stringify({ url }),
      headers: { 'Content-Type': 'application/json', 'X-Request-Id': 'my-request.1' },
    })
    const taskId = String(made.body['task_id'])
    await client().finish(taskId)
    await waitFor('its line', () => lines().some((line) => line['requestId'] === 'my-request.1'))
    const ofRequest = lines().filter((line) => line['requestId'] === 'my-request.1')
    expect(ofRequest).toMatchObject([
      { msg: 'request ended', method: 'POST', route: '/get_video', status: 200, by: 'admin', whole: true },
    ])
    const ofTask = lines().filter((line) => line['taskId'] === taskId)
    expect(ofTask.map((line) => line['msg'])).toEqual(expect.arrayContaining(['task started', 'task ended']))
    const asPeopleRead = { level: 'info', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as unknown }
    expect(ofTask[0]).toMatchObject({ ...asPeopleRead, kind: 'video', site: '127.0.0.1' })
    expect(lines().find((line) => line['route'] === '/status/:id')).toBeDefined()
  })

  test('never has a secret, wherever a client puts it', async () => {
    const secrets: string[] = []
    /** One that can stand in any of these places. */
    const secret = (): string => {
      const made = `sec${randomBytes(12).toString('hex')}`
      secrets.push(made)
      return made
    }
    const call = (method: string, path: string, headers: Record<string, string> = {}, body?: unknown) =>
      client().request(method, path, {
        headers: { ...headers, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    const wrong = secret()
    await call('GET', '/get_keys', { 'X-API-Key': wrong, 'X-Request-Id': `id-${wrong}` })
    await call('GET', '/v1/tasks', { 'X-API-Key': '', Authorization: `Bearer ${secret()}` })
    await call('GET', '/v1/tasks', { Authorization: `Basic ${secret()}`, Cookie: `session=${secret()}` })
    await call('GET', `/files/abcdefghijklmnop/video.mp4?expires=9999999999&signature=${secret()}`, { 'X-API-Key': '' })
    await call('GET', `/${secret()}?key=${secret()}`)
    await call('GET', `/status/${secret()}`)
    await call('GET', `/v1/tasks?cursor=${secret()}&api_key=${secret()}`)
    await call('POST', '/get_video', {}, { url: 'not a url', [secret()]: secret() })
    await call('POST', '/create_key', {}, { name: 'made', permissions: [secret()] })
    await call('POST', '/v1/tasks', {}, { kind: secret(), url: `https://site.example/?token=${secret()}` })
    await call('PUT', '/v1/cookies/site.example', {}, { netscape: `.site.example\tTRUE\t/\tTRUE\t0\tsid\t${secret()}` })
    await call('PUT', '/v1/cookies/site.example', {}, { netscape: secret() })
    await client().request('POST', '/get_video', {
      body: `{"url": "${secret()}`,
      headers: { 'Content-Type': 'application/json' },
    })
    const made = await call('POST', '/create_key', {}, { name: 'made', permissions: [] })
    secrets.push(String(made.body['key']), ADMIN_KEY)

    const origin = rig.origin().url.replace('http://', '')
    const urls = [
      `http://user:${secret()}@${origin}/small.mp4?token=${secret()}`,
      `http://${origin}/nowhere.mp4?signature=${secret()}#${secret()}`,
      `http://10.1.2.3/private.mp4?token=${secret()}`,
    ]
    const tasks = await Promise.all(urls.map((url) => client().post('/get_video', { url })))
    const accepted = tasks.filter(({ status }) => status === 200).map(({ body }) => String(body['task_id']))
    expect(accepted.length).toBeGreaterThan(0)
    await Promise.all(
      accepted.map((id) =>
        waitFor(
          'an attempt',
          async () =>
            Number((await client().status(id))['attempts']) > 0 &&
            (await client().status(id))['status'] !== 'processing',
          30_000,
        ),
      ),
    )
    const done = await client().complete('get_video', { url: `${rig.origin().url}/small.mp4?token=${secret()}` })
    const signed = String(done['file_url'])
    secrets.push(new URL(signed).searchParams.get('signature') ?? '')
    expect((await fetch(signed)).status).toBe(200)
    await call('GET', '/health', { 'X-Request-Id': 'the-last' })
    await waitFor('the last line', () => lines().some((line) => line['requestId'] === 'the-last'))

    const found = rig.daemon().lines.filter((line) => secrets.some((value) => value !== '' && line.includes(value)))
    expect(found).toEqual([])
  }, 60_000)
})
