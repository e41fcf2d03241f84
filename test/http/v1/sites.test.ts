import fs from 'node:fs/promises'
import path from 'node:path'
import { NO_LIMITS } from '../../../src/domain/key.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { waitFor } from '../../support/wait-for.ts'

const URL = 'https://www.youtube.com/watch?v=1'

describe('presets of sites', () => {
  let core: CoreServer
  let limited: string

  beforeAll(async () => {
    core = await startCore()
    const admin = core.keys.authenticate(core.admin)
    if (admin === null) throw new Error('there is no admin')
    const made = await core.keys.add(admin, {
      name: 'limited',
      permissions: ['get_video'],
      limits: { ...NO_LIMITS, presets: ['slow'] },
      credits: null,
      expiresAt: null,
    })
    limited = made.value
    const file = path.join(core.rig.ground.dir, 'config', 'sites.json')
    await fs.mkdir(path.dirname(file), { recursive: true })
    const home = { sites: ['youtube.com'], proxy: 'socks5://user:s3cret@proxy.example:1080' }
    const slow = { sites: ['youtube.com', 'vimeo.com'], sleep_requests: 2 }
    await fs.writeFile(file, JSON.stringify({ presets: { home, slow } }))
    await waitFor('the file to be read', () => Promise.resolve(core.ctx.sites.presets.names().length || null))
  })

  afterAll(() => core[Symbol.asyncDispose]())

  const detailsOf = (body: Readonly<Record<string, unknown>>) => (body['error'] as { details: unknown }).details
  const submit = (body: object, key = core.admin) => core.call('POST', '/v1/tasks', { key, body })

  test('are listed in words, without the proxy', async () => {
    const slow = {
      name: 'slow',
      sites: ['youtube.com', 'vimeo.com'],
      default: false,
      does: ['waits 2 s between requests'],
    }
    const answer = await core.call('GET', '/v1/sites')
    expect(answer.body).toEqual({
      items: [{ name: 'home', sites: ['youtube.com'], default: false, does: ['goes by a proxy of its own'] }, slow],
      next: null,
    })
    expect(answer.text).not.toMatch(/s3cret|proxy\.example/)
    expect((await core.call('GET', '/v1/sites', { key: limited })).body).toEqual({ items: [slow], next: null })
    expect((await core.call('GET', '/v1/sites', { key: null })).status).toBe(401)
  })

  test('can be asked for by name, where they are meant for the site', async () => {
    const accepted = await submit({ url: URL, site_preset: 'home' })
    expect(accepted.status).toBe(201)
    const { body } = await core.call('GET', `/v1/tasks/${String(accepted.body['id'])}`)
    expect(JSON.stringify(body)).toContain('"site_preset":"home"')
    expect((await submit({ url: URL, site_preset: 'slow' }, limited)).status).toBe(201)
  })

  test.each([
    [{ url: URL, site_preset: 'unknown' }, 'there is no preset "unknown"'],
    [{ url: 'https://vimeo.com/1', site_preset: 'home' }, 'the preset home is for youtube.com only'],
    [{ urls: [URL, 'https://vimeo.com/1'], site_preset: 'home' }, 'the preset home is for youtube.com only'],
  ])('%j is refused as a whole', async (body, message) => {
    const answer = await submit(body)
    expect(answer.status).toBe(400)
    expect(detailsOf(answer.body)).toEqual([{ field: 'site_preset', message }])
  })

  test('are refused to a key that may not use them, and are no place for options', async () => {
    expect((await submit({ url: URL, site_preset: 'home' }, limited)).status).toBe(403)
    for (const site_preset of [5, '', '--exec', { proxy: 'http://a' }]) {
      expect((await submit({ url: URL, site_preset })).status).toBe(400)
    }
  })
})
