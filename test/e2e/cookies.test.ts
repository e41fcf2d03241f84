import { once } from 'node:events'
import fs from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { Client } from '../support/client.ts'
import { createTestDaemon, startTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait-for.ts'
import { startSim, type Sim } from '../sim/index.ts'

const POST = 'https://www.instagram.com/reel/CsimLogin01/'
const PUBLIC_POST = 'https://www.instagram.com/reel/CsimReel001/'
const SESSION = 's3cret-session'
const jarOf = (session: string) =>
  ['.instagram.com', 'TRUE', '/', 'TRUE', '4000000000', 'sessionid', session].join('\t')

/** Contents of every file below a folder. */
async function filesBelow(dir: string): Promise<Buffer[]> {
  const entries = await fs.readdir(dir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return Promise.all(files.map((file) => fs.readFile(path.join(file.parentPath, file.name))))
}

/** A web server on loopback. */
async function startServer(
  answer: (request: http.IncomingMessage, response: http.ServerResponse) => Promise<void>,
): Promise<AsyncDisposable & { url: string }> {
  const server = http.createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { url, [Symbol.asyncDispose]: stop }
}

describe('a site that asks for a login', () => {
  let sim: Sim
  let daemon: TestDaemon
  let client: Client
  let stranger: Client

  beforeAll(async () => {
    sim = await startSim({ sites: ['instagram'] })
    daemon = await startTestDaemon({ PROXY_URL: sim.url, CA_FILE: sim.caFile, RETRY_MAX_WAIT: '0', LOG_LEVEL: 'trace' })
    client = daemon.client()
    const made = await client.post('/create_key', {
      name: 'stranger',
      permissions: ['get_video', 'get_info', 'set_cookies'],
    })
    stranger = daemon.client(String(made.body['key']))
  })

  beforeEach(() => sim.reset())

  afterAll(async () => {
    await daemon[Symbol.asyncDispose]()
    await sim[Symbol.asyncDispose]()
  })

  const put = async (session: string, as = client) => {
    const { status } = await as.request('PUT', '/v1/cookies/instagram.com', {
      body: JSON.stringify({ netscape: jarOf(session) }),
      headers: { 'Content-Type': 'application/json' },
    })
    expect(status).toBe(200)
  }
  const jar = async () => ((await client.get('/v1/cookies')).body['items'] as Record<string, unknown>[])[0]
  const endOf = async (kind: string, url = POST, as = client) => as.finish(await as.submit(kind, { url }))
  const sessionsSent = () => new Set(sim.log.flatMap(({ cookie }) => /sessionid=([^;]+)/.exec(cookie ?? '')?.[1] ?? []))

  test('gives nothing to a key without cookies', async () => {
    expect(await endOf('get_video')).toMatchObject({ status: 'error', error_code: 'login_required' })
    expect(sessionsSent().size).toBe(0)
  })

  test('gives the video to a key with cookies, whose jar is renewed and tells of it', async () => {
    await put(SESSION)
    expect(await endOf('get_video')).toMatchObject({ status: 'completed' })
    expect(sessionsSent()).toEqual(new Set([SESSION]))
    const after = await waitFor('the jar to tell', async () => {
      const now = await jar()
      return now?.['last_success_at'] ? now : null
    })
    expect(after).toMatchObject({ cookies: 1, names: ['sessionid'], last_failure_at: null })
    expect(after['updated_at']).not.toBe(after['created_at'])
    sim.reset()
    expect(await endOf('get_video')).toMatchObject({ status: 'completed' })
    expect(sessionsSent()).toEqual(new Set([`${SESSION}-renewed`]))
  })

  test('keeps what it told one key from another', async () => {
    await put(SESSION)
    expect(await endOf('get_info')).toMatchObject({ status: 'completed' })
    expect(await endOf('get_info', POST, stranger)).toMatchObject({ status: 'error', error_code: 'login_required' })
    expect(await endOf('get_video', POST, stranger)).toMatchObject({ status: 'error', error_code: 'login_required' })
  })

  test('serves two tasks at once with one jar, which stays whole', async () => {
    await put(SESSION)
    const ends = await Promise.all([endOf('get_video'), endOf('get_video'), endOf('get_video')])
    expect(ends.map((end) => end['status'])).toEqual(['completed', 'completed', 'completed'])
    sim.reset()
    expect(await endOf('get_video')).toMatchObject({ status: 'completed' })
    expect(sessionsSent()).toEqual(new Set([`${SESSION}-renewed`]))
  })

  test('that has ended the session is told of in the jar, which keeps the login all the same', async () => {
    await put('expired-s3cret')
    expect(await endOf('get_video')).toMatchObject({ status: 'error', error_code: 'login_required' })
    expect(await jar()).toMatchObject({ last_success_at: null, last_failure: 'login_required' })
    // A public post can be seen still: yt-dlp drops the login for it, and ends well.
    expect(await endOf('get_video', PUBLIC_POST)).toMatchObject({ status: 'completed' })
    expect((await jar())?.['names']).toContain('sessionid')
  })

  test('has no cookies lying about after a daemon that was killed', async () => {
    await using killed = await startTestDaemon({ PROXY_URL: sim.url, CA_FILE: sim.caFile, MAX_WORKERS: '1' })
    const own = killed.client()
    await own.request('PUT', '/v1/cookies/instagram.com', {
      body: JSON.stringify({ netscape: jarOf(SESSION) }),
      headers: { 'Content-Type': 'application/json' },
    })
    sim.faults.push({ match: '/api/v1/media/', delay: 5_000 })
    const id = await own.submit('get_video', { url: POST })
    const file = path.join(killed.downloads, '.work', `${id}.1`, 'cookies.txt')
    await waitFor('the site to be asked', () =>
      Promise.resolve(sim.log.find(({ cookie }) => cookie?.includes(SESSION)) ?? null),
    )
    expect((await fs.stat(file)).mode & 0o777).toBe(0o600)
    await killed.end('SIGKILL')
    expect(await fs.readFile(file, 'utf8')).toContain(SESSION)
    // Nothing is claimed while there is no space: what was left is gone all the same.
    await killed.start({ MIN_FREE_BYTES: '900T' })
    for (const bytes of await filesBelow(killed.downloads)) expect(bytes.includes('s3cret')).toBe(false)
  })

  test('has its cookies nowhere: not in the log, the files, the database or an answer', async () => {
    await put(SESSION)
    const info = await client.complete('get_info', { url: POST })
    const made = await client.post('/v1/tasks', { url: POST, write: ['info'], clips: [{ start: 1, end: 3 }] })
    expect(await client.finish(String(made.body['id']))).toMatchObject({ status: 'completed' })
    const answers = [JSON.stringify(info), (await client.rawGet(String(info['file']))).text]
    for (const answer of answers) expect(answer).not.toContain('s3cret')
    expect(daemon.output).toContain('task started')
    expect(daemon.output).not.toContain('s3cret')
    for (const bytes of await filesBelow(daemon.dir)) expect(bytes.includes('s3cret')).toBe(false)
  })
})

describe("an operator's preset of a site", () => {
  test('sends its tasks by its own proxy under its own name, and is never shown its password', async () => {
    await using sim = await startSim({ sites: ['instagram'], credentials: 'user:proxy-s3cret' })
    await using other = await startSim({ sites: ['instagram'] })
    await using daemon = await createTestDaemon({ PROXY_URL: other.url, CA_FILE: sim.caFile, RETRY_MAX_WAIT: '0' })
    const proxy = sim.url.replace('//', '//user:proxy-s3cret@')
    const preset = { sites: ['instagram.com', 'cdninstagram.com'], default: true, proxy, user_agent: 'Preset/1.0' }
    const file = path.join(daemon.dir, 'config', 'sites.json')
    await fs.mkdir(path.dirname(file))
    await fs.writeFile(file, JSON.stringify({ presets: { home: preset } }))
    await daemon.start()
    const client = daemon.client()
    expect((await client.get('/v1/sites')).body).toEqual({
      items: [
        {
          name: 'home',
          sites: ['instagram.com', 'cdninstagram.com'],
          default: true,
          does: ['goes by a proxy of its own', 'says to be Preset/1.0'],
        },
      ],
      next: null,
    })
    await client.complete('get_video', { url: PUBLIC_POST })
    expect(other.log).toEqual([])
    expect(sim.problems()).toEqual([])
    const asked = sim.log.filter(({ host }) => host === 'www.instagram.com')
    expect(asked.length).toBeGreaterThan(0)
    expect(new Set(asked.map(({ userAgent }) => userAgent))).toEqual(new Set(['Preset/1.0']))

    await fs.writeFile(file, '{"presets": {"home": {"proxy": "x-s3cret"}}}')
    await waitFor('the wrong file to be told of', () =>
      Promise.resolve(/their file is wrong/.test(daemon.output) || null),
    )
    expect((await client.get('/v1/sites')).body['items']).toHaveLength(1)
    await fs.writeFile(file, '{"presets": {}}')
    await waitFor(
      'the preset to go',
      async () => ((await client.get('/v1/sites')).body['items'] as []).length === 0 || null,
    )
    await client.complete('get_video', { url: PUBLIC_POST })
    expect(other.log.length).toBeGreaterThan(0)
    expect(daemon.output).not.toContain('s3cret')
    expect((await client.get('/v1/sites', { 'X-API-Key': 'none' })).status).toBe(401)
  }, 60_000)

  test('asks the provider of PO tokens that it names, which no other run can reach', async () => {
    const asked: unknown[] = []
    await using provider = await startServer(async (request, response) => {
      asked.push([request.method, request.url, JSON.parse(await text(request))])
      response.setHeader('Content-Type', 'application/json').end('{"poToken": "dG9rZW4tb2YtdGhlLXByb3ZpZGVy"}')
    })
    await using sim = await startSim({ sites: ['youtube'] })
    await using daemon = await createTestDaemon({
      PROXY_URL: sim.url,
      CA_FILE: sim.caFile,
      EGRESS_ALLOW: '',
      RETRY_MAX_WAIT: '0',
    })
    const home = {
      sites: ['youtube.com'],
      default: true,
      po_token_provider: provider.url,
      extractor_args: { youtube: { player_client: ['default', 'mweb'], fetch_pot: ['always'] } },
    }
    await fs.mkdir(path.join(daemon.dir, 'config'))
    await fs.writeFile(path.join(daemon.dir, 'config', 'sites.json'), JSON.stringify({ presets: { home } }))
    await daemon.start()
    const client = daemon.client()
    await client.complete('get_info', { url: 'https://www.youtube.com/watch?v=simPlain001' })
    expect(asked.length).toBeGreaterThan(0)
    expect(asked[0]).toEqual([
      'POST',
      '/get_pot',
      { content_binding: expect.any(String) as string, bypass_cache: false },
    ])
    expect(sim.problems()).toEqual([])
    const answer = await client.post('/get_info', { url: `${provider.url}/get_pot` })
    expect(answer.status).toBe(400)
  }, 30_000)

  test('that is wrong keeps the daemon from starting, with file and place', async () => {
    await using daemon = await createTestDaemon()
    await fs.mkdir(path.join(daemon.dir, 'config'))
    await fs.writeFile(
      path.join(daemon.dir, 'config', 'sites.json'),
      '{"presets": {"home": {"sites": ["youtube.com"], "x": 1}}}',
    )
    await expect(daemon.start()).rejects.toThrow(/sites\.json is wrong:\n\s*presets\.home\.x: is not known/)
  })
})
