import { REQUEST_DEFAULTS } from '../../../src/domain/task.ts'
import { startCore, type CoreServer } from '../../support/core-server.ts'

const URL = 'https://video.example/watch?v=1'
const LIVE = { url: URL, duration: 60 }

let core: CoreServer
beforeAll(async () => {
  core = await startCore()
})
afterAll(() => core[Symbol.asyncDispose]())

/** The request that a body was understood as. */
async function requestOf(kind: string, body: unknown) {
  const answer = await core.call('POST', `/get_${kind}`, { body })
  expect([answer.status, answer.body['status']]).toEqual([200, 'waiting'])
  const id = String(answer.body['task_id'])
  expect(id).toMatch(/^[A-Za-z0-9]{16}$/)
  return (await core.rig.ground.tasks.get(id))?.request
}

const many = (count: number, text = 'x') => text.repeat(count)

describe('a body that is refused', () => {
  test.each<[string, string, unknown, RegExp]>([
    ['nothing', 'video', undefined, /^URL is required$/],
    ['an empty object', 'video', {}, /^URL is required$/],
    ['no url', 'video', { video_format: 'best' }, /^URL is required$/],
    ['an empty url', 'audio', { url: '' }, /^URL is required$/],
    ['a null url', 'info', { url: null }, /^URL is required$/],
    ['a list', 'video', [], /must be a JSON object/],
    ['text', 'video', '"text"', /read|JSON/],
    ['null', 'video', 'null', /read|JSON/],
    ['a number for an url', 'video', { url: 5 }, /^url must be a string/],
    ['a list for an url', 'video', { url: [URL] }, /^url must be a string/],
    ['an object for an url', 'video', { url: { href: URL } }, /^url must be a string/],
    ['an url without a scheme', 'video', { url: 'video.example/x' }, /^url must be an http/],
    ['a file url', 'video', { url: 'file:///etc/passwd' }, /^url must be an http/],
    ['an ftp url', 'video', { url: 'ftp://video.example/' }, /^url must be an http/],
    ['a data url', 'video', { url: 'data:text/html,x' }, /^url must be an http/],
    ['javascript', 'video', { url: 'javascript:alert(1)' }, /^url must be an http/],
    ['a search of yt-dlp', 'video', { url: 'ytsearch5:cats' }, /^url must be an http/],
    ['an option for an url', 'video', { url: '--exec=id' }, /^url must be an http/],
    ['a host only in name', 'video', { url: 'http://' }, /^url must be an http/],
    ['a host that is none', 'video', { url: 'http://exa mple/' }, /^url must be an http/],
    ['a port that is none', 'video', { url: 'http://video.example:99999/' }, /^url must be an http/],
    ['a newline in an url', 'video', { url: `${URL}\n--exec=id` }, /^url must not contain control/],
    ['a newline behind an url', 'video', { url: `${URL}\n` }, /^url must not contain control/],
    ['a NUL in an url', 'video', { url: `${URL}\0` }, /^url must not contain control/],
    ['a line separator in an url', 'video', { url: `${URL}\u2028x` }, /^url must not contain control/],
    ['half a character in an url', 'video', { url: `${URL}\ud83d` }, /^url must be valid Unicode/],
    ['a huge url', 'video', { url: `https://v.example/${many(4096)}` }, /^url may have at most 4096/],

    ['a number for a selector', 'video', { url: URL, video_format: 137 }, /^video_format must be a string/],
    ['a list for a selector', 'audio', { url: URL, audio_format: ['bestaudio'] }, /^audio_format must be a string/],
    ['an empty selector', 'video', { url: URL, video_format: ' ' }, /^video_format must not be empty/],
    [
      'an option for a selector',
      'video',
      { url: URL, video_format: '--exec' },
      /^video_format must be a format selector/,
    ],
    [
      'an option behind a blank',
      'audio',
      { url: URL, audio_format: ' -o x' },
      /^audio_format must be a format selector/,
    ],
    [
      'a newline in a selector',
      'video',
      { url: URL, video_format: 'best\nvideo' },
      /^video_format must not contain control/,
    ],
    [
      'a selector of a megabyte',
      'video',
      { url: URL, video_format: many(1_000_000, '[') },
      /^video_format may have at/,
    ],
    ['a time of a megabyte', 'video', { url: URL, start_time: `${many(1_000_000, ' ')}5` }, /^start_time|expected/],
    ['a huge selector', 'video', { url: URL, video_format: many(513) }, /^video_format may have at most 512/],
    [
      'a regular expression',
      'video',
      { url: URL, video_format: 'best[id~="(a+)+$"]' },
      /^video_format must not contain regular/,
    ],
    ['several files', 'video', { url: URL, video_format: '137,136' }, /^video_format must choose one file/],
    ['all files', 'audio', { url: URL, audio_format: 'all[abr<9]' }, /^audio_format must choose one file/],

    ['a negative start', 'video', { url: URL, start_time: -1 }, /^start_time must not be negative/],
    ['a negative time as text', 'video', { url: URL, start_time: '-5' }, /^start_time must be seconds/],
    ['words for a time', 'video', { url: URL, start_time: 'soon' }, /^start_time must be seconds/],
    ['infinity', 'video', `{"url": "${URL}", "end_time": 1e999}`, /^end_time/],
    ['NaN, which is not JSON', 'video', `{"url": "${URL}", "end_time": NaN}`, /read|JSON/],
    ['NaN as text', 'video', { url: URL, end_time: 'NaN' }, /^end_time must be seconds/],
    ['61 minutes', 'video', { url: URL, start_time: '00:61:00' }, /^start_time must be seconds/],
    ['a fourth part', 'video', { url: URL, start_time: '1:0:0:0' }, /^start_time must be seconds/],
    ['an exponent', 'video', { url: URL, end_time: '1e3' }, /^end_time must be seconds/],
    ['more than a week', 'video', { url: URL, end_time: 604_801 }, /^end_time may be at most/],
    ['a truth for a time', 'video', { url: URL, start_time: true }, /^start_time must be seconds/],
    ['a list for a time', 'video', { url: URL, start_time: [5] }, /^start_time must be seconds/],
    ['an end before the start', 'video', { url: URL, start_time: 10, end_time: 5 }, /^end_time must be greater/],
    ['an end at the start', 'audio', { url: URL, start_time: '0:10', end_time: 10 }, /^end_time must be greater/],
    ['an end at zero', 'video', { url: URL, end_time: 0 }, /^end_time must be greater/],
    ['an end that rounds to zero', 'video', { url: URL, end_time: 1e-9 }, /^end_time must be greater/],
    ['text for a flag', 'video', { url: URL, force_keyframes: 'true' }, /^force_keyframes must be true or false/],
    ['a number for a flag', 'audio', { url: URL, force_keyframes: 1 }, /^force_keyframes must be true or false/],

    ['no duration', 'live_video', { url: URL }, /^duration is required/],
    ['a null duration', 'live_audio', { url: URL, duration: null }, /^duration is required/],
    ['a duration of zero', 'live_video', { url: URL, duration: 0 }, /^duration must be greater than 0/],
    ['a duration that rounds to zero', 'live_video', { url: URL, duration: 1e-9 }, /^duration must be greater than 0/],
    ['a negative duration', 'live_video', { url: URL, duration: -5 }, /^duration must not be negative/],
    ['a year', 'live_audio', { url: URL, duration: 31_536_000 }, /^duration may be at most/],
    ['a negative start of a recording', 'live_video', { ...LIVE, start: -1 }, /^start must not be negative/],

    ['an unknown container', 'video', { url: URL, output_format: 'exe' }, /^output_format must be one of mp4/],
    ['a codec for a container', 'video', { url: URL, output_format: 'mp3' }, /^output_format must be one of mp4/],
    ['a container for a codec', 'audio', { url: URL, output_format: 'mkv' }, /^output_format must be one of mp3/],
    ['a path for a container', 'video', { url: URL, output_format: '../mp4' }, /^output_format must be one of/],
    ['a number for a container', 'video', { url: URL, output_format: 4 }, /^output_format must be a string/],
    ['a path for a name', 'video', { url: URL, output_filename: 'a/b' }, /^output_filename must be a plain/],
    ['a Windows path for a name', 'info', { url: URL, output_filename: 'a\\b' }, /^output_filename must be a plain/],
    ['a parent for a name', 'video', { url: URL, output_filename: '..' }, /^output_filename must be a plain/],
    ['an empty name', 'video', { url: URL, output_filename: '' }, /^output_filename must be a plain/],
    [
      'a newline in a name',
      'video',
      { url: URL, output_filename: 'a\r\nSet-Cookie: x' },
      /^output_filename must not contain/,
    ],
    [
      'half a character in a name',
      'video',
      { url: URL, output_filename: '\ud83d.mp4' },
      /^output_filename must be valid/,
    ],
    ['a huge name', 'video', { url: URL, output_filename: many(121) }, /^output_filename may have at most 120/],
  ])('%s (%s)', async (_what, kind, body, message) => {
    const waiting = await core.rig.ground.tasks.countWaiting()
    const answer = await core.call('POST', `/get_${kind}`, { body })
    expect([answer.status, answer.body['status']]).toEqual([400, 'error'])
    expect(answer.body['message']).toMatch(message)
    expect(answer.body['error']).toBe(answer.body['message'])
    expect(await core.rig.ground.tasks.countWaiting()).toBe(waiting)
  })

  test('is one that is too large, of another type, or packed in an unknown way', async () => {
    const huge = await core.call('POST', '/get_video', { body: { url: URL, padding: many(2 ** 20) } })
    expect([huge.status, typeof huge.body['error']]).toEqual([413, 'string'])
    const form = {
      body: 'url=https%3A%2F%2Fv.example',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    }
    const other = await core.call('POST', '/get_video', form)
    expect([other.status, typeof other.body['error']]).toEqual([415, 'string'])
    const packed = await core.call('POST', '/get_video', {
      body: { url: URL },
      headers: { 'Content-Encoding': 'rot13' },
    })
    expect([packed.status, typeof packed.body['error']]).toEqual([415, 'string'])
  })
})

