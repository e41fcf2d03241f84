import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { ADMIN_KEY, type TestDaemon } from '../support/daemon.ts'
import { useRig } from '../support/rig.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/wait-for.ts'

const ROOT = path.resolve(import.meta.dirname, '..', '..')

type Ended = Readonly<{ code: number | null; out: string; err: string }>
type Running = Readonly<{ child: ChildProcess; err: () => string; ended: Promise<Ended> }>

/** Starts `ytdlpd` in a folder, as a person would; nothing of the tester's own settings reaches it. */
function start(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Running {
  const own = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(YTDLPD_|PORT$|STATE_DIR$)/.test(name)),
  )
  const child = spawn(path.join(ROOT, 'scripts', 'ytdlpd'), args, { cwd, env: { ...own, ...env }, stdio: 'pipe' })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }))
  return { child, err: () => err, ended }
}

const run = (args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) =>
  start(args, cwd, env).ended

/** What whoever looks after a daemon has in the environment. */
const operatorOf = (daemon: TestDaemon) => ({ STATE_DIR: daemon.state, DOWNLOAD_DIR: daemon.downloads })

describe('ytdlpd get', () => {
  const rig = useRig({ RETRY_MAX_WAIT: '0' })
  const env = () => ({ YTDLPD_URL: rig.daemon().url, YTDLPD_API_KEY: ADMIN_KEY })

  test('saves the file under the offered name, says how far it is, and never over another file', async () => {
    await using dir = tempDir()
    const url = `${rig.origin().url}/small.mp4`
    const first = await run(['get', url], dir.path, env())
    expect(first).toMatchObject({ code: 0 })
    expect(first.err).toMatch(/(waiting|starting|extracting|downloading|processing|publishing)/)
    expect(first.err).toContain('100 %')
    const saved = path.join(dir.path, first.out.trim())
    const size = fs.statSync(saved).size
    expect(size).toBeGreaterThan(1000)
    expect(saved).toMatch(/\.mp4$/)
    const second = await run(['get', url, '-o', dir.path], dir.path, env())
    expect(second.code).toBe(0)
    expect(path.basename(second.out.trim())).toBe(`${path.parse(saved).name} (1).mp4`)
    const named = await run(['get', url, '--audio', '--codec', 'mp3', '--output', 'sound.mp3'], dir.path, env())
    expect(named).toMatchObject({ code: 0, out: 'sound.mp3\n' })
    expect(fs.readdirSync(dir.path)).toHaveLength(3)
  }, 60_000)

  test('ends with 1, the error code and a hint when the task fails, and leaves nothing', async () => {
    await using dir = tempDir()
    const failed = await run(['get', `${rig.origin().url}/status/404`], dir.path, env())
    expect(failed).toMatchObject({ code: 1, out: '' })
    expect(failed.err).toMatch(/^ytdlpd: (not_found|unsupported_url|no_media): .+\n.+/m)
    expect(fs.readdirSync(dir.path)).toEqual([])
    const refused = await run(['get', `${rig.origin().url}/small.mp4`], dir.path, { ...env(), YTDLPD_API_KEY: 'wrong' })
    expect(refused).toMatchObject({ code: 1, err: 'ytdlpd: key_invalid: Invalid API key\n' })
    const quality = await run(['get', 'http://a.example/', '--quality', 'superb'], dir.path, env())
    expect(quality.code).toBe(1)
    expect(quality.err).toContain('quality must be one of')
  }, 60_000)

  test('takes the task back when it is interrupted', async () => {
    await using dir = tempDir()
    const slow = start(['get', `${rig.origin().url}/big/8.mp4?bps=100000`], dir.path, env())
    const idOf = async () => {
      const { body } = await rig.client().get('/v1/tasks?status=processing')
      return (body['items'] as { id: string }[])[0]?.id
    }
    const id = await waitFor('the task to run', idOf)
    slow.child.kill('SIGINT')
    expect((await slow.ended).code).toBe(130)
    expect((await rig.client().get(`/v1/tasks/${id}`)).body['state']).toBe('cancelled')
    expect(fs.readdirSync(dir.path)).toEqual([])
  }, 60_000)

  test('takes a file up where the connection broke', async () => {
    await using dir = tempDir()
    await using relay = await startBreakingRelay(rig.daemon().url)
    const url = `${rig.origin().url}/big/8.mp4`
    const got = await run(['get', url, '-o', 'whole.mp4'], dir.path, { ...env(), YTDLPD_URL: relay.url })
    expect(got).toMatchObject({ code: 0, out: 'whole.mp4\n' })
    expect(relay.ranges.length).toBeGreaterThan(1)
    expect(relay.ranges[0]).toBeNull()
    expect(relay.ranges.at(-1)).toMatch(/^bytes=[1-9]\d*-$/)
    const { items } = (await rig.client().get('/v1/tasks?limit=1')).body as { items: { files: { url: string }[] }[] }
    const kept = await rig.client().download(items[0]?.files[0]?.url)
    try {
      expect(fs.readFileSync(path.join(dir.path, 'whole.mp4')).equals(fs.readFileSync(kept))).toBe(true)
    } finally {
      fs.rmSync(path.dirname(kept), { recursive: true })
    }
  }, 60_000)
})

