import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { complete } from '../../support/finished.ts'
import { ffmpeg } from '../../support/make-media.ts'
import { probe } from '../../support/media.ts'
import { taskOf } from '../../support/samples.ts'
import { tempDir } from '../../support/temp-dir.ts'

const CONTENT = Buffer.from(Array.from({ length: 1000 }, (_, n) => n % 256))

let core: CoreServer
beforeAll(async () => {
  core = await startCore({ publicBaseUrl: 'https://dl.example' })
  await core.keys.adopt('other', 'other-value', ['get_video'])
})
afterAll(() => core[Symbol.asyncDispose]())

const get = (where: string, options: Parameters<CoreServer['call']>[2] = {}) => core.call('GET', where, options)
const codeOf = ({ body }: { body: Record<string, unknown> }) =>
  (body['error'] as { code?: string } | undefined)?.code ?? null
/** The path and query of an absolute address. */
const local = (url: unknown) => {
  const { origin, pathname, search } = new URL(String(url))
  expect(origin).toBe('https://dl.example')
  return pathname + search
}

const waiting = async (keyName = 'admin') => {
  const { key } = core.keys.require(keyName)
  const task = taskOf({ keyId: key.id, keyName, notBefore: Date.now() + 3_600_000 })
  await core.rig.ground.tasks.add(task)
  return task.id
}

