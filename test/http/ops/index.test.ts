import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { createApp } from '../../../src/http/app.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { SAMPLE_RESULT, taskOf } from '../../support/samples.ts'

/** The figures by name with labels. */
function parse(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

const passedOn = { 'X-Forwarded-For': '203.0.113.7' }

async function addWaiting(core: CoreServer): Promise<void> {
  await core.rig.ground.tasks.add(taskOf())
}

describe('/metrics', () => {
  test('does not take for waiting in the queue what a task was put off', async () => {
    await using core = await startCore()
    const now = Date.now()
    await core.rig.ground.tasks.add(taskOf({ createdAt: now - 3_600_000, notBefore: now - 2_000 }))
    core.ctx.metrics.attemptEnded({ ...(await claimed(core)), attempt: 1 }, { kind: 'cancelled' }, 1)
    const { text } = await core.call('GET', '/metrics', { key: null })
    const waited = parse(text).get('ytdlpd_queue_wait_seconds_sum') ?? NaN
    expect(waited).toBeGreaterThanOrEqual(2)
    expect(waited).toBeLessThan(60)
  })

  test('tells what there is, what ended how, and how the process is', async () => {
    await using core = await startCore()
    await addWaiting(core)
    const task = { ...(await claimed(core)), attempt: 1 }
    core.ctx.metrics.attemptEnded(task, { kind: 'completed', ...SAMPLE_RESULT }, 2_000)
    core.ctx.metrics.attemptEnded(task, { kind: 'error', code: 'private', message: '' }, 20)
    const { text, headers } = await core.call('GET', '/metrics', { key: null })
    expect(headers.get('content-type')).toContain('text/plain; version=0.0.4')
    const figures = parse(text)
    expect(figures.get('ytdlpd_tasks{state="processing"}')).toBe(1)
    expect(figures.get('ytdlpd_tasks{state="waiting"}')).toBe(0)
    expect(figures.get('ytdlpd_attempts_total{kind="video",outcome="completed",code=""}')).toBe(1)
    expect(figures.get('ytdlpd_attempts_total{kind="video",outcome="error",code="private"}')).toBe(1)
    expect(figures.get('ytdlpd_attempt_seconds_count{kind="video"}')).toBe(2)
    expect(figures.get('ytdlpd_queue_wait_seconds_count')).toBe(2)
    expect(figures.get('ytdlpd_file_bytes_total')).toBe(1000)
    expect(figures.get('ytdlpd_build_info{version="0",yt_dlp="0",ffmpeg="0"}')).toBe(1)
    for (const name of [
      'ytdlpd_event_loop_lag_seconds',
      'ytdlpd_free_bytes',
      'ytdlpd_children',
      'ytdlpd_event_streams',
    ])
      expect(figures.get(name)).toBeGreaterThanOrEqual(0)
    expect(figures.get('process_resident_memory_bytes')).toBeGreaterThan(1e6)
    expect([...figures.values()].every(Number.isFinite)).toBe(true)
  })

  test('keeps its series few: no URL, key or task is a label', async () => {
    await using core = await startCore()
    await addWaiting(core)
    const task = await claimed(core)
    for (const kind of ['video', 'audio', 'info'] as const)
      core.ctx.metrics.attemptEnded({ ...task, request: { ...task.request, kind } }, { kind: 'cancelled' }, 10)
    const { text } = await core.call('GET', '/metrics')
    expect(parse(text).size).toBeLessThan(100)
    expect(text).not.toMatch(new RegExp(`${task.id}|video\\.example|${task.keyId}`))
  })

  test('is for this machine and for keys that may', async () => {
    await using core = await startCore()
    await core.keys.adopt('weak', 'weak-value', ['get_info'])
    await core.keys.adopt('watcher', 'watcher-value', ['get_metrics'])
    const get = (key: string | null, headers: Record<string, string>) => core.call('GET', '/metrics', { key, headers })
    expect((await get(null, {})).status).toBe(200)
    expect(await get(null, passedOn)).toMatchObject({ status: 401, body: { error: { code: 'key_missing' } } })
    expect((await get(null, { Forwarded: 'for=203.0.113.7' })).status).toBe(401)
    expect((await get(null, { Host: 'rebound.example' })).status).toBe(401)
    expect(await get('wrong', passedOn)).toMatchObject({ status: 401, body: { error: { code: 'key_invalid' } } })
    expect(await get('weak-value', passedOn)).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } })
    expect((await get('watcher-value', passedOn)).status).toBe(200)
    expect((await get(null, { ...passedOn, Authorization: 'Bearer watcher-value' })).status).toBe(200)
    expect((await core.call('POST', '/metrics')).status).toBe(405)
  })

  test('behind a proxy that is trusted nobody is from this machine', async () => {
    await using core = await startCore()
    const server = http.createServer(createApp(core.ctx, { trustProxy: true })).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`
    expect((await fetch(url)).status).toBe(401)
    expect((await fetch(url, { headers: { 'X-API-Key': core.admin } })).status).toBe(200)
    server.closeAllConnections()
    server.close()
  })
})

describe('/ready', () => {
  test('says that tasks can be taken, and what is in the way', async () => {
    await using core = await startCore()
    expect(await core.call('GET', '/ready', { key: null })).toMatchObject({
      status: 200,
      body: { ready: true, reasons: [] },
    })
    core.ctx.health.close()
    const stopping = await core.call('GET', '/ready', { key: null })
    expect([stopping.status, stopping.body]).toEqual([503, { ready: false, reasons: ['the daemon is stopping'] }])
    expect((await core.call('GET', '/health', { key: null })).status).toBe(200)
  })

  test('a database that does not answer is in the way', async () => {
    await using core = await startCore()
    await core.rig.ground.store.db.schema.dropTable('task_count').execute()
    expect(await core.call('GET', '/ready', { key: null })).toMatchObject({
      status: 503,
      body: { ready: false, reasons: ['the database does not answer'] },
    })
    expect((await core.call('GET', '/metrics')).text).not.toContain('ytdlpd_tasks{')
  })
})

describe('the id of a request', () => {
  test('is the client’s where it is harmless, and one of ours otherwise', async () => {
    await using core = await startCore()
    const idFor = async (given?: string) => {
      const headers = given === undefined ? {} : { 'X-Request-Id': given }
      return (await core.call('GET', '/ready', { headers })).headers.get('x-request-id')
    }
    const ours = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
    expect(await idFor('trace-1:2/3@host')).toBe('trace-1:2/3@host')
    expect(await idFor('x'.repeat(64))).toBe('x'.repeat(64))
    for (const given of [undefined, 'x'.repeat(65), 'a b', '<script>', '']) expect(await idFor(given)).toMatch(ours)
    expect(await idFor()).not.toBe(await idFor())
  })

  test('stands on answers of every face, on refusals too', async () => {
    await using core = await startCore()
    for (const path of ['/health', '/nowhere', '/v1/nowhere', '/status/x', '/docs/', '/openapi.json'])
      expect((await core.call('GET', path, { headers: { 'X-Request-Id': 'mine' } })).headers.get('x-request-id')).toBe(
        'mine',
      )
  })
})

async function claimed(core: CoreServer) {
  const task = await core.rig.ground.tasks.claim({ keyId: 'key-a', now: Date.now(), blockedHosts: [] })
  if (task === null) throw new Error('there is nothing to claim')
  return task
}
