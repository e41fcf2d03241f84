import { readFileSync } from 'node:fs'

import { TASK_ERROR_CODES, type TaskErrorCode } from '../../src/domain/errors.ts'
import { classifyFailure, type FailureInput } from '../../src/engine/failure.ts'
import { parseStderr, sanitiseMessage } from '../../src/engine/failure-stderr.ts'
import type { ToolExit } from '../../src/engine/tool.ts'

const LOGIN_HINT =
  '. Use --cookies-from-browser or --cookies for the authentication. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ#how-do-i-pass-cookies-to-yt-dlp  for how to manually pass cookies'
const GEO_HINT = '\nYou might want to use a VPN or a proxy server (with --proxy) to workaround.'
const BUG_HINT =
  '; please report this issue on  https://github.com/yt-dlp/yt-dlp/issues?q= , filling out the appropriate issue template. Confirm you are on the latest version using  yt-dlp -U'

const LOGIN_CODES: readonly TaskErrorCode[] = [
  'bot_check',
  'age_restricted',
  'password_required',
  'auth_failed',
  'payment_required',
  'private',
  'login_required',
]

function exited(stderr: string, exitCode = 1): ToolExit {
  return { kind: 'exit', exitCode, signalName: null, stderr }
}

function classify(stderr: string, more: Partial<FailureInput> = {}) {
  return classifyFailure({ exit: exited(stderr), ...more })
}