describe('the files of a task', () => {
  test('are listed with what is known of each', async () => {
    const id = await complete(core, 'admin', {
      files: [
        { name: 'video.mp4', content: CONTENT, duration: 12.5 },
        { name: 'video.en.srt', content: 'subtitles', kind: 'subtitles' },
      ],
    })
    const { status, body } = await get(`/v1/tasks/${id}/files`)
    expect(status).toBe(200)
    expect(body['items']).toEqual([
      {
        ...{
          name: 'video.mp4',
          kind: 'video',
          size: 1000,
          type: 'video/mp4',
          duration: 12.5,
          width: null,
          height: null,
        },
        ...{ note: null, sha256: null, url: `/files/${id}/video.mp4`, created_at: expect.any(String) as string },
      },
      expect.objectContaining({ name: 'video.en.srt', kind: 'subtitles', type: 'application/x-subrip' }),
    ])
    for (const { url } of body['items'] as { url: string }[]) expect((await get(url)).status).toBe(200)
  })

  test('get a checksum when it is asked for, which is kept', async () => {
    const id = await complete(core, 'admin', { files: [{ name: 'video.mp4', content: CONTENT }] })
    const sha256 = createHash('sha256').update(CONTENT).digest('hex')
    const ask = async (query = '') => {
      const { body } = await get(`/v1/tasks/${id}/files${query}`)
      return (body['items'] as { sha256: string | null }[]).map((item) => item.sha256)
    }
    await expect(ask()).resolves.toEqual([null])
    await expect(Promise.all([ask('?checksum=true'), ask('?checksum=true')])).resolves.toEqual([[sha256], [sha256]])
    fs.rmSync(core.rig.ground.files.pathOf(id, 'video.mp4')) // it is not read again
    await expect(ask()).resolves.toEqual([sha256])
    await expect(ask('?checksum=true')).resolves.toEqual([sha256])
  })

  test('get a checksum without waiting for a large one', async () => {
    const large = await complete(core, 'admin', { files: [{ name: 'video.mp4', content: CONTENT }] })
    const file = core.rig.ground.files.pathOf(large, 'video.mp4')
    fs.truncateSync(file, 300 * 2 ** 20) // takes no space
    const unknown = { duration: null, width: null, height: null, note: null }
    const files = JSON.stringify([{ name: 'video.mp4', kind: 'video', size: 300 * 2 ** 20, ...unknown }])
    await core.rig.ground.store.db.updateTable('task').set({ files }).where('id', '=', large).execute()
    const small = await complete(core, 'admin', { files: [{ name: 'video.mp4', content: CONTENT }] })
    const order: string[] = []
    const ask = (id: string) => get(`/v1/tasks/${id}/files?checksum=true`).then(() => order.push(id))
    await Promise.all([ask(large), ask(small)])
    expect(order).toEqual([small, large])
  })

  test('are of the type that they are: a sound is none of a video', async () => {
    const id = await complete(core, 'admin', { files: [{ name: 'audio.webm', content: 'sound', kind: 'audio' }] })
    expect((await get(`/v1/tasks/${id}/files`)).body['items']).toMatchObject([{ type: 'audio/webm' }])
    for (const where of ['stream', 'files/audio.webm'])
      expect((await get(`/v1/tasks/${id}/${where}`)).headers.get('content-type')).toBe('audio/webm')
    expect((await get('/v1/feed.xml')).text).toMatch(/audio\.webm[^>]+type="audio\/webm"/)
  })

  test('without a file on the disk have no checksum, and say so', async () => {
    const id = await complete(core, 'admin', {})
    fs.rmSync(core.rig.ground.files.pathOf(id, 'video.mp4'))
    const { status, body } = await get(`/v1/tasks/${id}/files?checksum=true`)
    expect([status, (body['items'] as { sha256: null }[])[0]?.sha256]).toEqual([200, null])
  })

  test('are none while the task waits', async () => {
    const id = await waiting()
    expect((await get(`/v1/tasks/${id}/files`)).body).toEqual({ items: [] })
    expect((await get(`/v1/tasks/${id}/files/video.mp4`)).status).toBe(404)
    for (const where of ['zip', 'thumbnail', 'stream']) {
      const answer = await get(`/v1/tasks/${id}/${where}`)
      expect([answer.status, codeOf(answer)]).toEqual([409, 'conflict'])
    }
    expect((await core.call('POST', `/v1/tasks/${id}/links`, { body: {} })).status).toBe(409)
  })

  test('are served whole, in parts, and by HEAD, each of them, at both addresses', async () => {
    const id = await complete(core, 'admin', {
      files: [
        { name: 'video.mp4', content: CONTENT },
        { name: 'video.en.vtt', content: 'WEBVTT', kind: 'subtitles' },
      ],
      outputFilename: 'Mine',
    })
    for (const base of [`/v1/tasks/${id}/files`, `/files/${id}`]) {
      const whole = await get(`${base}/video.mp4`)
      expect([whole.status, whole.headers.get('content-length'), whole.headers.get('accept-ranges')]).toEqual([
        200,
        '1000',
        'bytes',
      ])
      expect(whole.headers.get('content-disposition')).toBe('attachment; filename=Mine.mp4')
      const etag = whole.headers.get('etag') ?? ''
      const range = (value: string, more = {}) => get(`${base}/video.mp4`, { headers: { Range: value, ...more } })
      expect((await range('bytes=10-19')).headers.get('content-range')).toBe('bytes 10-19/1000')
      expect((await range('bytes=10-19', { 'If-Range': '"other"' })).status).toBe(200)
      expect((await range('bytes=10-19', { 'If-Range': etag })).status).toBe(206)
      expect((await range('bytes=1000-')).status).toBe(416)
      expect((await get(`${base}/video.mp4`, { headers: { 'If-None-Match': etag } })).status).toBe(304)
      const head = await core.call('HEAD', `${base}/video.mp4`)
      expect([head.status, head.headers.get('content-length'), head.text]).toEqual([200, '1000', ''])
      const subtitles = await get(`${base}/video.en.vtt?raw=true`)
      expect([subtitles.status, subtitles.text]).toEqual([200, 'WEBVTT'])
      expect(subtitles.headers.get('content-disposition')).toBe('inline; filename=Mine.en.vtt')
      const saved = await get(`${base}/video.en.vtt?raw=true&download=true`)
      expect(saved.headers.get('content-disposition')).toMatch(/^attachment/)
    }
  })

  test.each([
    'audio.mp4',
    'video.mp4%00',
    '%00',
    '..',
    '.',
    '%2e%2e',
    '..%2fvideo.mp4',
    '..%2f..%2fstate%2fseal.key',
    '..%2fOTHER%2fvideo.mp4',
    '..%5cOTHER%5cvideo.mp4',
    '%2fetc%2fpasswd',
    '.work',
    '..%2f.work',
    '.thumbnail.jpg',
    'VIDEO.MP4',
    'video.mp4%20',
    'x'.repeat(1000),
  ])('cannot be left by the name %s', async (name) => {
    const id = await complete(core, 'admin')
    const other = await complete(core, 'other')
    const answer = await get(`/v1/tasks/${id}/files/${name.replace('OTHER', other)}`)
    expect([answer.status, codeOf(answer)]).toEqual([404, 'file_not_found'])
    const link = await core.call('POST', `/v1/tasks/${id}/links`, { body: { name: decodeURIComponent(name) } })
    expect([link.status, codeOf(link)]).toEqual([404, 'file_not_found'])
  })

  test('cannot be left by a path of any other shape', async () => {
    const id = await complete(core, 'admin')
    for (const where of [
      `${id}/files/`,
      `${id}/files//video.mp4`,
      `${id}/files/../../../state/seal.key`,
      `${id}%2ffiles`,
    ]) {
      expect((await get(`/v1/tasks/${where}`)).status).not.toBe(500)
      expect((await get(`/v1/tasks/${where}`)).text).not.toContain('video\n')
    }
    expect((await get(`/v1/tasks/${id}/files/video.mp4%`)).status).toBe(400)
    expect((await get(`/v1/tasks/${id}/files/${'x'.repeat(1025)}`)).status).toBe(400)
    expect((await get(`/v1/tasks/${id}/files?checksum=maybe`)).body['error']).toMatchObject({
      details: [{ field: 'checksum' }],
    })
    expect((await get(`/v1/tasks/${id}/files/video.mp4?row=1`)).body['error']).toMatchObject({
      details: [{ field: 'row' }],
    })
  })

  test('do not exist for another key, and need one', async () => {
    const id = await complete(core, 'admin', { files: [{ name: 'video.mp4', content: CONTENT }] })
    for (const where of ['files', 'files/video.mp4', 'zip', 'thumbnail', 'stream']) {
      const other = await get(`/v1/tasks/${id}/${where}`, { key: 'other-value' })
      expect([other.status, codeOf(other)]).toEqual([404, 'task_not_found'])
      expect((await get(`/v1/tasks/${id}/${where}`, { key: null })).status).toBe(401)
    }
    const link = await core.call('POST', `/v1/tasks/${id}/links`, { body: {}, key: 'other-value' })
    expect(codeOf(link)).toBe('task_not_found')
    expect((await core.call('POST', `/v1/tasks/${id}/links`, { body: {}, key: null })).status).toBe(401)
  })
})