describe('ytdlpd key', () => {
  const rig = useRig()

  test('manages keys of a running daemon without a key, as whoever may read its folder', async () => {
    await using dir = tempDir()
    const env = { ...operatorOf(rig.daemon()), YTDLPD_URL: rig.daemon().url }
    const made = await run(['key', 'create', 'phone', '--credits', '5', '--sites', 'youtube.com'], dir.path, env)
    expect(made).toMatchObject({ code: 0, err: '' })
    expect(made.out).toMatch(/^[\w-]{43}\n$/)
    const me = async (value: string) => rig.daemon().client(value.trim()).get('/v1/me')
    expect((await me(made.out)).body['key']).toMatchObject({ name: 'phone', credits: 5 })
    const rotated = await run(['key', 'rotate', 'phone'], dir.path, env)
    expect((await me(made.out)).status).toBe(401)
    expect((await me(rotated.out)).status).toBe(200)
    const edit = (...words: string[]) => run(['key', 'edit', 'phone', ...words], dir.path, env)
    expect(await edit('--cidrs', '127.0.0.1', '--expires', '2099-01-01T00:00:00Z')).toMatchObject({ code: 0, err: '' })
    expect((await me(rotated.out)).body['key']).toMatchObject({
      credits: 5,
      expires_at: '2099-01-01T00:00:00.000Z',
      limits: { sites: ['youtube.com'], cidrs: ['127.0.0.1/32'] },
    })
    await edit('--sites', 'all', '--expires', 'never')
    expect((await me(rotated.out)).body['key']).toMatchObject({ expires_at: null, limits: { sites: null } })
    expect(await edit()).toMatchObject({ code: 2, err: expect.stringContaining('Nothing is to be changed') as string })
    const list = await run(['key', 'list'], dir.path, env)
    expect(list.out).toMatch(/^NAME +STATE +CREDITS/)
    expect(list.out).toMatch(/^phone +active +5 /m)
    expect(list.out + list.err).not.toContain(rotated.out.trim())
    const again = await run(['key', 'create', 'phone'], dir.path, env)
    expect(again).toMatchObject({ code: 1, out: '', err: 'ytdlpd: conflict: Key already exists\n' })
    const { items } = (await rig.client().get('/v1/audit')).body as { items: { key_name: string; action: string }[] }
    expect(items.map(({ key_name: name, action }) => `${name} ${action}`)).toEqual([
      'cli key.edited',
      'cli key.edited',
      'cli key.rotated',
      'cli key.created',
    ])
  }, 60_000)

  test('manages them in the folder when no daemon runs', async () => {
    await using dir = tempDir()
    const daemon = rig.daemon()
    await daemon.end('SIGTERM')
    const env = operatorOf(daemon)
    const made = await run(['key', 'create', 'tv', '--permissions', 'get_video'], dir.path, env)
    const rotated = await run(['key', 'rotate', 'tv'], dir.path, env)
    await run(['key', 'edit', 'tv', '--permissions', 'parse', '--credits', '7'], dir.path, env)
    expect((await run(['key', 'list'], dir.path, env)).out).toMatch(/^tv +active +7 .* parse$/m)
    expect(await run(['key', 'rotate', 'nobody'], dir.path, env)).toMatchObject({ code: 1 })
    const backup = await run(['backup'], dir.path, env)
    expect(backup).toMatchObject({ code: 0, err: '' })
    const restored = await run(['restore', backup.out.trim()], dir.path, env)
    expect(restored).toMatchObject({ code: 0, err: '' })
    expect(restored.out).toMatch(/^Restored 0 tasks and \d keys from /)
    await daemon.start()
    expect((await daemon.client(made.out.trim()).get('/v1/me')).status).toBe(401)
    expect((await daemon.client(rotated.out.trim()).get('/v1/me')).body['key']).toMatchObject({ name: 'tv' })
  }, 60_000)

  test('a token of the machine is believed for a minute, as it was made', async () => {
    const { url } = rig.daemon()
    const { openSeal } = await import('../../src/keys/seal.ts')
    const { makeLocalToken } = await import('../../src/keys/local-token.ts')
    const seal = openSeal(rig.daemon().state)
    await using other = tempDir()
    const statusOf = async (token: string, headers: Record<string, string> = {}) =>
      (await fetch(`${url}/v1/keys`, { headers: { Authorization: `Bearer ${token}`, ...headers } })).status
    const now = Date.now()
    const token = makeLocalToken(seal, now)
    expect(await statusOf(token)).toBe(200)
    for (const wrong of [
      makeLocalToken(seal, now - 61_000),
      makeLocalToken(seal, now + 3_600_000),
      makeLocalToken(openSeal(other.path), now),
      token.replace(/\d+/, String(now + 59_000)),
      `${token}x`,
      'local..',
    ])
      expect([wrong, await statusOf(wrong)]).toEqual([wrong, 401])
  })
})

