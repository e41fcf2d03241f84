import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import SqliteDatabase from 'better-sqlite3'
import { describeFindings, isHealthy, runDoctor, type Finding } from '../../src/doctor/index.ts'
import { createTestDaemon, startTestDaemon, type TestDaemon } from '../support/daemon.ts'

const ROOT = path.resolve(import.meta.dirname, '..', '..')

/** The settings of a test daemon, and nothing of the tester's. */
function settingsOf(daemon: TestDaemon, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    STATE_DIR: daemon.state,
    DOWNLOAD_DIR: daemon.downloads,
    CONFIG_DIR: path.join(daemon.dir, 'config'),
    TOOLS_DIR: path.join(ROOT, 'jsons', 'tools'),
    MIN_FREE_BYTES: '1M',
    PORT: '0',
    ...more,
  }
}

const about = (findings: readonly Finding[], what: string) => findings.filter((finding) => finding.about === what)
const levels = (findings: readonly Finding[], what: string) => about(findings, what).map(({ level }) => level)

/** Fast where the engine is not the matter: its start takes a second. */
const NO_TOOLS = { YTDLP_PATH: '/nowhere/yt-dlp' }

test('beside a daemon that runs there is no problem, and it is asked how it is', async () => {
  await using daemon = await startTestDaemon()
  const findings = await runDoctor(settingsOf(daemon, { PORT: new URL(daemon.url).port }))
  expect(findings.filter(({ level }) => level === 'problem')).toEqual([])
  expect(isHealthy(findings)).toBe(true)
  expect(about(findings, 'port')[0]?.text).toContain('is ready')
  expect(about(findings, 'database')[0]?.text).toMatch(/^whole, .* 2 keys$/)
  expect(about(findings, 'egress')).toMatchObject([{ level: 'ok' }])
  expect(about(findings, 'engine')).toMatchObject([{ level: 'ok' }])
  for (const word of ['yt-dlp', 'ffmpeg', 'ffprobe', 'gallery-dl', 'Python'])
    expect(about(findings, 'tools').some(({ text: line }) => line.startsWith(word))).toBe(true)
  expect((await daemon.client().get('/ready')).body).toEqual({ ready: true, reasons: [] })
})

test('every wrong setting is a problem of its own', async () => {
  const findings = await runDoctor({ PORT: 'many', LOG_LEVEL: 'loud', PROXY_URL: 'ftp://user:hidden@proxy.example' })
  expect(findings.map(({ about: what, level }) => [what, level])).toEqual(Array(3).fill(['settings', 'problem']))
  expect(JSON.stringify(findings)).not.toContain('hidden')
})

test('a damaged database, a folder that is none and a tool that is missing each come with what to do', async () => {
  await using daemon = await createTestDaemon()
  fs.mkdirSync(daemon.state, { mode: 0o755 })
  fs.writeFileSync(path.join(daemon.state, 'ytdlpd.sqlite'), Buffer.alloc(8192, 'x'))
  fs.writeFileSync(daemon.downloads, '')
  const findings = await runDoctor(settingsOf(daemon, NO_TOOLS))
  expect(about(findings, 'database')).toMatchObject([{ level: 'problem', mend: expect.stringContaining('no backup') }])
  expect(about(findings, 'DOWNLOAD_DIR')).toMatchObject([
    { level: 'problem', text: expect.stringContaining('no folder') },
  ])
  expect(levels(findings, 'STATE_DIR')).toEqual(['ok', 'warning'])
  expect(about(findings, 'tools')).toMatchObject([
    { level: 'problem', text: expect.stringContaining('/nowhere/yt-dlp') },
  ])
  expect(isHealthy(findings)).toBe(false)
  expect(describeFindings(findings)).toMatch(/PROBLEM database {2,}it is damaged: .*\n +→ There is no backup/)
})