describe('a link', () => {
  const link = (id: string, body: unknown) => core.call('POST', `/v1/tasks/${id}/links`, { body })

  test('leads to its file without a key, and to no other', async () => {
    const files = [
      { name: 'video.mp4', content: CONTENT },
      { name: 'video.en.srt', content: 'subtitles', kind: 'subtitles' as const },
    ]
    const [id, second] = [await complete(core, 'admin', { files }), await complete(core, 'admin', { files })]
    const before = Date.now()
    const made = await link(id, { expires_in: 60 })
    expect(made.status).toBe(201)
    expect(Date.parse(String(made.body['expires_at'])) - before).toBeGreaterThanOrEqual(60_000)
    expect(Date.parse(String(made.body['expires_at'])) - before).toBeLessThan(70_000)
    expect(Date.parse(String(made.body['removed_at'])) - before).toBeLessThan(700_000)
    const where = local(made.body['url'])
    const given = await get(where, { key: null })
    expect([given.status, given.headers.get('content-length')]).toEqual([200, '1000'])
    expect(given.headers.get('content-disposition')).toMatch(/^attachment/)
    expect((await get(where, { key: null, headers: { Range: 'bytes=0-1' } })).status).toBe(206)
    for (const changed of [
      where.replace('video.mp4', 'video.en.srt'),
      where.replace(id, second),
      where.replace('signature=', 'signature=A'),
      where.replace(/expires=\d+/, 'expires=99999999999'),
      where.replace('/files/', '/v1/tasks/').replace('/video.mp4', '/files/video.mp4'),
      where.replace('video.mp4', 'zip'),
    ]) {
      expect((await get(changed, { key: null })).status).toBeGreaterThanOrEqual(400)
    }
    const named = await link(id, { name: 'video.en.srt' })
    expect((await get(local(named.body['url']), { key: null })).text).toBe('subtitles')
  })

  test('may show its file in place', async () => {
    const id = await complete(core, 'admin', { files: [{ name: 'video.mp4', content: CONTENT }] })
    const { body } = await link(id, { inline: true })
    const given = await get(local(body['url']), { key: null })
    expect(given.headers.get('content-type')).toBe('video/mp4')
    expect(given.headers.get('content-disposition')).toMatch(/^inline/)
  })

  test('ends with the file', async () => {
    const id = await complete(core, 'admin')
    const { body } = await link(id, {})
    await core.rig.ground.files.remove(id)
    expect((await get(local(body['url']), { key: null })).status).toBe(404)
    await core.rig.ground.tasks.remove(id)
    expect((await get(local(body['url']), { key: null })).status).toBe(404)
  })

  test.each([
    [{ expires_in: 59 }, 'expires_in'],
    [{ expires_in: 604_801 }, 'expires_in'],
    [{ expires_in: '60' }, 'expires_in'],
    [{ expires_in: 60.5 }, 'expires_in'],
    [{ expires_in: null }, 'expires_in'],
    [{ name: 7 }, 'name'],
    [{ inline: 'yes' }, 'inline'],
    [{ ttl: 60 }, 'ttl'],
    [{ name: 'x'.repeat(1025) }, 'name'],
  ])('is refused for %j', async (body, field) => {
    const id = await complete(core, 'admin')
    const answer = await link(id, body)
    expect([answer.status, answer.body['error']]).toEqual([
      400,
      expect.objectContaining({ details: [expect.objectContaining({ field })] }),
    ])
  })
})

