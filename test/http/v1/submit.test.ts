import fc from 'fast-check'
import { requestSchema } from '../../../src/http/v1/request-view.ts'
import { taskBody } from '../../../src/http/v1/task-body.ts'
import { submitTasks } from '../../../src/http/v1/submit-route.ts'
import { type Answer, type CoreServer, startCore } from '../../support/core-server.ts'

const URL = 'https://video.example/watch'

let core: CoreServer
beforeAll(async () => {
  core = await startCore()
  await core.keys.adopt('info-only', 'info-only-value', ['get_info'])
  await core.keys.adopt('lists', 'lists-value', ['get_playlist', 'get_info'])
})
afterAll(() => core[Symbol.asyncDispose]())

const submit = (body: unknown, headers: Readonly<Record<string, string>> = {}, key = core.admin) =>
  core.call('POST', '/v1/tasks', { body, headers, key })

const errorOf = ({ body }: Answer) =>
  body['error'] as { code: string; message: string; details: { field: string; message: string }[] }

async function taskCount(): Promise<number> {
  const rows = await core.rig.ground.store.db.selectFrom('task').select('id').execute()
  return rows.length
}

async function requestOf(answer: Answer) {
  const task = await core.rig.ground.tasks.get(String(answer.body['id']))
  return task?.request
}

describe('a submission', () => {
  test.each(Object.entries(submitTasks.doc?.examples ?? {}))(
    'in the description is accepted: %s',
    async (_name, body) => {
      const answer = await submit(body)
      expect(answer.status).toBe(201)
      const location = answer.headers.get('location') ?? ''
      expect((await core.call('GET', location)).status).toBe(200)
    },
  )

  test('becomes the request that it says', async () => {
    const answer = await submit({
      url: ` ${URL} `,
      quality: '720p',
      container: 'MKV',
      clips: [{ start: '1:00', end: '1:30.5' }, { end: 5 }],
      exact_cuts: true,
      embed: ['subtitles', 'chapters', 'subtitles'],
      write: ['info'],
      subtitles: { languages: ['de'], format: 'srt' },
      filename: 'talk',
      cookies: false,
    })
    expect(answer.body).toEqual({
      id: expect.stringMatching(/^\w{16}$/) as string,
      batch_id: null,
      tasks: [{ id: answer.body['id'], url: URL, position: null }],
    })
    expect(await requestOf(answer)).toMatchObject({
      kind: 'video',
      url: URL,
      videoFormat: expect.stringContaining('height<=?720') as string,
      audioFormat: 'bestaudio',
      outputFormat: 'mkv',
      clips: [
        { start: 60, end: 90.5 },
        { start: null, end: 5 },
      ],
      forceKeyframes: true,
      embed: ['subtitles', 'chapters'],
      write: ['info'],
      subtitles: { languages: ['de'], automatic: false, format: 'srt' },
      sponsorBlock: null,
      outputFilename: 'talk',
      cookies: false,
    })
  })

  test('marks what it names of SponsorBlock unless it says that it goes', async () => {
    const answer = await submit({ url: URL, sponsorblock: { categories: ['intro'] } })
    expect(await requestOf(answer)).toMatchObject({ sponsorBlock: { action: 'mark', categories: ['intro'] } })
  })

  test.each([
    [{ quality: 'audio' }, 'audio'],
    [{ kind: 'video', quality: 'audio', audio_codec: 'mp3' }, 'audio'],
    [{ kind: 'live_video', quality: 'audio', live: { duration: 5 } }, 'live_audio'],
  ])('%j is of the sound alone', async (fields, kind) => {
    expect(await requestOf(await submit({ url: URL, ...fields }))).toMatchObject({ kind })
  })

  test('of a playlist is a batch of its own, of which its end as a whole is told', async () => {
    const answer = await submit({
      url: URL,
      kind: 'playlist',
      audio_codec: 'mp3',
      playlist: { kind: 'audio', items: [1, '3-5', '9-'], title: 'talk' },
      webhook: { url: 'https://bot.example/done' },
    })
    const { id } = answer.body
    expect(answer.body).toMatchObject({ id, batch_id: id })
    expect(await requestOf(answer)).toMatchObject({
      outputFormat: 'mp3',
      playlist: {
        kind: 'audio',
        items: [
          { from: 1, to: 1 },
          { from: 3, to: 5 },
          { from: 9, to: null },
        ],
        title: 'talk',
        skipDownloaded: false,
      },
    })
    const batch = await core.rig.ground.store.db
      .selectFrom('batch')
      .selectAll()
      .where('id', '=', String(id))
      .executeTakeFirst()
    expect(batch).toMatchObject({ url: URL, open: 1, finished_at: null })
    expect(JSON.parse(batch?.webhook ?? '')).toEqual({ url: 'https://bot.example/done', events: ['batch.completed'] })
  })

  test('that is shown as a request can be sent again and asks for the same', async () => {
    for (const body of Object.values(submitTasks.doc?.examples ?? {}).filter(
      (example) => !Object.hasOwn(example as object, 'urls'),
    )) {
      const first = await submit(body)
      const shown = await core.call('GET', `/v1/tasks/${String(first.body['id'])}`)
      const request = requestSchema.parse(shown.body['request'])
      const second = await submit(request)
      expect([second.status, second.body]).toMatchObject([201, {}])
      expect(await requestOf(second)).toEqual(await requestOf(first))
    }
  })

  test('that is to begin later waits for that time; one in the past begins at once', async () => {
    const at = new Date(Date.now() + 3_600_000).toISOString()
    const later = await submit({ url: URL, not_before: at, priority: 7 })
    expect((await core.call('GET', `/v1/tasks/${String(later.body['id'])}`)).body).toMatchObject({
      not_before: at,
      next_attempt_at: at,
      wait_reason: 'scheduled',
      priority: 7,
    })
    const past = await submit({ url: URL, not_before: '2020-01-01T00:00:00+02:00' })
    expect((await core.call('GET', `/v1/tasks/${String(past.body['id'])}`)).body).toMatchObject({
      not_before: null,
      wait_reason: null,
    })
  })
})

