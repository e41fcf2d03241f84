import fs from 'node:fs/promises'
import path from 'node:path'
import { TaskError } from '../../../src/domain/errors.ts'
import type { EngineRun } from '../../../src/engine/engine-run.ts'
import type { LookupOptions } from '../../../src/tasks/lookup.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { bulkDocument, flatEntry, playlistDocument } from '../../support/playlists.ts'
import { waitFor } from '../../support/wait-for.ts'

const PAGE = 'https://video.example/list'

const infoOf = (core: CoreServer, url: string, more = '', key?: string | null) =>
  core.call('GET', `/v1/info?url=${encodeURIComponent(url)}${more}`, key === undefined ? {} : { key })

/** Extractions that the test ends. */
class Site {
  readonly runs: { url: string; run: EngineRun; answer: (document: string) => void; fail: (error: Error) => void }[] =
    []

  readonly extract = (url: string, run: EngineRun): Promise<string> =>
    new Promise((resolve, reject) => {
      this.runs.push({ url, run, answer: resolve, fail: reject })
      run.signal.addEventListener('abort', () => reject(run.signal.reason as Error), { once: true })
    })

  async until(count: number): Promise<void> {
    await waitFor(`${count} extractions`, () => this.runs.length >= count)
  }
}

const answering = (document: string): Partial<LookupOptions> => ({ extract: () => Promise.resolve(document) })

async function keyWith(core: CoreServer, name: string, permissions: readonly string[]): Promise<string> {
  const { body } = await core.call('POST', '/create_key', { body: { name, permissions } })
  return String(body['key'])
}

