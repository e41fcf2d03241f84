import { useRig } from '../support/rig.ts'

/** What a hostile or careless client sends; each has to be refused with 400 and a text that names the fault. */
const REFUSED: readonly (readonly [path: string, body: unknown, text: RegExp])[] = [
  ['/get_video', {}, /^URL is required$/],
  ['/get_video', { url: null }, /^URL is required$/],
  ['/get_video', { url: '' }, /^URL is required$/],
  ['/get_video', { url: 5 }, /url must be a string/],
  ['/get_video', { url: ['https://x'] }, /url must be a string/],
  ['/get_video', [], /JSON object/],
  ['/get_video', 'text', /JSON object|cannot be read/],
  ['/get_video', { url: `https://example.com/${'x'.repeat(5000)}` }, /at most 4096/],
  ['/get_video', { url: 'https://example.com/\n--exec=id' }, /control characters/],
  ['/get_video', { url: 'https://example.com/\u0000' }, /control characters/],
  ['/get_video', { url: '--exec=touch /tmp/pwned' }, /http:\/\/ or https/],
  ['/get_video', { url: '-J' }, /http:\/\/ or https/],
  ['/get_video', { url: 'file:///etc/passwd' }, /http:\/\/ or https/],
  ['/get_video', { url: 'ftp://example.com/a.mp4' }, /http:\/\/ or https/],
  ['/get_video', { url: 'javascript:alert(1)' }, /http:\/\/ or https/],
  ['/get_video', { url: 'ytsearch:cats' }, /http:\/\/ or https/],
  ['/get_video', { url: 'https://' }, /http:\/\/ or https/],
  ['/get_video', { url: 'https://user:word@example.com/' }, /user|password|credential/i],
  ['/get_video', { url: 'https://example.com/#__youtubedl_smuggle=%7B%7D' }, /smuggle|yt-dlp/i],
  ['/get_video', { url: 'http://10.0.0.8/a.mp4' }, /public internet|not allowed|private/i],
  ['/get_video', { url: 'http://[fd00::1]/a.mp4' }, /public internet|not allowed|private/i],
  ['/get_video', { url: 'https://example.com/', video_format: '--exec id' }, /video_format must be a format selector/],
  ['/get_video', { url: 'https://example.com/', video_format: '' }, /video_format must not be empty/],
  ['/get_video', { url: 'https://example.com/', video_format: 'best\n-x' }, /video_format must not contain control/],
  ['/get_video', { url: 'https://example.com/', video_format: 'b'.repeat(513) }, /video_format may have at most 512/],
  ['/get_video', { url: 'https://example.com/', video_format: "best[title~='(a+)+$']" }, /regular expressions/],
  ['/get_video', { url: 'https://example.com/', audio_format: { a: 1 } }, /audio_format must be a string/],
  ['/get_video', { url: 'https://example.com/', start_time: -1 }, /start_time must not be negative/],
  ['/get_video', { url: 'https://example.com/', start_time: '1:99' }, /start_time must be seconds/],
  ['/get_video', { url: 'https://example.com/', start_time: '*10-inf' }, /start_time must be seconds/],
  ['/get_video', { url: 'https://example.com/', start_time: true }, /start_time must be seconds/],
  [
    '/get_video',
    { url: 'https://example.com/', start_time: 30, end_time: 30 },
    /end_time must be greater than start_time/,
  ],
  [
    '/get_video',
    { url: 'https://example.com/', start_time: '01:00', end_time: 30 },
    /end_time must be greater than start_time/,
  ],
  ['/get_video', { url: 'https://example.com/', end_time: 0 }, /end_time must be greater than start_time/],
  ['/get_video', { url: 'https://example.com/', end_time: 1e12 }, /end_time may be at most/],
  ['/get_video', { url: 'https://example.com/', force_keyframes: 'yes' }, /force_keyframes must be true or false/],
  ['/get_video', { url: 'https://example.com/', output_format: 'exe' }, /output_format must be one of mp4/],
  [
    '/get_video',
    { url: 'https://example.com/', output_filename: '../../etc/passwd' },
    /output_filename must be a plain file name/,
  ],
  ['/get_video', { url: 'https://example.com/', output_filename: 'a\nb' }, /output_filename must not contain control/],
  [
    '/get_video',
    { url: 'https://example.com/', output_filename: 'x'.repeat(121) },
    /output_filename may have at most 120/,
  ],
  ['/get_live_video', { url: 'https://example.com/' }, /duration is required/],
  ['/get_live_video', { url: 'https://example.com/', duration: 0 }, /duration must be greater than 0/],
  ['/get_live_video', { url: 'https://example.com/', duration: -5 }, /duration must not be negative/],
  ['/get_live_video', { url: 'https://example.com/', duration: 'NaN' }, /duration must be seconds/],
  ['/get_live_video', { url: 'https://example.com/', duration: 5, start: -1 }, /start must not be negative/],
  ['/create_key', {}, /name is required/],
  ['/create_key', { name: 5, permissions: [] }, /name must be a string/],
  ['/create_key', { name: 'a\nb', permissions: [] }, /name must not contain control/],
  ['/create_key', { name: 'x'.repeat(65), permissions: [] }, /name may have at most 64/],
  ['/create_key', { name: 'a/b', permissions: [] }, /plain name/],
  ['/create_key', { name: 'a' }, /permissions must be a list/],
  ['/create_key', { name: 'a', permissions: 'get_info' }, /permissions must be a list/],
  ['/create_key', { name: 'a', permissions: ['root'] }, /permissions must be a list of create_key/],
  ['/check_permissions', { permissions: 5 }, /permissions must be a list/],
]

describe('bad input', () => {
  const rig = useRig()

  test.each(REFUSED)('%s %j is refused by name', async (path, body, text) => {
    const answer = await rig.daemon().client().post(path, body)
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ status: 'error', message: expect.stringMatching(text) })
    expect(answer.body['error']).toBe(answer.body['message'])
  })

  test('nothing was started and nothing lost by any of it', async () => {
    await Promise.all(REFUSED.map(async ([path, body]) => rig.daemon().client().post(path, body)))
    expect(rig.daemon().output).not.toContain('task started')
    const status = await rig
      .daemon()
      .client()
      .complete('get_info', { url: `${rig.origin().url}/small.mp4` })
    expect(status['status']).toBe('completed')
  })

  test('a body with NaN, or broken off, is not JSON and refused as such', async () => {
    for (const text of [
      '{"url": "https://example.com", "start_time": NaN}',
      '{"url": "https://exa',
      '{"url": \u0000}',
      '[',
    ]) {
      const headers = { 'Content-Type': 'application/json' }
      const answer = await rig.daemon().client().request('POST', '/get_video', { body: text, headers })
      expect(answer.status).toBe(400)
      expect(answer.body['error']).toMatch(/JSON/)
    }
  })

  test('a key whose name has emoji and spaces works like any other', async () => {
    const name = 'Küche 😀 bot'
    const { body } = await rig
      .daemon()
      .client()
      .post('/create_key', { name, permissions: ['get_info'] })
    expect(body['name']).toBe(name)
    const { status } = await rig
      .daemon()
      .client()
      .request('DELETE', `/delete_key/${encodeURIComponent(name)}`)
    expect(status).toBe(200)
  })
})
