import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { complete, completeBatch } from '../../support/finished.ts'
import { tempDir } from '../../support/temp-dir.ts'

const run = promisify(execFile)

/** What Python's own parsers of XML and of dates read in a feed. */
const READ = `
import json, sys, xml.etree.ElementTree as tree
from email.utils import parsedate_to_datetime
it = '{http://www.itunes.com/dtds/podcast-1.0.dtd}'
root = tree.parse(sys.argv[1]).getroot()
channel = root.find('channel')
print(json.dumps({'version': root.get('version'), 'title': channel.findtext('title'), 'link': channel.findtext('link'),
  'description': channel.findtext('description'), 'explicit': channel.findtext(it + 'explicit'),
  'items': [{'title': i.findtext('title'), 'link': i.findtext('link'), 'guid': i.findtext('guid'),
    'permalink': i.find('guid').get('isPermaLink'), 'at': parsedate_to_datetime(i.findtext('pubDate')).timestamp(),
    'enclosure': i.find('enclosure').attrib, 'duration': i.findtext(it + 'duration')} for i in channel.findall('item')]}))
`

type Item = Readonly<{
  title: string
  link: string
  guid: string
  permalink: string
  at: number
  enclosure: Readonly<{ url: string; length: string; type: string }>
  duration: string | null
}>
type Feed = Readonly<{
  version: string
  title: string
  link: string
  description: string
  explicit: string
  items: readonly Item[]
}>

let core: CoreServer
const dir = tempDir()
beforeAll(async () => {
  core = await startCore({ publicBaseUrl: 'https://dl.example' })
})
afterAll(async () => {
  await core[Symbol.asyncDispose]()
  await dir[Symbol.asyncDispose]()
})

const get = (where: string, options: Parameters<CoreServer['call']>[2] = {}) => core.call('GET', where, options)
const local = (url: unknown) => {
  const { origin, pathname, search } = new URL(String(url))
  expect(origin).toBe('https://dl.example')
  return pathname + search
}

let keys = 0
/** A key that has nothing yet, and its value. */
async function newKey(): Promise<{ name: string; value: string }> {
  const name = `feed-${++keys}`
  await core.keys.adopt(name, `${name}-value`, ['get_video'])
  return { name, value: `${name}-value` }
}

async function read(where: string, key: string | null = core.admin): Promise<Feed> {
  const answer = await get(where, { key })
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/rss+xml; charset=utf-8'])
  const file = path.join(dir.path, 'feed.xml')
  fs.writeFileSync(file, answer.text)
  return JSON.parse((await run('/usr/bin/python3', ['-c', READ, file])).stdout) as Feed
}

describe('a feed', () => {
  test('of a key shows its videos and audios, newest first, and each can be fetched', async () => {
    const { name, value } = await newKey()
    const first = await complete(core, name, {
      files: [{ name: 'audio.mp3', content: 'sound', kind: 'audio', duration: 61.4 }],
      title: 'First',
      url: 'https://video.example/watch?v=1&t=2',
    })
    await complete(core, name, { files: [{ name: 'info.json', content: '{}', kind: 'info' }] })
    const second = await complete(core, name, {
      files: [
        { name: 'video.mp4', content: 'picture' },
        { name: 'video.en.srt', content: 's', kind: 'subtitles' },
      ],
      title: 'Second',
    })
    const feed = await read('/v1/feed.xml', value)
    expect(feed).toMatchObject({
      version: '2.0',
      title: `Downloads of ${name}`,
      link: 'https://dl.example',
      explicit: 'false',
    })
    expect(feed.items.map(({ guid }) => guid)).toEqual([`${second}/video.mp4`, `${first}/audio.mp3`])
    expect(feed.items[1]).toMatchObject({
      ...{ title: 'First', link: 'https://video.example/watch?v=1&t=2', permalink: 'false', duration: '61' },
      enclosure: { length: '5', type: 'audio/mpeg' },
    })
    expect(feed.items[0]?.duration).toBeNull()
    expect(Math.abs((feed.items[0]?.at ?? 0) * 1000 - Date.now())).toBeLessThan(60_000)
    for (const { enclosure } of feed.items) {
      const file = await get(local(enclosure.url), { key: null, headers: { Range: 'bytes=0-1' } })
      expect([file.status, file.headers.get('content-range')]).toEqual([206, `bytes 0-1/${enclosure.length}`])
    }
  })

  test.each([
    ['<script>alert("x")</script> & \'y\' ]]>', '<script>alert("x")</script> & \'y\' ]]>'],
    [']]><item><title>forged', ']]><item><title>forged'],
    ['\u0000\u0008control\u001f \uffff', 'control '],
    ['broken \ud83c', 'broken \ufffd'],
    ['🎬 שלום \u202e', '🎬 שלום \u202e'],
    ['x'.repeat(1000), 'x'.repeat(1000)],
    ['&amp; &#0;', '&amp; &#0;'],
  ])('reads %j as text', async (title, shown) => {
    const { name, value } = await newKey()
    await complete(core, name, { title })
    const { batch } = await completeBatch(core, name, { title, tasks: [{ title }] })
    const feed = await read(`/v1/batches/${batch}/feed.xml`, value)
    expect([feed.title, feed.items.map((item) => item.title)]).toEqual([shown, [shown]])
    expect((await read('/v1/feed.xml', value)).items.map((item) => item.title)).toEqual([shown, shown])
  })

  test('of a batch shows its parts in their order, also while it goes on', async () => {
    const { batch, ids } = await completeBatch(core, 'admin', {
      title: 'A series',
      tasks: [{ title: 'One' }, { title: 'Two' }, { unfinished: true }],
    })
    const feed = await read(`/v1/batches/${batch}/feed.xml`)
    expect(feed.title).toBe('A series')
    expect(feed.items.map(({ guid }) => guid)).toEqual(ids.slice(0, 2).map((id) => `${id}/video.mp4`))
    for (const { enclosure } of feed.items) expect((await get(local(enclosure.url), { key: null })).status).toBe(200)
  })

  test('holds 200 episodes at most, and may be empty', async () => {
    const { name, value } = await newKey()
    expect((await read('/v1/feed.xml', value)).items).toEqual([])
    const files = Array.from({ length: 205 }, (_, index) => ({ name: `video-${index}.mp4`, content: '' }))
    await complete(core, name, { files })
    expect((await read('/v1/feed.xml', value)).items).toHaveLength(200)
  })

  test('is not sent again to a reader that has it', async () => {
    const { name, value } = await newKey()
    await complete(core, name)
    const etag = (await get('/v1/feed.xml', { key: value })).headers.get('etag') ?? ''
    const again = await get('/v1/feed.xml', { key: value, headers: { 'If-None-Match': etag } })
    expect([etag === '', again.status, again.text]).toEqual([false, 304, ''])
    await complete(core, name)
    expect((await get('/v1/feed.xml', { key: value, headers: { 'If-None-Match': etag } })).status).toBe(200)
  })

  test('is the key’s own', async () => {
    const { batch } = await completeBatch(core, 'admin', { title: null, tasks: [{}] })
    const { value } = await newKey()
    expect((await get(`/v1/batches/${batch}/feed.xml`, { key: value })).status).toBe(404)
    expect((await read('/v1/feed.xml', value)).items).toEqual([])
    expect((await get('/v1/feed.xml', { key: null })).status).toBe(401)
    expect((await get('/v1/feed.xml?limit=5', { key: value })).status).toBe(400)
  })
})