describe('a body that is accepted', () => {
  test('needs an address alone, and means the best of both', async () => {
    expect(await requestOf('video', { url: ` ${URL} ` })).toEqual({
      ...REQUEST_DEFAULTS,
      kind: 'video',
      url: URL,
      videoFormat: 'bestvideo',
      audioFormat: 'bestaudio',
      clips: [],
      outputFormat: null,
    })
    expect(await requestOf('info', { url: URL })).toMatchObject({ kind: 'info', live: null })
  })

  test.each([
    [{ audio_format: null }, { audioFormat: null }],
    [{ audio_format: 'none' }, { audioFormat: null }],
    [{ audio_format: 'NULL' }, { audioFormat: null }],
    [{ audio_format: 'bestaudio[abr<=129]' }, { audioFormat: 'bestaudio[abr<=129]' }],
    [{ video_format: null }, { videoFormat: 'bestvideo' }],
    [{ video_format: ' bv[height<=1080] ' }, { videoFormat: 'bv[height<=1080]' }],
    [{ video_format: 'best[format_note="a,b"]' }, { videoFormat: 'best[format_note="a,b"]' }],
    [{ start_time: 30, end_time: 60 }, { clips: [{ start: 30, end: 60 }] }],
    [{ start_time: '30', end_time: '1:00' }, { clips: [{ start: 30, end: 60 }] }],
    [{ start_time: '00:00:30.5' }, { clips: [{ start: 30.5, end: null }] }],
    [{ end_time: '01:00:00' }, { clips: [{ start: null, end: 3600 }] }],
    [{ start_time: 0 }, { clips: [{ start: 0, end: null }] }],
    [{ start_time: null, end_time: null }, { clips: [] }],
    [{ force_keyframes: true }, { forceKeyframes: true }],
    [{ force_keyframes: null }, { forceKeyframes: false }],
    [{ output_format: 'MKV' }, { outputFormat: 'mkv' }],
    [{ output_filename: 'Žižkov 🎬 – 1/2'.replace('/', '∕') }, { outputFilename: 'Žižkov 🎬 – 1∕2' }],
    [{ output_filename: '--exec' }, { outputFilename: '--exec' }],
    [{ unknown: { deep: [1] }, duration: 'ignored by a video' }, { live: null }],
  ])('%j of a video', async (fields, expected) => {
    expect(await requestOf('video', { url: URL, ...fields })).toMatchObject(expected)
  })

  test('of a recording has a duration, and begins now unless it says otherwise', async () => {
    expect(await requestOf('live_video', LIVE)).toMatchObject({ kind: 'live_video', live: { start: 0, duration: 60 } })
    expect(await requestOf('live_audio', { ...LIVE, start: '1:00', duration: '0:10' })).toMatchObject({
      live: { start: 60, duration: 10 },
    })
  })

  test('of a sound cannot be silent', async () => {
    expect(await requestOf('audio', { url: URL, audio_format: 'none' })).toMatchObject({ audioFormat: 'bestaudio' })
  })

  test('is shown again only in fields that were checked', async () => {
    const body = { url: URL, video_format: many(100_000), start: [[]], duration: { a: 1 }, output_filename: 'x' }
    const { body: answer } = await core.call('POST', '/get_info', { body })
    const status = await core.call('GET', `/status/${String(answer['task_id'])}`)
    expect(Object.keys(body).filter((name) => name in status.body)).toEqual(['url', 'output_filename'])
  })

  test('is shown again in the status as it was sent', async () => {
    const sent = { video_format: ' bv* ', audio_format: null, start_time: '0:30', end_time: 60, force_keyframes: true }
    const { body } = await core.call('POST', '/get_video', {
      body: { url: URL, ...sent, unknown: 1, status: 'completed' },
    })
    const status = await core.call('GET', `/status/${String(body['task_id'])}`)
    expect(status.body).toMatchObject({
      status: 'waiting',
      task_type: 'get_video',
      url: URL,
      key_name: 'admin',
      ...sent,
    })
    expect(status.body).not.toHaveProperty('unknown')
    expect(status.body['queue_position']).toBeGreaterThan(0)
  })
})