describe('a thumbnail', () => {
  const dir = tempDir()
  afterAll(() => dir[Symbol.asyncDispose]())

  const content = async (name: string, args: string) => {
    await ffmpeg(dir.path, `${args} ${name}`)
    return fs.readFileSync(path.join(dir.path, name))
  }
  const picture = async (id: string) => {
    const answer = await fetch(`${core.url}/v1/tasks/${id}/thumbnail`, { headers: { 'X-API-Key': core.admin } })
    if (answer.status !== 200) return answer.status
    expect(answer.headers.get('content-disposition')).toMatch(/^inline/)
    const file = path.join(dir.path, 'got')
    fs.writeFileSync(file, Buffer.from(await answer.arrayBuffer()))
    const [stream] = (await probe(file)).streams
    return [answer.headers.get('content-type'), stream?.width, stream?.height]
  }

  test('is the one that was written', async () => {
    const jpeg = await content('written.jpg', '-f lavfi -i testsrc=s=64x48:d=1 -frames:v 1 -update 1')
    const id = await complete(core, 'admin', {
      files: [
        { name: 'video.mp4', content: 'video' },
        { name: 'thumbnail.jpg', content: jpeg, kind: 'thumbnail' },
      ],
    })
    await expect(picture(id)).resolves.toEqual(['image/jpeg', 64, 48])
  })

  test('is a frame of the video, made once, in no list, and goes with the task', async () => {
    const video = await content('video.mp4', '-f lavfi -i testsrc=s=1280x720:d=2 -pix_fmt yuv420p')
    const id = await complete(core, 'admin', { files: [{ name: 'video.mp4', content: video, duration: 2 }] })
    await expect(Promise.all([picture(id), picture(id)])).resolves.toEqual([
      ['image/jpeg', 640, 360],
      ['image/jpeg', 640, 360],
    ])
    const { files } = core.rig.ground
    const folder = path.dirname(files.pathOf(id, 'video.mp4'))
    expect(fs.readdirSync(folder).toSorted()).toEqual(['.thumbnail.jpg', 'video.mp4'])
    await expect(files.workIds()).resolves.not.toContain(id)
    fs.rmSync(path.join(folder, 'video.mp4')) // it is not looked at again
    await expect(picture(id)).resolves.toEqual(['image/jpeg', 640, 360])
    const { body } = await get(`/v1/tasks/${id}/files`)
    expect(body['items']).toHaveLength(1)
    expect((await get(`/v1/tasks/${id}/files/.thumbnail.jpg`)).status).toBe(404)
    expect((await get(`/files/${id}/.thumbnail.jpg`)).status).toBe(404)
    await files.remove(id)
    expect(fs.existsSync(folder)).toBe(false)
    await expect(picture(id)).resolves.toBe(404)
  })

  test('is the cover of an audio, and missing where there is none', async () => {
    const plain = await content('plain.mp3', '-f lavfi -i sine=d=1')
    const covered = await content(
      'covered.mp3',
      '-f lavfi -i sine=d=1 -f lavfi -i testsrc=s=300x300:d=1 -map 0 -map 1 -frames:v 1 -c:v mjpeg -disposition:v attached_pic',
    )
    const audio = (bytes: Buffer) =>
      complete(core, 'admin', { files: [{ name: 'audio.mp3', content: bytes, kind: 'audio' }] })
    await expect(picture(await audio(covered))).resolves.toEqual(['image/jpeg', 300, 300])
    const none = await audio(plain)
    await expect(picture(none)).resolves.toBe(404)
    await expect(picture(none)).resolves.toBe(404)
  })

  test('is missing where the file is no media, and where it is gone', async () => {
    await expect(picture(await complete(core, 'admin'))).resolves.toBe(404)
    const info = await complete(core, 'admin', { files: [{ name: 'info.json', content: '{}', kind: 'info' }] })
    await expect(picture(info)).resolves.toBe(404)
  })
})

