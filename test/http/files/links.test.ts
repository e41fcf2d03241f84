import fs from 'node:fs'
import path from 'node:path'
import { isSigned, signedFileUrl } from '../../../src/http/files/links.ts'
import { openSeal } from '../../../src/keys/seal.ts'
import type { Task } from '../../../src/domain/task.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { SAMPLE_FILE, taskOf } from '../../support/samples.ts'
import { tempDir } from '../../support/temp-dir.ts'

const ID = 'abcdefgh12345678'
const finished = (finishedAt: number) => ({ id: ID, finishedAt }) as Task

describe('a signed address', () => {
  test('holds for its path until the file goes, and for nothing else', async () => {
    await using dir = tempDir()
    const seal = openSeal(dir.path)
    const url = new URL(
      signedFileUrl('https://dl.example', finished(Date.now()), SAMPLE_FILE, { seal, retentionMs: 60_000 }),
    )
    const query = Object.fromEntries(url.searchParams)
    expect(url.origin + url.pathname).toBe(`https://dl.example/files/${ID}/video.mp4`)
    expect(Number(query['expires'])).toBeCloseTo(Date.now() / 1000 + 60, -1)
    expect(isSigned(url.pathname, query, seal)).toBe(true)
    expect(isSigned(`/files/${ID}/info.json`, query, seal)).toBe(false)
    expect(isSigned(url.pathname.toUpperCase(), query, seal)).toBe(false)
    for (const changed of [
      { ...query, expires: String(Number(query['expires']) + 1) },
      { ...query, expires: `${query['expires']}0` },
      { ...query, expires: `0${query['expires']}` },
      { ...query, expires: ` ${query['expires']}` },
      { ...query, expires: [query['expires']] },
      { ...query, expires: '1e12' },
      { ...query, signature: '' },
      { ...query, signature: `${query['signature']}=` },
      { ...query, signature: [query['signature']] },
      { expires: query['expires'] },
      {},
    ]) {
      expect(isSigned(url.pathname, changed, seal)).toBe(false)
    }
  })

  test('ends with the file it leads to, and with the key file that made it', async () => {
    await using dir = tempDir()
    await using other = tempDir()
    const seal = openSeal(dir.path)
    const queryAt = (finishedAt: number) =>
      Object.fromEntries(
        new URL(signedFileUrl('http://x', finished(finishedAt), SAMPLE_FILE, { seal, retentionMs: 60_000 }))
          .searchParams,
      )
    const file = `/files/${ID}/video.mp4`
    expect(isSigned(file, queryAt(Date.now() - 58_000), seal)).toBe(true)
    expect(isSigned(file, queryAt(Date.now() - 61_000), seal)).toBe(false)
    expect(isSigned(file, queryAt(Date.now()), openSeal(other.path))).toBe(false)
  })
})