describe('the address of a feed', () => {
  const create = (body: unknown, key = core.admin) => core.call('POST', '/v1/feeds', { body, key })

  test('works without a key, for that feed alone, until its key is deleted', async () => {
    const { name, value } = await newKey()
    const { batch } = await completeBatch(core, name, { title: 'Mine', tasks: [{}, {}] })
    await complete(core, name)
    const all = await create({}, value)
    const one = await create({ batch, expires_in: 3_600 }, value)
    expect([all.status, one.status]).toEqual([201, 201])
    expect(Date.parse(String(all.body['expires_at'])) - Date.now()).toBeGreaterThan(364 * 86_400_000)
    const [whereAll, whereOne] = [local(all.body['url']), local(one.body['url'])]
    expect((await read(whereAll, null)).items).toHaveLength(3)
    expect((await read(whereOne, null)).items).toHaveLength(2)
    const admin = core.keys.require('admin').key.id
    const query = whereAll.slice(whereAll.indexOf('?'))
    for (const changed of [
      `/v1/batches/${batch}/feed.xml${query}`,
      `/v1/batches/${batch}/zip${query}`,
      whereAll.replace(/key=[^&]+/, `key=${admin}`),
      whereAll.replace(/expires=\d+/, 'expires=99999999999'),
      whereAll.replace(/expires=\d+/, 'expires=1'),
      `${whereAll}x`,
      '/v1/feed.xml?signature=x',
      '/v1/feed.xml?signature=&key=&expires=',
    ]) {
      const answer = await get(changed, { key: null })
      expect([changed, answer.status, (answer.body['error'] as { code: string }).code]).toEqual([
        changed,
        404,
        'not_found',
      ])
    }
    expect((await get(`/v1/tasks${query}`, { key: null })).status).toBe(401)
    await core.keys.remove(name)
    for (const where of [whereAll, whereOne]) expect((await get(where, { key: null })).status).toBe(404)
  })

  test('rests while its key is disabled', async () => {
    const { name, value } = await newKey()
    const { body } = await create({}, value)
    const where = local(body['url'])
    const { id } = core.keys.require(name).key
    await core.call('POST', `/v1/keys/${id}/disable`, { body: {} })
    expect((await get(where, { key: null })).status).toBe(404)
    await core.call('POST', `/v1/keys/${id}/enable`, { body: {} })
    expect((await get(where, { key: null })).status).toBe(200)
  })

  test.each([
    [{ expires_in: 3_599 }, 'expires_in'],
    [{ expires_in: 365 * 86_400 + 1 }, 'expires_in'],
    [{ expires_in: 'a year' }, 'expires_in'],
    [{ batch: 5 }, 'batch'],
    [{ batches: [] }, 'batches'],
    [{ batch: 'x'.repeat(65) }, 'batch'],
  ])('is refused for %j', async (body, field) => {
    const answer = await create(body)
    expect([answer.status, answer.body['error']]).toEqual([
      400,
      expect.objectContaining({ details: [expect.objectContaining({ field })] }),
    ])
  })

  test('is refused for a batch of another key, and without a key', async () => {
    const { batch } = await completeBatch(core, 'admin', { title: null, tasks: [{}] })
    const { value } = await newKey()
    expect((await create({ batch }, value)).status).toBe(404)
    expect((await core.call('POST', '/v1/feeds', { body: {}, key: null })).status).toBe(401)
  })
})