describe('a batch', () => {
  test('is accepted in order, with what each entry says itself', async () => {
    const answer = await submit({
      urls: [`${URL}?1`, { url: `${URL}?2`, filename: 'two', clips: [{ start: 1 }] }],
      filename: 'all',
      webhook: { url: 'https://bot.example/done', events: ['task.failed', 'batch.completed'] },
    })
    const tasks = answer.body['tasks'] as { id: string; position: number }[]
    expect(tasks.map(({ position }) => position)).toEqual([1, 2])
    const [one, two] = await Promise.all(tasks.map(({ id }) => core.rig.ground.tasks.get(id)))
    expect(one).toMatchObject({ request: { url: `${URL}?1`, outputFilename: 'all', clips: [] } })
    expect(two).toMatchObject({ request: { url: `${URL}?2`, outputFilename: 'two', clips: [{ start: 1, end: null }] } })
    expect(two?.webhook).toEqual({ url: 'https://bot.example/done', events: ['task.failed'] })
    expect((await core.call('GET', `/v1/batches/${String(answer.body['batch_id'])}`)).body).toMatchObject({
      total: 2,
      counts: { waiting: 2, completed: 0 },
      finished_at: null,
    })
  })

  test('of which one address is not allowed is refused as a whole, with the field', async () => {
    const before = await taskCount()
    const answer = await submit({ urls: [URL, 'http://192.168.0.1/', { url: 'http://[::1]/' }] })
    expect(answer.status).toBe(400)
    expect(errorOf(answer).details.map(({ field }) => field)).toEqual(['urls.1', 'urls.2'])
    expect(await taskCount()).toBe(before)
  })

  test('may have 500 entries', async () => {
    const before = await taskCount()
    expect((await submit({ urls: Array.from({ length: 500 }, (_, n) => `${URL}?${n}`), kind: 'info' })).status).toBe(
      201,
    )
    expect(await taskCount()).toBe(before + 500)
  })
})