describe('a finished file', () => {
  let core: CoreServer
  let mine: string
  let link: URL
  const content = Buffer.from(Array.from({ length: 1000 }, (_, n) => n % 256))

  /** A completed task of a key, with its file. */
  async function complete(keyName: string, name: string, bytes: Buffer | string, outputFilename: string | null = null) {
    const { key } = core.keys.require(keyName)
    const { tasks, files } = core.rig.ground
    const base = taskOf({ keyId: key.id, keyName })
    const task = { ...base, request: { ...base.request, outputFilename } }
    await tasks.add(task)
    const claimed = await tasks.claim({ keyId: key.id, now: Date.now(), blockedHosts: [] })
    const work = path.join(await files.openWork(task.id, 1), name)
    fs.writeFileSync(work, bytes)
    const file = {
      ...(await files.publish(task.id, work, name)),
      kind: 'video' as const,
      duration: null,
      width: null,
      height: null,
      note: null,
    }
    await tasks.settle(task.id, claimed?.attempt ?? 0, { kind: 'completed', files: [file], title: null }, Date.now())
    return task.id
  }

  beforeAll(async () => {
    core = await startCore()
    await core.keys.adopt('other', 'other-value', ['get_video'])
    mine = await complete('admin', 'video.mp4', content)
    const { body } = await core.call('GET', `/status/${mine}`)
    link = new URL(String(body['file_url']))
    expect(body['file']).toBe(`/files/${mine}/video.mp4`)
  })
  afterAll(() => core[Symbol.asyncDispose]())

  const get = (where: string, options: Parameters<CoreServer['call']>[2] = {}) => core.call('GET', where, options)

  test('is given to the key that made it, and to whoever has its signed address', async () => {
    const own = await get(`/files/${mine}/video.mp4`)
    expect([own.status, own.headers.get('content-length')]).toEqual([200, '1000'])
    expect(own.headers.get('content-type')).toBe('video/mp4')
    expect(own.headers.get('x-content-type-options')).toBe('nosniff')
    const signed = await get(`${link.pathname}${link.search}`, { key: null })
    expect(signed.status).toBe(200)
  })

  test('is missing for every other key, and asks for a key without one', async () => {
    const other = await get(`/files/${mine}/video.mp4`, { key: 'other-value' })
    expect([other.status, other.body]).toEqual([404, { error: 'File not found' }])
    expect((await get(`/files/${mine}/video.mp4`, { key: null })).status).toBe(401)
    expect((await get(`${link.pathname}?expires=9999999999&signature=x`, { key: null })).status).toBe(401)
    expect((await get(`/files/${mine}/video.mp4${link.search}x`, { key: null })).status).toBe(401)
  })

  test.each([
    'ID/audio.mp4',
    'ID/video.mp4/',
    'ID/',
    'ID',
    '',
    'ID/../OTHER/video.mp4',
    'ID/..%2fOTHER/video.mp4',
    'ID%2fvideo.mp4',
    '..%2fstate%2fseal.key',
    '%2e%2e/state/seal.key',
    'ID/video.mp4%00',
    'ID/%00',
    'ID/..%5c..%5cstate',
    '.work/ID.1/video.mp4',
    'ID//video.mp4',
    '/etc/passwd',
    '%2fetc%2fpasswd',
    'ID/video.mp4%',
  ])('cannot be left by the path %s', async (where) => {
    const other = await complete('other', 'video.mp4', 'of another key')
    const answer = await get(`/files/${where.replace('ID', mine).replace('OTHER', other)}`)
    expect([answer.status, answer.body]).toEqual([404, { error: 'File not found' }])
  })

  test('is missing once a link stands in its place', async () => {
    const id = await complete('admin', 'video.mp4', 'real')
    const file = core.rig.ground.files.pathOf(id, 'video.mp4')
    fs.rmSync(file)
    fs.symlinkSync(`${core.rig.ground.dir}/state/seal.key`, file)
    expect((await get(`/files/${id}/video.mp4`)).status).toBe(404)
  })

  test('is served in parts, and only if it has changed', async () => {
    const range = (value: string, more = {}) => get(`/files/${mine}/video.mp4`, { headers: { Range: value, ...more } })
    const part = await range('bytes=10-19')
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 10-19/1000'])
    expect((await range('bytes=-5')).headers.get('content-range')).toBe('bytes 995-999/1000')
    const beyond = await range('bytes=1000-')
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */1000'])
    expect(typeof beyond.body['error']).toBe('string')
    const etag = part.headers.get('etag') ?? ''
    expect(etag).not.toBe('')
    const unchanged = await get(`/files/${mine}/video.mp4`, { headers: { 'If-None-Match': etag } })
    expect([unchanged.status, unchanged.text]).toEqual([304, ''])
    expect((await range('bytes=0-9', { 'If-Range': '"another"' })).status).toBe(200)
    expect((await range('bytes=0-9', { 'If-Range': etag })).status).toBe(206)
    const head = await core.call('HEAD', `/files/${mine}/video.mp4`)
    expect([head.status, head.headers.get('content-length'), head.text]).toEqual([200, '1000', ''])
  })

  test('has the name that was asked for, whatever is in it, and its real extension', async () => {
    for (const [asked, shown] of [
      ['Žižkov 🎬', /filename\*=UTF-8''%C5%BDi%C5%BEkov%20%F0%9F%8E%AC\.mp4/],
      ['quotes "in" it; x=y', /^attachment; filename="quotes \\"in\\" it; x=y\.mp4"/],
      ['clip.MP4', /^attachment; filename="?clip\.MP4"?$/],
    ] as const) {
      const id = await complete('admin', 'video.mp4', 'x', asked)
      const answer = await get(`/files/${id}/video.mp4`)
      expect([answer.status, answer.headers.get('content-disposition')]).toEqual([200, expect.stringMatching(shown)])
      const raw = await get(`/files/${id}/video.mp4?raw=true`)
      expect(raw.headers.get('content-disposition')).toMatch(/^inline/)
    }
  })

  test('that describes a medium can be asked for its parts', async () => {
    const info = { title: 'A', duration: 5, formats: [] }
    const id = await complete('admin', 'info.json', JSON.stringify(info))
    expect((await get(`/files/${id}/info.json`)).body).toEqual(info)
    expect((await get(`/files/${id}/info.json?title&duration&qualities&`)).text).toBe(
      '{"title":"A","duration":5,"qualities":{"audio":{},"video":{}}}',
    )
    const nothing = await get(`/files/${id}/info.json?nothing`)
    expect([nothing.status, nothing.body]).toEqual([404, { error: 'No matching parameters' }])
    const { body } = await core.call('GET', `/status/${id}`)
    const signed = new URL(String(body['file_url']))
    expect((await get(`${signed.pathname}${signed.search}&title`, { key: null })).body).toEqual({ title: 'A' })
  })

  test('is open to whoever knows it where the operator wants that', async () => {
    await using open = await startCore({ publicFiles: true, publicStatus: true })
    const { body } = await open.call('POST', '/get_info', { body: { url: 'https://video.example/' } })
    const id = String(body['task_id'])
    expect((await open.call('GET', `/status/${id}`, { key: null })).body['status']).toBe('waiting')
    expect((await open.call('GET', `/status/${id}`, { key: 'wrong' })).status).toBe(401)
    expect((await open.call('GET', `/files/${id}/info.json`, { key: null })).status).toBe(404)
  })
})