test('cookies whose login is over and such as failed are told of by site and key, never by content', async () => {
  await using daemon = await startTestDaemon()
  await daemon.end('SIGTERM')
  const db = new SqliteDatabase(path.join(daemon.state, 'ytdlpd.sqlite'))
  const key = db.prepare(`select id from api_key where name = 'admin'`).pluck().get() as string
  const now = Date.now()
  const add =
    db.prepare(`insert into cookie_jar (key_id, site, sealed, revision, cookies, created_at, updated_at, expires_at,
    last_failure_at, last_failure) values (?, ?, 'sealed-content', 1, 3, ?, ?, ?, ?, ?)`)
  add.run(key, 'fresh.example', now, now, now + 86_400_000, null, null)
  add.run(key, 'over.example', now, now, now - 3 * 86_400_000, null, null)
  add.run(key, 'failed.example', now, now, null, now, 'login_required')
  db.close()
  const findings = await runDoctor(settingsOf(daemon, NO_TOOLS))
  expect(about(findings, 'cookies').map(({ level, text: line }) => [level, line])).toEqual([
    ['warning', 'failed.example, key admin: the last task with them failed (login_required)'],
    ['ok', 'fresh.example, key admin: 0 hours old'],
    ['warning', 'over.example, key admin: the login expired 3 days ago'],
  ])
  expect(JSON.stringify(findings)).not.toContain('sealed-content')
})

test('a port that something else has, and a proxy that is not there, are problems', async () => {
  await using daemon = await createTestDaemon()
  const other = net.createServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'))
  await once(other.listen(0, '127.0.0.1'), 'listening')
  const { port } = other.address() as AddressInfo
  const gone = net.createServer()
  await once(gone.listen(0, '127.0.0.1'), 'listening')
  const closed = (gone.address() as AddressInfo).port
  gone.close()
  const proxy = `http://user:hidden@127.0.0.1:${closed}`
  const findings = await runDoctor(settingsOf(daemon, { PORT: String(port), PROXY_URL: proxy }))
  other.close()
  expect(about(findings, 'port')).toMatchObject([{ level: 'problem', text: expect.stringContaining('something else') }])
  expect(about(findings, 'proxy')).toMatchObject([{ level: 'problem', text: expect.stringContaining('ECONNREFUSED') }])
  expect(about(findings, 'egress')).toMatchObject([{ level: 'ok' }])
  expect(JSON.stringify(findings)).not.toContain('hidden')
})

test('the program ends with 1 when there is a problem, and gives JSON when asked', async () => {
  await using daemon = await createTestDaemon()
  const env = settingsOf(daemon, NO_TOOLS)
  const child = spawn('scripts/doctor', ['--json'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const findings = JSON.parse(await text(child.stdout)) as Finding[]
  expect((await closed)[0]).toBe(1)
  expect(findings.some(({ level }) => level === 'problem')).toBe(true)
})

/** Rights do not stop root. */
const testAsRoot = process.getuid?.() === 0 ? test : test.skip

testAsRoot('another user is told which command gives it the folders', async () => {
  await using daemon = await createTestDaemon()
  fs.chmodSync(daemon.dir, 0o755)
  fs.mkdirSync(daemon.state, { mode: 0o755 })
  const env = settingsOf(daemon, { ...NO_TOOLS, DOWNLOAD_DIR: path.join(daemon.dir, 'more', 'downloads') })
  const child = spawn('scripts/doctor', ['--json'], {
    cwd: ROOT,
    env,
    uid: 65534,
    gid: 65534,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const findings = JSON.parse(await text(child.stdout)) as Finding[]
  expect(about(findings, 'STATE_DIR')[0]).toMatchObject({
    level: 'problem',
    mend: expect.stringContaining(`chown -R 65534:65534 ${daemon.state}`),
  })
  expect(about(findings, 'DOWNLOAD_DIR')[0]).toMatchObject({
    level: 'problem',
    mend: `sudo install -d -o 65534 -g 65534 ${path.join(daemon.dir, 'more', 'downloads')}`,
  })
})
