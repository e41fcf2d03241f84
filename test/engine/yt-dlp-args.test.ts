import fc from 'fast-check'
import { TASK_KINDS, type TaskRequest } from '../../src/domain/task.ts'
import { downloadArgs, firstInfoArgs, infoArgs, selectorOf } from '../../src/engine/yt-dlp-args.ts'
import { submissionBody } from '../../src/http/core/body.ts'
import { requestOf } from '../support/samples.ts'
import { YtDlpParser } from '../support/yt-dlp-parser.ts'

const OPTIONS = { proxyUrl: 'http://user:pass@127.0.0.1:9', prefix: 'c0ffee', maxFileBytes: 5_000_000 }
const optionsFor = (url: string) => ({ ...OPTIONS, url })

const ALONE = new Set([
  '--ignore-config',
  '--no-plugin-dirs',
  '--no-cache-dir',
  '--no-remote-components',
  '--no-exec',
  '--abort-on-error',
  '--no-mtime',
  '--no-playlist',
  '--abort-on-unavailable-fragments',
  '--flat-playlist',
  '--dump-single-json',
  '--dump-json',
  '--newline',
  '--progress',
  '--force-keyframes-at-cuts',
])

/** Options with a value, and what that may be; only the selector is a client's own text. */
const WITH_VALUE: Readonly<Record<string, RegExp>> = {
  '--color': /^no_color$/,
  '--proxy': /^http:\/\/user:pass@127\.0\.0\.1:9$/,
  '--socket-timeout': /^\d+$/,
  '--retries': /^\d+$/,
  '--fragment-retries': /^\d+$/,
  '--extractor-retries': /^\d+$/,
  '--max-filesize': /^5000000$/,
  '--playlist-items': /^1$/,
  '--match-filters': /^!is_live$/,
  '--format': /^[^\p{Cc}]+$/u,
  '--merge-output-format': /^(mp4|(mp4|mkv|webm)\/mkv)$/,
  '--download-sections': /^\*\d+(\.\d{1,3})?-(\d+(\.\d{1,3})?|inf)$/,
  '--output': /^media\.%\(ext\)s$/,
  '--progress-delta': /^[\d.]+$/,
  '--progress-template': /^download:c0ffeeprogress %\(progress\.\{[a-z_,]+\}\)j$/,
  '--print': /^(pre_process|before_dl|after_move):c0ffee(found|chosen|file) %\(\.\{[a-z_,]+\}\)j$/,
}

/** What follows `--`; throws for anything that is not in the grammar above. */
function positionals(args: readonly string[]): readonly string[] {
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? ''
    if (arg === '--') return args.slice(at + 1)
    if (ALONE.has(arg)) continue
    const value = args[++at]
    if (value === undefined || !WITH_VALUE[arg]?.test(value)) throw new Error(`not allowed: ${arg} ${value}`)
  }
  return []
}

const nasty = fc.constantFrom(
  '--exec=touch /tmp/x',
  '-o/etc/passwd',
  '--',
  '-',
  '--config-locations=/etc',
  '$(id)',
  '`id`',
  "'; id; '",
  '%(title)s',
  '*0-inf',
  '\\',
  '"',
  'bestvideo --exec id',
)
const word = fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 12 }), fc.string({ maxLength: 12 }))
const selector = fc.oneof(
  fc.constantFrom(
    'bestvideo',
    'bestvideo[height<=1080]',
    'bv*',
    '137/136',
    '(a/b)[ext=mp4]',
    'none',
    'bestaudio[abr<=129]',
  ),
  word,
  fc.tuple(fc.constant('best'), word).map((parts) => parts.join('')),
)
const time = fc.oneof(
  fc.nat({ max: 700_000 }),
  fc.double({ min: 0, max: 700_000, noNaN: true }),
  fc.constantFrom('1:30', '00:00:59.5', '1e5', '0x10', '-1', '5-10', 'inf', 1e-9, 0.1 + 0.2),
)
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined, freq: 2 })

/** Bodies of every kind, good and bad. */
const bodies = fc.record({
  kind: fc.constantFrom(...TASK_KINDS),
  body: fc.record({
    url: fc.oneof(
      {
        weight: 6,
        arbitrary: fc.tuple(fc.constantFrom('https://v.example/', 'HTTP://V.example/?a='), word).map((p) => p.join('')),
      },
      { weight: 2, arbitrary: fc.webUrl({ withFragments: true, withQueryParameters: true }) },
      { weight: 1, arbitrary: nasty },
    ),
    video_format: optional(selector),
    audio_format: optional(fc.option(selector)),
    start_time: optional(time),
    end_time: optional(time),
    force_keyframes: optional(fc.boolean()),
    start: optional(time),
    duration: optional(time),
    output_format: optional(fc.constantFrom('mp4', 'MKV', 'webm', 'mp3', 'opus', 'exe')),
    output_filename: optional(word),
  }),
})