describe('the body of a new key', () => {
  test.each<[unknown, RegExp]>([
    [{}, /^name is required/],
    [{ name: '', permissions: [] }, /^name is required/],
    [{ name: 5, permissions: [] }, /^name must be a string/],
    [{ name: many(65), permissions: [] }, /^name may have at most 64/],
    [{ name: 'a/b', permissions: [] }, /^name must be a plain name/],
    [{ name: ' a', permissions: [] }, /^name must be a plain name/],
    [{ name: 'a\u0007', permissions: [] }, /^name must not contain control/],
    [{ name: 'a' }, /^permissions must be a list of create_key, /],
    [{ name: 'a', permissions: 'get_video' }, /^permissions must be a list/],
    [{ name: 'a', permissions: ['fly'] }, /^permissions must be a list/],
    [{ name: 'a', permissions: [5] }, /^permissions must be a list/],
    [{ name: 'a', permissions: { 0: 'get_video' } }, /^permissions must be a list/],
  ])('%j is refused', async (body, message) => {
    const answer = await core.call('POST', '/create_key', { body })
    expect(answer.status).toBe(400)
    expect(answer.body['message']).toMatch(message)
  })

  test.each(['scripts', 'Žofie 🎬', '__proto__', 'constructor', '137', '--exec'])('may name it %j', async (name) => {
    const made = await core.call('POST', '/create_key', { body: { name, permissions: ['get_video'] } })
    expect([made.status, made.body['name']]).toEqual([201, name])
    const key = String(made.body['key'])
    expect(key).toMatch(/^[\w-]{43}$/)
    const shown = await core.call('GET', `/get_key/${encodeURIComponent(name)}`)
    expect(shown.body).toEqual({ message: 'API key get successfully', name, key })
    const all = await core.call('GET', '/get_keys')
    expect(Object.getOwnPropertyDescriptor(all.body, name)?.value).toMatchObject({
      key,
      name,
      permissions: ['get_video'],
    })
    const deletion = await core.call('DELETE', `/get_key/${encodeURIComponent(name)}`)
    expect([deletion.status, typeof deletion.body['error']]).toEqual([405, 'string'])
    const deleted = await core.call('DELETE', `/delete_key/${encodeURIComponent(name)}`)
    expect(deleted.body).toEqual({ name, message: 'API key deleted successfully' })
    expect((await core.call('GET', '/get_keys', { key })).status).toBe(401)
  })
})