describe('what is refused', () => {
  test.each<[Readonly<Record<string, unknown>>, string]>([
    [{}, 'url'],
    [{ url: 5 }, 'url'],
    [{ url: URL, urls: [URL] }, 'urls'],
    [{ urls: [] }, 'urls'],
    [{ urls: Array(501).fill(URL) }, 'urls'],
    [{ urls: [URL, 'ftp://a'] }, 'urls.1'],
    [{ urls: [{ url: URL, clips: [{ start: 5, end: 3 }] }] }, 'urls.0.clips.0.end'],
    [{ urls: [{ url: URL, clips: [{ start: 5 }] }], kind: 'info' }, 'urls.0.clips'],
    [{ urls: [URL], kind: 'playlist' }, 'urls'],
    [{ url: URL, kind: 'movie' }, 'kind'],
    [{ url: URL, quality: '9000p' }, 'quality'],
    [{ url: URL, kind: 'audio', quality: '720p' }, 'quality'],
    [{ url: URL, quality: 'best', video_format: 'bv' }, 'video_format'],
    [{ url: URL, video_format: '--exec' }, 'video_format'],
    [{ url: URL, kind: 'audio', audio_format: 'none' }, 'audio_format'],
    [{ url: URL, kind: 'info', container: 'mp4' }, 'container'],
    [{ url: URL, container: 'exe' }, 'container'],
    [{ url: URL, kind: 'audio', audio_bitrate: 31 }, 'audio_bitrate'],
    [{ url: URL, kind: 'audio', audio_bitrate: 513 }, 'audio_bitrate'],
    [{ url: URL, clips: Array(21).fill({ start: 1 }) }, 'clips'],
    [{ url: URL, clips: [{}] }, 'clips.0'],
    [{ url: URL, clips: [{ start: 1, fly: 2 }] }, 'clips.0.fly'],
    [{ url: URL, chapters: 'split', clips: [{ start: 1 }] }, 'chapters'],
    [{ url: URL, chapters: 'all' }, 'chapters'],
    [{ url: URL, embed: ['fun'] }, 'embed.0'],
    [{ url: URL, embed: 'subtitles' }, 'embed'],
    [{ url: URL, subtitles: { languages: ['--exec'] } }, 'subtitles.languages.0'],
    [{ url: URL, sponsorblock: { action: 'hate' } }, 'sponsorblock.action'],
    [{ url: URL, container: 'ts', embed: ['metadata'] }, 'embed'],
    [{ url: URL, kind: 'audio', embed: ['subtitles'] }, 'embed'],
    [{ url: URL, kind: 'audio', audio_codec: 'flac', audio_bitrate: 192 }, 'audio_bitrate'],
    [{ url: URL, clips: [{ start: 1 }], sponsorblock: {} }, 'sponsorblock'],
    [{ url: URL, kind: 'thumbnail', image_format: 'bmp' }, 'image_format'],
    [{ url: URL, image_format: 'jpg' }, 'image_format'],
    [{ url: URL, filename: '../x' }, 'filename'],
    [{ url: URL, live: { duration: 5 } }, 'live'],
    [{ url: URL, kind: 'live_video' }, 'live'],
    [{ url: URL, kind: 'live_video', live: { duration: 0 } }, 'live.duration'],
    [{ url: URL, site_preset: '../x' }, 'site_preset'],
    [{ url: URL, playlist: {} }, 'playlist'],
    [{ url: URL, kind: 'playlist', playlist: { items: ['5-2'] } }, 'playlist.items.0'],
    [{ url: URL, kind: 'playlist', playlist: { date_after: '2026-02-31' } }, 'playlist.date_after'],
    [{ url: URL, kind: 'playlist', playlist: { min_duration: 5, max_duration: 2 } }, 'playlist.max_duration'],
    [{ url: URL, priority: 101 }, 'priority'],
    [{ url: URL, not_before: 'tomorrow' }, 'not_before'],
    [{ url: URL, not_before: '2100-01-01T00:00:00Z' }, 'not_before'],
    [{ url: URL, webhook: { url: URL, events: ['batch.completed'] } }, 'webhook.events'],
    [{ url: URL, webhook: { url: 'http://10.0.0.1/' } }, 'webhook.url'],
    [{ url: 'http://169.254.169.254/latest' }, 'url'],
    [{ url: URL, fly: true }, 'fly'],
  ])('%j is told by its field', async (body, field) => {
    const before = await taskCount()
    const answer = await submit(body)
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'invalid_request'])
    expect(errorOf(answer).details[0]?.field).toBe(field)
    expect(errorOf(answer).message).toBe(errorOf(answer).details[0]?.message)
    expect(await taskCount()).toBe(before)
  })

  test('is what the key may not ask for, of a playlist also what is made of its entries', async () => {
    const forbidden = { status: 403, body: { error: { code: 'forbidden' } } }
    expect(await submit({ url: URL }, {}, 'info-only-value')).toMatchObject(forbidden)
    expect(await submit({ urls: [URL], kind: 'audio' }, {}, 'info-only-value')).toMatchObject(forbidden)
    expect((await submit({ url: URL, kind: 'info' }, {}, 'info-only-value')).status).toBe(201)
    expect(await submit({ url: URL, kind: 'playlist' }, {}, 'lists-value')).toMatchObject(forbidden)
    const infos = { url: URL, kind: 'playlist', playlist: { kind: 'info' } }
    expect((await submit(infos, {}, 'lists-value')).status).toBe(201)
    expect((await core.call('POST', '/v1/tasks', { key: null, body: { url: URL } })).status).toBe(401)
  })

  test('never becomes anything but a refusal, whatever the body', () => {
    fc.assert(
      fc.property(fc.object({ key: fc.constantFrom(...FIELDS, 'fly'), maxDepth: 3 }), (body) => {
        const parsed = taskBody.safeParse(body)
        if (parsed.success) expect(parsed.data.requests.length).toBeGreaterThan(0)
        else expect(parsed.error.issues.length).toBeGreaterThan(0)
      }),
      { numRuns: 300 },
    )
  })
})