function fixture(name: string): string[][] {
  const text = readFileSync(new URL(`../fixtures/errors/${name}`, import.meta.url), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
const unescape = (text: string) => text.replaceAll(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char)

/** A row of the corpus as yt-dlp would print it: site, id, and the suffix that the raising function appends. */
function printed([raiser = '', expected, , , template = '']: readonly string[]): string {
  const text = template.replaceAll(/\{[^}]*\}|%[sd]/g, 'Acme')
  if (raiser === 'report_error') return `ERROR: ${text}`
  if (raiser.includes('PostProcess')) return `ERROR: Postprocessing: ${text}`
  if (raiser === 'RequestError' || raiser === 'UnsupportedRequest') {
    return `ERROR: [generic] v: Unable to download webpage: Unable to handle request: ${text}`
  }
  if (raiser === 'raise_login_required') return `ERROR: [Acme] 123: ${text}${LOGIN_HINT}`
  if (/geo_?restricted/i.test(raiser)) return `ERROR: [Acme] 123: ${text}${GEO_HINT}`
  return `ERROR: [Acme] 123: ${text}${expected === 'False' ? BUG_HINT : ''}`
}

describe('golden samples', () => {
  const rows = fixture('golden.tsv')

  test('are many, and most were printed by a real run', () => {
    expect(rows.length).toBeGreaterThanOrEqual(120)
    expect(rows.filter(([, , origin]) => origin === 'run').length).toBeGreaterThanOrEqual(100)
  })

  test('get the code that stands beside each of them, without exception', () => {
    const wrong = rows.flatMap(([code, exit = '', , escaped = '']) => {
      const stderr = unescape(escaped)
      const isSignal = exit.startsWith('SIG')
      const end: ToolExit = isSignal
        ? { kind: 'signal', exitCode: null, signalName: exit, stderr }
        : exited(stderr, Number(exit))
      const found = classifyFailure({ exit: end }).code
      return found === code ? [] : [`${found} instead of ${code}: ${escaped}`]
    })
    expect(wrong).toEqual([])
  })

  test('give messages without advice for a command line, paths, addresses of this machine or secrets', () => {
    const leaky = rows.flatMap(([, , , escaped = '']) => {
      const { message } = classify(unescape(escaped))
      return /--[a-z]|\/usr\/|\/work\/|127\.0\.0\.1|yt-dlp -|github\.com|ERROR:|\(caused by|\n/.test(message)
        ? [message]
        : []
    })
    expect(leaky).toEqual([])
  })
})

describe('every message that yt-dlp can raise', () => {
  const rows = fixture('corpus.tsv')
  const codes = rows.map((row) => classify(printed(row)).code)

  test('is known in at least nine cases of ten', () => {
    const known = codes.filter((code) => code !== 'unknown').length
    expect(known / rows.length).toBeGreaterThanOrEqual(0.9)
  })

  test('is a matter of login whenever yt-dlp asks for one', () => {
    const wrong = rows.filter(
      ([raiser], row) => raiser === 'raise_login_required' && !LOGIN_CODES.includes(codes[row] ?? 'unknown'),
    )
    expect(rows.filter(([raiser]) => raiser === 'raise_login_required').length).toBeGreaterThan(100)
    expect(wrong).toEqual([])
  })

  test('is a matter of place whenever yt-dlp raises a geo restriction', () => {
    const isGeo = (raiser = '') => /geo_?restricted/i.test(raiser)
    expect(rows.filter(([raiser]) => isGeo(raiser)).length).toBeGreaterThanOrEqual(70)
    expect(rows.filter(([raiser], row) => isGeo(raiser) && codes[row] !== 'geo_blocked')).toEqual([])
  })
})

describe('words in the wrong place', () => {
  const HTTP_404 = 'Unable to download webpage: HTTP Error 404: Not Found (caused by <HTTPError 404: Not Found>)'

  test.each<[string, TaskErrorCode, string]>([
    ['an id that is another error', 'not_found', `ERROR: [generic] Private video: ${HTTP_404}`],
    ['an id with a status', 'not_found', `ERROR: [generic] HTTP Error 429: Too Many Requests: ${HTTP_404}`],
    [
      'a search for the words of an error',
      'not_found',
      `ERROR: [youtube:search] sign in to confirm your age: ${HTTP_404}`,
    ],
    [
      'the title of a playlist whose entries failed',
      'geo_blocked',
      `ERROR: [youtube] a: Not here${GEO_HINT}\nERROR: Skipping the remaining entries in playlist "Private video HTTP Error 429" since 3 items failed extraction`,
    ],
    [
      'a title in the name of a file that cannot be written',
      'storage_error',
      "ERROR: unable to open for writing: [Errno 13] Permission denied: '/job/HTTP Error 429 DRM Private video.mp4.part'",
    ],
    [
      'a title in the name of a file that cannot be processed',
      'ffmpeg_failed',
      'ERROR: Postprocessing: file:/job/Sign in to confirm your age HTTP Error 429.mp4: Invalid data found when processing input',
    ],
    [
      'the path of a URL',
      'unsupported_url',
      'ERROR: [generic] login: Unsupported URL: https://example.com/private-video/HTTP-Error-429/login?password=1',
    ],
    [
      'a title that ffmpeg prints as a tag',
      'invalid_media',
      '    title           : No space left on device\nmoov atom not found',
    ],
    ['a wrong login that names a password', 'auth_failed', 'ERROR: [vimeo] Unable to log in: Invalid password'],
    [
      'a reason phrase',
      'upstream_5xx',
      'ERROR: [generic] v: Unable to download webpage: HTTP Error 503: Private video (caused by <HTTPError 503: Private video>)',
    ],
    [
      'an innocent warning',
      'private',
      'WARNING: [youtube] Unable to download webpage: HTTP Error 429: Too Many Requests (caused by <HTTPError 429: Too Many Requests>)\nERROR: [youtube] a: Private video',
    ],
  ])('%s does not decide', (_, code, stderr) => {
    expect(classify(stderr).code).toBe(code)
  })
})

describe('warnings', () => {
  const WARNING =
    'WARNING: [youtube] Unable to download API page: HTTP Error 429: Too Many Requests (caused by <HTTPError 429: Too Many Requests>)'

  test('explain why no formats were found', () => {
    const error = classify(`${WARNING}\nERROR: [youtube] a: No video formats found!${BUG_HINT}`)
    expect([error.code, error.httpStatus]).toEqual(['rate_limited', 429])
  })

  test('do not excuse a format that the video never had', () => {
    expect(classify(`${WARNING}\nERROR: [youtube] a: Requested format is not available`).code).toBe(
      'format_unavailable',
    )
  })
})

describe('the lane', () => {
  const FORBIDDEN =
    'ERROR: [generic] v: Unable to download webpage: HTTP Error 403: Forbidden (caused by <HTTPError 403: Forbidden>)'
  const TUNNEL_502 =
    "ERROR: [generic] v: Unable to download webpage: <urlopen error Tunnel connection failed: 502 Bad Gateway> (caused by ProxyError('Tunnel connection failed: 502'))"

  test('turns a 403 of its own into egress_denied and names the host only', () => {
    const error = classify(FORBIDDEN, { denied: [{ host: '169.254.169.254', reason: 'private_address' }] })
    expect(error.code).toBe('egress_denied')
    expect(error.message).toContain('169.254.169.254')
    expect(error.httpStatus).toBeNull()
  })

  test('leaves a 403 of the site alone', () => {
    expect(classify(FORBIDDEN).code).toBe('access_denied')
  })

  test('tells names that do not resolve from hosts that do not answer', () => {
    expect(classify(TUNNEL_502).code).toBe('network')
    expect(classify(TUNNEL_502, { denied: [{ host: 'a.test', reason: 'dns' }] }).code).toBe('dns')
    expect(classify(FORBIDDEN, { denied: [{ host: 'a.test', reason: 'dns' }] }).code).toBe('access_denied')
  })

  test('does not explain what it did not cause', () => {
    const denied = [{ host: '10.0.0.1', reason: 'private_address' }] as const
    expect(classify('ERROR: [youtube] a: Private video', { denied }).code).toBe('private')
  })

  test('has the last word about size', () => {
    expect(classify('ERROR: unable to download video data: [Errno 104] reset', { laneFailure: 'too_large' }).code).toBe(
      'too_large',
    )
  })

  test('explains ffmpeg, which only sees the proxy refuse', () => {
    const denied = [{ host: '10.0.0.1', reason: 'private_address' }] as const
    expect(classify('http://10.0.0.1/x: Server returned 403 Forbidden (access denied)', { denied }).code).toBe(
      'egress_denied',
    )
  })
})

describe('the way a run ends', () => {
  const end = (kind: ToolExit['kind'], signalName: string | null = null, stderr = ''): ToolExit => ({
    kind,
    exitCode: null,
    signalName,
    stderr,
  })

  test.each<[string, ToolExit, TaskErrorCode]>([
    ['a time-out', end('timeout'), 'timeout'],
    ['an abort', end('aborted', 'SIGKILL'), 'cancelled'],
    ['a signal of somebody else', end('signal', 'SIGSEGV'), 'crashed'],
    ['a kill for memory', end('signal', 'SIGKILL'), 'crashed'],
    ['the limit on file size', end('signal', 'SIGXFSZ'), 'too_large'],
    ['a program that is not there', end('spawn', null, 'spawn ENOENT'), 'dependency_missing'],
    ['no memory to start it', end('spawn', null, 'spawn EAGAIN'), 'crashed'],
    [
      'options that yt-dlp refuses',
      exited('Usage: x\n\nyt-dlp: error: no such option: --foo', 2),
      'bad_request_options',
    ],
    ['a download stopped by its own conditions', exited('', 101), 'filtered'],
    ['success without a file', exited('', 0), 'filtered'],
    [
      'success without a file, for its size',
      exited('[download] File is larger than max-filesize (9 bytes > 1 bytes). Aborting.', 0),
      'too_large',
    ],
    [
      'an exception nobody caught',
      exited('Traceback (most recent call last):\n  File "x", line 1, in y\nKeyError: 1'),
      'crashed',
    ],
    [
      'memory that ran out',
      exited('Traceback (most recent call last):\n  File "x", line 1, in y\nMemoryError'),
      'crashed',
    ],
    ['silence', exited(''), 'unknown'],
  ])('%s', (_, exit, code) => {
    expect(classifyFailure({ exit }).code).toBe(code)
  })

  test('what ffmpeg printed says more than its exit code', () => {
    const stderr =
      '[https @ 0x1] HTTP error 503 Service Unavailable\nhttps://a.test/x: Server returned 5XX Server Error reply\nERROR: ffmpeg exited with code 1'
    expect(classify(stderr).code).toBe('upstream_5xx')
    expect(classify('ERROR: ffmpeg exited with code 1').code).toBe('ffmpeg_failed')
  })
})

describe('waiting', () => {
  test.each<[string, number | null]>([
    ['ERROR: [youtube] a: This live event will begin in 3 hours.', 10_800],
    ['ERROR: [youtube] a: Premieres in 5 minutes', 300],
    [
      "ERROR: [youtube] a: This content isn't available, try again later. The current session has been rate-limited by YouTube for up to an hour.",
      3600,
    ],
    ['ERROR: [youtube] a: This live event will begin in a few moments.', null],
    ['ERROR: [youtube] a: Private video. Wait 5 minutes', null],
  ])('%s', (stderr, seconds) => {
    expect(classify(stderr).retryAfter).toBe(seconds)
  })
})

describe('parseStderr', () => {
  test('splits at carriage returns, drops colours and joins what belongs together', () => {
    const parsed = parseStderr(
      '\u001b[0;31mERROR:\u001b[0m \r[download] Got error: timed out\nWARNING: [x] y: careful\nhttps://a.test: refused\nERROR: [Site:sub] i: first\n  second',
    )
    expect(parsed.errors).toEqual([
      { extractor: null, text: 'Got error: timed out' },
      { extractor: 'Site:sub', text: 'first\n  second' },
    ])
    expect(parsed.warnings).toEqual([{ extractor: 'x', text: 'careful' }])
    expect(parsed.extractor).toBe('Site:sub')
    expect(parsed.rest).toEqual(['https://a.test: refused'])
  })

  test('keeps the error of every entry of a playlist', () => {
    const parsed = parseStderr('ERROR: [youtube] a: Private video\nERROR: [youtube] b: Video unavailable\n')
    expect(parsed.errors.map(({ text }) => text)).toEqual(['Private video', 'Video unavailable'])
  })

  test('reads megabytes of noise at once', () => {
    const started = performance.now()
    expect(TASK_ERROR_CODES).toContain(classify(`ERROR: [generic] a: ${'no video for invalid '.repeat(200_000)}`).code)
    expect(TASK_ERROR_CODES).toContain(classify('invalid url a: \r'.repeat(300_000)).code)
    expect(performance.now() - started).toBeLessThan(2000)
  })

  test.each(['a', ' ', 'a ', '\t', ' \n', '[', '(caused by ', 'http:', '; ', ',', '-a '])(
    'is not held up by lines of %j',
    (noise) => {
      const long = noise.repeat(Math.ceil(60_000 / noise.length))
      const started = performance.now()
      expect(TASK_ERROR_CODES).toContain(classify(`x${long}y`).code)
      expect(TASK_ERROR_CODES).toContain(classify(`ERROR: [generic] a: x${long}y (caused by x${long}y)`).code)
      expect(TASK_ERROR_CODES).toContain(classify(`${long.slice(0, 200)}\n`.repeat(1900)).code)
      expect(performance.now() - started).toBeLessThan(2000)
    },
  )
})

describe('sanitiseMessage', () => {
  test.each([
    ['Private video. Use --cookies-from-browser or --cookies for the authentication', 'Private video.'],
    ['Check this in your browser. If it is not, then use --cookies for it', 'Check this in your browser.'],
    ['This video is protected by a password, use the --video-password option', 'This video is protected by a password'],
    ["unable to open: '/srv/jobs/7/a.part' is gone", "unable to open: '<file>' is gone"],
    ['via http://user:secret@127.0.0.1:8080 failed', 'via <local> failed'],
    ['via http://user:secret@proxy.test:8080/x?key=1 failed', 'via http://proxy.test:8080/x failed'],
    ['login with password=hunter2 failed', 'login with password=<hidden> failed'],
    ['a\u202eb\u0000c\u001b[31md', 'a b cd'],
    [`Boom${BUG_HINT}`, 'Boom'],
    [
      'Unable to download webpage: HTTP Error 404: Not Found (caused by <HTTPError 404: Not Found>)',
      'Unable to download webpage: HTTP Error 404: Not Found',
    ],
  ])('%s', (text, clean) => {
    expect(sanitiseMessage(text)).toBe(clean)
  })

  test('never exceeds its length', () => {
    expect(sanitiseMessage('😀'.repeat(1000)).length).toBeLessThanOrEqual(500)
  })
})