/** The requests that are made of accepted bodies, as many as asked for. */
function acceptedRequests(count: number): TaskRequest[] {
  const accepted: TaskRequest[] = []
  for (let seed = 1; accepted.length < count; seed++) {
    for (const { kind, body } of fc.sample(bodies, { numRuns: 400, seed })) {
      const { data } = submissionBody(kind).safeParse(body)
      if (data) accepted.push(data)
    }
  }
  return accepted.slice(0, count)
}

const commandsOf = (request: TaskRequest) => {
  const options = optionsFor(request.url)
  return [
    downloadArgs(options, request, null),
    infoArgs(options),
    infoArgs(options, selectorOf(request)),
    firstInfoArgs(options, selectorOf(request)),
  ]
}

describe('the arguments of yt-dlp, for any body that is accepted,', () => {
  test('are ours but for the selector, and the address stands alone behind the last option', () => {
    fc.assert(
      fc.property(bodies, ({ kind, body }) => {
        const { data: request } = submissionBody(kind).safeParse(body)
        fc.pre(request !== undefined)
        for (const args of commandsOf(request)) expect(positionals(args)).toEqual([request.url])
        expect(request.url).toMatch(/^https?:\/\//i)
      }),
      { numRuns: 600, maxSkipsPerRun: 1000 },
    )
  })

  test('mean to yt-dlp what they say: nothing but selector, section and container differs from one body to another', async () => {
    const parser = await YtDlpParser.find()
    const requests = acceptedRequests(150)
    const argvs = requests.map((request) => downloadArgs(optionsFor(request.url), request, null))
    const [plain, ...understood] = parser.understand([
      downloadArgs(optionsFor('https://v.example/'), requestOf({ url: 'https://v.example/' }), null),
      ...argvs,
    ])
    const mayDiffer = new Set([
      'format',
      'download_ranges',
      'force_keyframes_at_cuts',
      'merge_output_format',
      'final_ext',
    ])
    for (const [n, { urls, params = {}, error }] of understood.entries()) {
      const request = requests[n] ?? requestOf()
      expect(error).toBeUndefined()
      expect(urls).toEqual([request.url])
      expect(params['format']).toBe(selectorOf(request))
      const names = new Set([...Object.keys(params), ...Object.keys(plain?.params ?? {})])
      const differing = [...names].filter(
        (name) => JSON.stringify(params[name]) !== JSON.stringify(plain?.params?.[name]),
      )
      expect(differing.filter((name) => !mayDiffer.has(name))).toEqual([])
    }
  })
})

describe('every call of yt-dlp', () => {
  test('leaves configuration, plug-ins, caches and commands of the machine out, as yt-dlp itself reads it', async () => {
    const parser = await YtDlpParser.find()
    const calls = parser.understand(commandsOf(requestOf()))
    for (const { params } of calls) {
      expect(params).toMatchObject({
        cachedir: false,
        proxy: OPTIONS.proxyUrl,
        noplaylist: true,
        max_filesize: OPTIONS.maxFileBytes,
        skip_unavailable_fragments: false,
        updatetime: false,
        socket_timeout: 20,
        retries: 0,
        fragment_retries: 3,
      })
      expect(JSON.stringify(params?.['postprocessors'] ?? [])).not.toContain('Exec')
    }
    expect(calls[0]?.params).toMatchObject({ outtmpl: { default: 'media.%(ext)s' }, playlist_items: '1' })
  })
})

describe('a download', () => {
  const argsOf = (more: Partial<TaskRequest>) => downloadArgs(optionsFor('https://v.example/'), requestOf(more), null)
  const valueOf = (args: readonly string[], option: string) =>
    args.includes(option) ? args[args.indexOf(option) + 1] : undefined

  test.each([
    [{ start: 5, end: 10 }, '*5-10'],
    [{ start: null, end: 10.25 }, '*0-10.25'],
    [{ start: 90, end: null }, '*90-inf'],
  ])('of the part %j asks for the section %s', (clip, section) => {
    expect(valueOf(argsOf({ clip }), '--download-sections')).toBe(section)
    expect(argsOf({ clip })).not.toContain('--force-keyframes-at-cuts')
    expect(argsOf({ clip, forceKeyframes: true })).toContain('--force-keyframes-at-cuts')
  })

  test('of the whole asks for no section and for no exact cuts', () => {
    const args = argsOf({ forceKeyframes: true })
    expect(args).not.toContain('--download-sections')
    expect(args).not.toContain('--force-keyframes-at-cuts')
  })

  test.each([
    [null, 'mp4'],
    ['mkv', 'mkv/mkv'],
    ['webm', 'webm/mkv'],
    ['avi', 'mp4'],
  ])('with the container %s merges to %s', (outputFormat, merged) => {
    expect(valueOf(argsOf({ outputFormat }), '--merge-output-format')).toBe(merged)
    expect(argsOf({ outputFormat, kind: 'audio' })).not.toContain('--merge-output-format')
  })

  test('that has an info file takes that in the place of the address', () => {
    const args = downloadArgs(optionsFor('https://v.example/'), requestOf(), '/job/info.json')
    expect(args.slice(-2)).toEqual(['--load-info-json', '/job/info.json'])
    expect(args).not.toContain('https://v.example/')
    expect(args).not.toContain('--')
  })
})