const FIELDS = [
  'url',
  'urls',
  'kind',
  'quality',
  'clips',
  'start',
  'end',
  'playlist',
  'items',
  'webhook',
  'live',
  'embed',
]

describe('a call with an Idempotency-Key', () => {
  test('makes its tasks once, however often and however close together it comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^[!-~]{1,40}$/),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 3 }),
        fc.boolean(),
        async (token, together, after, isBatch) => {
          const before = await taskCount()
          const headers = { 'Idempotency-Key': `${before}${token}` }
          const body = isBatch ? { urls: [URL, URL], kind: 'info' } : { url: URL, kind: 'info' }
          const answers = await Promise.all(Array.from({ length: together }, () => submit(body, headers)))
          for (let n = 0; n < after; n++)
            answers.push(await submit(Object.fromEntries(Object.entries(body).reverse()), headers))
          expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
          const replayed = answers.filter(({ headers: got }) => got.get('idempotency-replayed') === 'true')
          expect(replayed.length).toBe(answers.length - 1)
          expect(await taskCount()).toBe(before + (isBatch ? 2 : 1))
        },
      ),
      { numRuns: 15 },
    )
  })

  test('is refused when the token was used for something else, and by no other key', async () => {
    const headers = { 'Idempotency-Key': 'one-token' }
    expect((await submit({ url: URL, kind: 'info' }, headers)).status).toBe(201)
    expect(await submit({ url: `${URL}?other`, kind: 'info' }, headers)).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict' } },
    })
    const other = await submit({ url: `${URL}?other`, kind: 'info' }, headers, 'info-only-value')
    expect([other.status, other.headers.get('idempotency-replayed')]).toEqual([201, null])
  })

  test('counts anew after a day', async () => {
    const headers = { 'Idempotency-Key': 'old-token' }
    const first = await submit({ url: URL, kind: 'info' }, headers)
    const { db } = core.rig.ground.store
    await db
      .updateTable('idempotency')
      .set({ created_at: Date.now() - 24 * 3_600_000 - 1000 })
      .execute()
    const second = await submit({ url: URL, kind: 'info' }, headers)
    expect(second.status).toBe(201)
    expect(second.body['id']).not.toBe(first.body['id'])
    const left = await db.selectFrom('idempotency').select('token').execute()
    expect(left.map(({ token }) => token)).toEqual(['old-token'])
  })

  test('that was refused can be sent again under the same token', async () => {
    const headers = { 'Idempotency-Key': 'second-try' }
    expect((await submit({ url: 'http://10.0.0.1/', kind: 'info' }, headers)).status).toBe(400)
    expect((await submit({ url: URL, kind: 'info' }, headers)).status).toBe(201)
  })

  test.each(['', ' ', 'a b', 'ü', 'x'.repeat(256)])('%j is refused', async (token) => {
    const answer = await submit({ url: URL }, { 'Idempotency-Key': token })
    expect([answer.status, errorOf(answer).details[0]?.field]).toEqual([400, 'Idempotency-Key'])
  })
})
