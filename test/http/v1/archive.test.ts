import { startCore, type CoreServer } from '../../support/core-server.ts'

const bring = (core: CoreServer, lines: readonly unknown[], key = core.admin) =>
  core.call('POST', '/v1/archive', { key, body: { lines } })

async function keyWith(core: CoreServer, name: string, permissions: readonly string[]): Promise<string> {
  const { body } = await core.call('POST', '/create_key', { body: { name, permissions } })
  return String(body['key'])
}

describe('/v1/archive', () => {
  test('takes over the lines of yt-dlp, each once', async () => {
    await using core = await startCore()
    const lines = ['youtube dQw4w9WgXcQ', '', 'Vimeo 76979871', 'youtube dQw4w9WgXcQ', '  soundcloud 1  ']
    expect((await bring(core, lines)).body).toEqual({ added: 3 })
    expect((await bring(core, ['youtube dQw4w9WgXcQ', 'youtube new'])).body).toEqual({ added: 1 })
    const { body } = await core.call('GET', '/v1/archive')
    const items = body['items'] as Record<string, unknown>[]
    expect(items.map((item) => String(item['media_id'])).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'soundcloud 1',
      'vimeo 76979871',
      'youtube dQw4w9WgXcQ',
      'youtube new',
    ])
    expect(items[0]).toMatchObject({ title: null, task_id: null })
    expect(body['next']).toBeNull()
  })

  test('shows 10,000 entries page by page, each once', async () => {
    await using core = await startCore()
    const lines = Array.from({ length: 10_000 }, (_, index) => `youtube ${String(index).padStart(5, '0')}`)
    expect((await bring(core, lines)).body).toEqual({ added: 10_000 })
    const seen = new Set<unknown>()
    let pages = 0
    let more: string | null = ''
    while (more !== null) {
      const { body } = await core.call('GET', `/v1/archive?limit=200${more}`)
      for (const item of body['items'] as Record<string, unknown>[]) seen.add(item['media_id'])
      more = body['next'] === null ? null : `&cursor=${body['next'] as string}`
      pages++
    }
    expect(seen.size).toBe(10_000)
    expect(pages).toBe(50)
    expect((await core.call('DELETE', '/v1/archive')).body).toEqual({ removed: 10_000 })
    expect((await core.call('GET', '/v1/archive')).body).toEqual({ items: [], next: null })
  })

  test('forgets one', async () => {
    await using core = await startCore()
    await bring(core, ['youtube a/b', 'youtube c'])
    const one = '/v1/archive/youtube%20a%2Fb'
    expect((await core.call('DELETE', one)).body).toEqual({ removed: 1 })
    const again = await core.call('DELETE', one)
    expect(again).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
  })

  test('is of each key alone', async () => {
    await using core = await startCore()
    const other = await keyWith(core, 'other', ['get_playlist'])
    await bring(core, ['youtube mine'])
    await bring(core, ['youtube theirs'], other)
    expect((await core.call('DELETE', '/v1/archive/youtube%20mine', { key: other })).status).toBe(404)
    expect((await core.call('DELETE', '/v1/archive', { key: other })).body).toEqual({ removed: 1 })
    const { body } = await core.call('GET', '/v1/archive')
    expect(body).toMatchObject({ items: [{ media_id: 'youtube mine' }] })
  })

  test.each<[string, unknown, string]>([
    ['nothing', {}, 'lines'],
    ['a text', { lines: 'youtube a' }, 'lines'],
    ['a line without an id', { lines: ['youtube'] }, 'lines.0'],
    ['a number', { lines: ['youtube a', 7] }, 'lines.1'],
    ['two lines in one', { lines: ['youtube a\nyoutube b'] }, 'lines.0'],
    ['a line that is too long', { lines: [`youtube ${'a'.repeat(300)}`] }, 'lines.0'],
    ['10,001 lines', { lines: Array.from({ length: 10_001 }, () => 'youtube a') }, 'lines'],
    ['a field too many', { lines: [], key: 'other' }, 'key'],
  ])('refuses %s', async (_name, body, field) => {
    await using core = await startCore()
    const answer = await core.call('POST', '/v1/archive', { body })
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ error: { code: 'invalid_request', details: [{ field }] } })
  })

  test.each(['limit=0', 'limit=201', 'cursor=x', 'cursor=', 'order=asc'])('refuses a list with %s', async (query) => {
    await using core = await startCore()
    const { status, body } = await core.call('GET', `/v1/archive?${query}`)
    expect(status).toBe(400)
    expect(body).toMatchObject({ error: { details: [{ field: query.split('=')[0] }] } })
  })

  test('asks for a key and its permission', async () => {
    await using core = await startCore()
    const video = await keyWith(core, 'video', ['get_video'])
    for (const [method, path] of [
      ['GET', '/v1/archive'],
      ['POST', '/v1/archive'],
      ['DELETE', '/v1/archive'],
      ['DELETE', '/v1/archive/youtube%20a'],
    ] as const) {
      expect((await core.call(method, path, { key: null })).status).toBe(401)
      expect((await core.call(method, path, { key: video })).status).toBe(403)
    }
  })
})