describe('a stream', () => {
  test.each(['video.mp4', 'video.webm', 'audio.mp3', 'audio.m4a', 'audio.opus'])(
    'of %s is shown in place, in parts',
    async (name) => {
      const kind = name.startsWith('video') ? 'video' : 'audio'
      const id = await complete(core, 'admin', { files: [{ name, content: CONTENT, kind }] })
      const answer = await get(`/v1/tasks/${id}/stream`, { headers: { Range: 'bytes=0-9' } })
      expect([answer.status, answer.headers.get('content-range')]).toEqual([206, 'bytes 0-9/1000'])
      expect(answer.headers.get('content-type')).toMatch(new RegExp(`^(${kind}/|video/)`))
      expect(answer.headers.get('content-disposition')).toMatch(/^inline/)
      expect((await core.call('HEAD', `/v1/tasks/${id}/stream`)).status).toBe(200)
    },
  )

  test.each([
    ['video.mkv', 'video', /mp4 or webm/],
    ['audio.wma', 'audio', /mp3/],
    ['info.json', 'info', /nothing to play/],
  ] as const)('of %s is refused with what to ask for', async (name, kind, why) => {
    const id = await complete(core, 'admin', { files: [{ name, content: CONTENT, kind }] })
    const answer = await get(`/v1/tasks/${id}/stream`)
    expect([answer.status, answer.body['error']]).toEqual([
      409,
      expect.objectContaining({ code: 'conflict', message: expect.stringMatching(why) as string }),
    ])
  })
})