describe('GET /v1/info', () => {
  test('shows a list of 5,000 entries page by page, each of them once and in order', async () => {
    await using core = await startCore({}, answering(bulkDocument(5_000)))
    const seen: unknown[] = []
    let more: string | null = '&limit=199'
    while (more !== null) {
      const { status, body } = await infoOf(core, PAGE, more)
      expect(status).toBe(200)
      expect(body['count']).toBe(5_000)
      seen.push(...(body['items'] as { position: number }[]).map(({ position }) => position))
      more = body['next'] === null ? null : `&limit=199&cursor=${body['next'] as string}`
    }
    expect(seen).toEqual(Array.from({ length: 5_000 }, (_, index) => index + 1))
    const beyond = await infoOf(core, PAGE, '&cursor=999999')
    expect(beyond.body).toMatchObject({ items: [], next: null })
  })

  test('asks the site once for calls at the same time and for a while after', async () => {
    const site = new Site()
    await using core = await startCore({}, site)
    const calls = Array.from({ length: 8 }, () => infoOf(core, PAGE))
    await site.until(1)
    site.runs[0]?.answer(playlistDocument([flatEntry('a')]))
    for (const { status } of await Promise.all(calls)) expect(status).toBe(200)
    expect((await infoOf(core, PAGE)).status).toBe(200)
    expect(site.runs).toHaveLength(1)
  })

  test('goes on as long as somebody waits, and ends when nobody does', async () => {
    const site = new Site()
    await using core = await startCore({}, site)
    const admin = core.keys.authenticate(core.admin)
    if (!admin) throw new Error('the key is gone')
    const first = new AbortController()
    const second = new AbortController()
    const look = { url: PAGE, sitePreset: null, cookies: true }
    const looks = [first, second].map(({ signal }) => core.ctx.lookups.look(admin, look, signal).catch(() => 'gone'))
    await site.until(1)
    first.abort(new TaskError('cancelled', 'gone'))
    expect(await looks[0]).toBe('gone')
    expect(site.runs[0]?.run.signal.aborted).toBe(false)
    second.abort(new TaskError('cancelled', 'gone'))
    expect(await looks[1]).toBe('gone')
    expect(site.runs[0]?.run.signal.aborted).toBe(true)
    // Who comes now gets a run of their own.
    const third = infoOf(core, PAGE)
    await site.until(2)
    site.runs[1]?.answer(playlistDocument([]))
    expect((await third).body).toMatchObject({ count: 0, items: [] })
  })

  test('gives each look a folder of its own, and leaves none behind', async () => {
    const site = new Site()
    await using core = await startCore({}, site)
    const calls = ['one', 'two'].map((name) => infoOf(core, `https://video.example/${name}`))
    await site.until(2)
    expect(new Set(site.runs.map(({ run }) => run.workDir)).size).toBe(2)
    expect(await core.ctx.files.workIds()).toHaveLength(2)
    for (const { answer } of site.runs) answer('{"id":"a"}')
    await Promise.all(calls)
    await waitFor('the folders to be gone', async () => (await core.ctx.files.workIds()).length === 0)
  })

  test('does not show one key what the site showed to the cookies of another', async () => {
    const site = new Site()
    await using core = await startCore({}, site)
    const url = 'https://video.example/watch'
    const other = await keyWith(core, 'other', ['get_info', 'set_cookies'])
    const jar = { body: { cookies: [{ name: 'session', value: 'x', domain: 'video.example', path: '/' }] } }
    const stored = await core.call('PUT', '/v1/cookies/video.example', { ...jar, key: other })
    expect(stored.status).toBeLessThan(300)
    const calls = [infoOf(core, url, '', other), infoOf(core, url)]
    await site.until(2)
    for (const { run, answer } of site.runs) {
      answer(JSON.stringify({ id: 'a', title: run.site.cookieFile === null ? 'for all' : 'for members' }))
    }
    expect((await Promise.all(calls)).map(({ body }) => body['title'])).toEqual(['for members', 'for all'])
    expect((await infoOf(core, url)).body['title']).toBe('for all')
  })

  test('lets only so many of a key run, makes others wait a while and then refuses them', async () => {
    const site = new Site()
    await using core = await startCore({}, { extract: site.extract, patienceMs: 100 })
    const calls = Array.from({ length: 3 }, (_, index) => infoOf(core, `https://video.example/${index}`))
    const refused = await Promise.race(calls)
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'queue_full' } } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(site.runs).toHaveLength(2)
    for (const { answer } of site.runs) answer('{"id":"a"}')
    const answers = await Promise.all(calls)
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 503])
  })

  test('ends a look that takes too long', async () => {
    const site = new Site()
    await using core = await startCore({}, { extract: site.extract, timeoutMs: 50 })
    const { status, body } = await infoOf(core, PAGE)
    expect(status).toBe(422)
    expect(body).toMatchObject({ error: { code: 'extraction_failed' } })
    expect(JSON.stringify(body)).toContain('timeout: ')
  })

  test('says why nothing can be learnt, with the code of the failure and what to do about it', async () => {
    await using core = await startCore(
      {},
      { extract: () => Promise.reject(new TaskError('private', 'The media is private.', { retryAfter: 7 })) },
    )
    const { status, headers, body } = await infoOf(core, PAGE)
    expect(status).toBe(422)
    expect(headers.get('retry-after')).toBe('7')
    expect(body).toEqual({
      error: {
        code: 'extraction_failed',
        message: 'private: The media is private.',
        details: [{ field: 'url', message: 'Give cookies of an account that may see it.' }],
      },
    })
  })

  test('leaves a site in peace that asked for it, and so do tasks', async () => {
    const site = new Site()
    await using core = await startCore({}, site)
    const first = infoOf(core, PAGE)
    await site.until(1)
    site.runs[0]?.fail(new TaskError('rate_limited', 'The site is limiting our requests.'))
    const details = [{ field: 'url', message: 'Ask again later.' }]
    expect(await first).toMatchObject({ status: 422, body: { error: { code: 'extraction_failed', details } } })
    const { status, body } = await infoOf(core, 'https://www.video.example/a')
    expect(status).toBe(422)
    expect(JSON.stringify(body)).toContain('rate_limited: ')
    expect(site.runs).toHaveLength(1)
    expect((await core.call('GET', '/v1/queue')).body['cooling_sites']).toEqual(['video.example'])
    const other = infoOf(core, 'https://other.example/a')
    await site.until(2)
    site.runs[1]?.answer('{"id":"a"}')
    expect((await other).status).toBe(200)
  })

  test('goes by the preset that is named, and without cookies where they are not wanted', async () => {
    const site = new Site()
    await using core = await startCore({}, site)
    const jar = { body: { cookies: [{ name: 'session', value: 'x', domain: 'video.example', path: '/' }] } }
    expect((await core.call('PUT', '/v1/cookies/video.example', jar)).status).toBeLessThan(300)
    const file = path.join(core.rig.ground.dir, 'config', 'sites.json')
    await fs.mkdir(path.dirname(file), { recursive: true })
    await fs.writeFile(file, JSON.stringify({ presets: { slow: { sites: ['video.example'], sleep_requests: 2 } } }))
    await waitFor('the file to be read', () => core.ctx.sites.presets.names().length > 0)
    for (const [index, more] of ['', '&site_preset=slow', '&site_preset=slow&cookies=false'].entries()) {
      const call = infoOf(core, PAGE, more)
      await site.until(index + 1)
      site.runs[index]?.answer('{"id":"a"}')
      expect((await call).status).toBe(200)
    }
    const ways = site.runs.map(({ run: { site: way } }) =>
      [way.preset?.name ?? 'none', way.cookieFile !== null].join(' '),
    )
    expect(ways).toEqual(['none true', 'slow true', 'slow false'])
    const elsewhere = await infoOf(core, 'https://other.example/', '&site_preset=slow')
    expect(elsewhere).toMatchObject({ status: 400, body: { error: { details: [{ field: 'site_preset' }] } } })
  })

  test('refuses addresses that must not be reached, before and after the name was looked up', async () => {
    await using core = await startCore(
      {},
      { extract: () => Promise.reject(new TaskError('egress_denied', 'This address may not be fetched.')) },
    )
    for (const url of ['http://10.0.0.1/', 'http://metadata.internal/', 'https://resolves-inside.example/']) {
      const { status, body } = await infoOf(core, url)
      expect(status).toBe(400)
      expect(body).toMatchObject({ error: { code: 'invalid_request', details: [{ field: 'url' }] } })
    }
  })

  test('takes a document that is no description for what it is', async () => {
    await using core = await startCore({}, answering('<html>'))
    const { status, body } = await infoOf(core, PAGE)
    expect(status).toBe(422)
    expect(JSON.stringify(body)).toContain('extractor_broken: ')
  })

  test.each([
    ['url', ''],
    ['url', '?url='],
    ['url', '?url=ftp://video.example/'],
    ['url', '?url=file:///etc/passwd'],
    ['url', '?url=-J'],
    ['limit', '?url=https://video.example/&limit=0'],
    ['limit', '?url=https://video.example/&limit=201'],
    ['limit', '?url=https://video.example/&limit=ten'],
    ['cursor', '?url=https://video.example/&cursor=-1'],
    ['cursor', '?url=https://video.example/&cursor=99999999'],
    ['site_preset', '?url=https://video.example/&site_preset=none'],
    ['site_preset', '?url=https://video.example/&site_preset=--proxy=x'],
    ['cookies', '?url=https://video.example/&cookies=maybe'],
    ['proxy', '?url=https://video.example/&proxy=http://10.0.0.1'],
    ['url', `?url=https://video.example/${'a'.repeat(5_000)}`],
  ])('names the field %s that is wrong', async (field, query) => {
    await using core = await startCore({}, answering('{"id":"a"}'))
    const { status, body } = await core.call('GET', `/v1/info${query}`)
    expect(status).toBe(400)
    expect(body).toMatchObject({ error: { code: 'invalid_request', details: [{ field }] } })
  })

  test('asks for a key, its permission and its sites', async () => {
    await using core = await startCore({}, answering('{"id":"a"}'))
    expect((await infoOf(core, PAGE, '', null)).status).toBe(401)
    expect((await infoOf(core, PAGE, '', 'no such key')).status).toBe(401)
    expect((await infoOf(core, PAGE, '', await keyWith(core, 'video', ['get_video']))).status).toBe(403)
    const info = await keyWith(core, 'info', ['get_info'])
    expect((await infoOf(core, PAGE, '', info)).status).toBe(200)
    const { id } = core.keys.require('info').key
    const admin = core.keys.authenticate(core.admin)
    if (!admin) throw new Error('the key is gone')
    const { limits } = core.keys.requireId(id)
    await core.keys.edit(admin, id, { limits: { ...limits, sites: ['other.example'] } })
    expect((await infoOf(core, PAGE, '', info)).status).toBe(403)
    expect((await infoOf(core, 'https://www.other.example/a', '', info)).status).toBe(200)
  })
})