describe('wrong usage', () => {
  test('ends with 2 and names what was not understood', async () => {
    await using dir = tempDir()
    const cases: readonly (readonly [readonly string[], string])[] = [
      [['fly'], 'fly'],
      [['get'], 'URL'],
      [['get', 'http://a.example/', '--speed', '9'], '--speed'],
      [['get', 'http://a.example/', 'b'], '"b"'],
      [['get', 'http://a.example/'], 'YTDLPD_API_KEY'],
      [['get', 'http://a.example/', '--key', 'x', '--url', 'nowhere'], 'nowhere'],
      [['get', 'http://a.example/', '--key', 'x', '-o', '/nonexistent/there'], '/nonexistent'],
      [['key'], 'create, edit, list or rotate'],
      [['key', 'create'], 'NAME'],
      [['key', 'list', '--credits', '5'], '--credits'],
      [['restore'], 'which backup'],
      [['backup', 'now'], 'now'],
    ]
    const ends = await Promise.all(cases.map(async ([args]) => run(args, dir.path, { STATE_DIR: dir.path })))
    for (const [index, { code, err }] of ends.entries()) {
      expect([cases[index]?.[0], code]).toEqual([cases[index]?.[0], 2])
      expect(err).toContain(cases[index]?.[1])
    }
    const help = await run(['--help'], dir.path)
    expect(help).toMatchObject({ code: 0, err: '' })
    for (const word of ['start', 'get', 'key', 'doctor', 'backup', 'restore']) expect(help.out).toContain(`  ${word} `)
  }, 60_000)

  test('a folder without a database, and a daemon that does not answer, are said plainly', async () => {
    await using dir = tempDir()
    const nothing = await run(['key', 'list'], dir.path, { STATE_DIR: dir.path })
    expect(nothing).toMatchObject({ code: 1 })
    expect(nothing.err).toContain('There is no daemon')
    const away = await run(['get', 'http://a.example/', '--key', 'x', '--url', 'http://127.0.0.1:9'], dir.path)
    expect(away).toMatchObject({ code: 1, err: 'ytdlpd: The daemon at http://127.0.0.1:9 does not answer\n' })
  }, 60_000)
})

/** Passes calls on to a daemon; breaks the first answers with a file in the middle. Notes the ranges that were asked for. */
async function startBreakingRelay(target: string) {
  const ranges: (string | null)[] = []
  const server = http.createServer((request, response) => {
    const passed = http.request(`${target}${request.url ?? ''}`, { method: request.method, headers: request.headers })
    request.pipe(passed)
    passed.on('error', () => response.destroy())
    passed.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      const isFile = (request.url ?? '').startsWith('/files/')
      if (isFile) ranges.push(request.headers.range ?? null)
      // What is on its way when a connection breaks may be lost: it breaks until something was kept.
      if (!isFile || ranges.filter((range) => range !== null).length > 1) return void answer.pipe(response)
      let passedOn = 0
      answer.on('data', (chunk: Buffer) => {
        response.write(chunk)
        passedOn += chunk.length
        if (passedOn > 400_000 * ranges.length) setImmediate(() => response.destroy())
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ranges,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
