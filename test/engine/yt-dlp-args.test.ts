import fc from 'fast-check'
import {
  EMBED_WISHES,
  SPONSOR_CATEGORIES,
  SUBTITLE_FORMATS,
  WRITE_WISHES,
  type TaskRequest,
} from '../../src/domain/task.ts'
import type { SitePreset } from '../../src/domain/site-preset.ts'
import { planFetch } from '../../src/engine/fetch-plan.ts'
import { galleryArgs, postArgs } from '../../src/engine/post-args.ts'
import type { SiteAccess } from '../../src/engine/site-access.ts'
import {
  besideArgs,
  downloadArgs,
  firstInfoArgs,
  infoArgs,
  PLAIN_DOWNLOAD,
  selectorOf,
} from '../../src/engine/yt-dlp-args.ts'
import { CORE_KINDS, submissionBody } from '../../src/http/core/body.ts'
import { NO_SITE_ACCESS, requestOf } from '../support/samples.ts'
import { YtDlpParser } from '../support/yt-dlp-parser.ts'

const OPTIONS = {
  proxyUrl: 'http://user:pass@127.0.0.1:9',
  prefix: 'c0ffee',
  maxFileBytes: 5_000_000,
  sponsorBlockApi: 'https://sponsor.example',
  site: NO_SITE_ACCESS,
}
const optionsFor = (url: string) => ({ ...OPTIONS, url })

const ALONE = new Set([
  '--ignore-config',
  '--no-plugin-dirs',
  '--no-cache-dir',
  '--no-remote-components',
  '--no-exec',
  '--abort-on-error',
  '--ignore-errors',
  '--ignore-no-formats-error',
  '--no-mtime',
  '--no-playlist',
  '--abort-on-unavailable-fragments',
  '--flat-playlist',
  '--dump-single-json',
  '--dump-json',
  '--newline',
  '--progress',
  '--force-keyframes-at-cuts',
  '--skip-download',
  '--write-subs',
  '--write-auto-subs',
  '--write-thumbnail',
])

/** Options with a value, and what that may be; only the selector is a client's own text. */
const WITH_VALUE: Readonly<Record<string, RegExp>> = {
  '--color': /^no_color$/,
  '--proxy': /^http:\/\/user:pass@127\.0\.0\.1:9$/,
  '--socket-timeout': /^\d+$/,
  '--retries': /^\d+$/,
  '--cookies': /^\/attempt\/a\.1\/cookies\.txt$/,
  '--user-agent': /^[\x20-\x7e]+$/,
  '--impersonate': /^[a-z]+(-[\d.]+)?(:[a-z]+(-[\d.]+)?)?$/,
  '--sleep-requests': /^[\d.]+$/,
  '--sleep-interval': /^[\d.]+$/,
  '--max-sleep-interval': /^[\d.]+$/,
  '--extractor-args': /^(youtube|youtubetab|youtubepot-ytdlpd):[\w=,;.+%-]+$/,
  '--fragment-retries': /^\d+$/,
  '--extractor-retries': /^\d+$/,
  '--max-filesize': /^5000000$/,
  '--playlist-items': /^1(:50)?$/,
  '--ies': /^default,-generic$/,
  '--match-filters': /^!is_live$/,
  '--format': /^[^\p{Cc}]+$/u,
  '--merge-output-format': /^(mp4|(mp4|mkv|webm)\/mkv)$/,
  '--download-sections': /^\*\d+(\.\d{1,3})?-(\d+(\.\d{1,3})?|inf)$/,
  '--output': /^(media(\.%\(autonumber\)d)?|subtitle:subs|thumbnail:thumb)\.%\(ext\)s$/,
  '--sub-langs': /^[A-Za-z0-9]([\w-]|\\\.)*(,[A-Za-z0-9]([\w-]|\\\.)*)*$/,
  '--sub-format': /^vtt\/srt\/ass\/ttml\/best$/,
  '--convert-subs': /^(srt|vtt|ass|lrc)$/,
  '--sponsorblock-remove': /^[a-z_]+(,[a-z_]+)*$/,
  '--sponsorblock-mark': /^[a-z_]+(,[a-z_]+)*$/,
  '--sponsorblock-api': /^https:\/\/sponsor\.example$/,
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
  kind: fc.constantFrom(...CORE_KINDS),
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
    downloadArgs(options, request),
    besideArgs(options, request, PLAIN_DOWNLOAD),
    infoArgs(options),
    infoArgs(options, selectorOf(request)),
    firstInfoArgs(options, request),
    postArgs(options, { pictures: true, first: false }),
    postArgs(options, { pictures: false, first: true }),
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
    const argvs = requests.map((request) => downloadArgs(optionsFor(request.url), request))
    const [plain, ...understood] = parser.understand([
      downloadArgs(optionsFor('https://v.example/'), requestOf({ url: 'https://v.example/' })),
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

/** What a site may say of a medium, and what a client may want of it, hostile words in both. */
const wishes = fc.record({
  kind: fc.constantFrom('video', 'audio', 'subtitles', 'thumbnail'),
  clips: fc.constantFrom(
    [],
    [{ start: 1.23456, end: 2 }],
    [
      { start: null, end: 1e-7 },
      { start: 5, end: null },
    ],
  ),
  chapters: fc.option(fc.oneof(fc.constant('split' as const), fc.array(fc.constantFrom('a', '.*', '$(id)')))),
  embed: fc.subarray([...EMBED_WISHES]),
  write: fc.subarray([...WRITE_WISHES]),
  subtitles: fc.record({
    languages: fc.array(fc.oneof(word, fc.constantFrom('all', 'en', 'e.', '.*')), { minLength: 1, maxLength: 4 }),
    automatic: fc.boolean(),
    format: fc.option(fc.constantFrom(...SUBTITLE_FORMATS)),
  }),
  sponsorBlock: fc.option(
    fc.record({
      action: fc.constantFrom('remove', 'mark'),
      categories: fc.subarray([...SPONSOR_CATEGORIES], { minLength: 1 }),
    }),
  ),
})
const tracks = fc.dictionary(
  fc.oneof(word, fc.constantFrom('en', 'en.x', 'e_n-GB', 'all', '-de', '../x')),
  fc.constant([]),
)
const media = fc.record({
  duration: fc.constant(60),
  chapters: fc.array(
    fc.record({ start_time: fc.nat({ max: 59 }), end_time: fc.constant(60), title: fc.oneof(word, fc.constant('a')) }),
  ),
  subtitles: tracks,
  automatic_captions: tracks,
})

describe('the arguments of yt-dlp, whatever a client wants of whatever a site has,', () => {
  test('are ours', () => {
    let planned = 0
    fc.assert(
      fc.property(wishes, media, (wish, medium) => {
        const request = requestOf(wish)
        let plan
        try {
          plan = planFetch(request, JSON.stringify(medium))
        } catch {
          return // nothing is called then
        }
        planned++
        const download = { infoFile: null, plan, sponsorBlock: true }
        const options = optionsFor(request.url)
        expect(positionals(downloadArgs(options, request, download))).toEqual([request.url])
        expect(positionals(besideArgs(options, request, download))).toEqual([request.url])
      }),
      { numRuns: 600 },
    )
    expect(planned).toBeGreaterThan(150)
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
  const argsOf = (more: Partial<TaskRequest>) => downloadArgs(optionsFor('https://v.example/'), requestOf(more))
  const valueOf = (args: readonly string[], option: string) =>
    args.includes(option) ? args[args.indexOf(option) + 1] : undefined

  test.each([
    [{ start: 5, end: 10 }, '*5-10'],
    [{ start: null, end: 10.25 }, '*0-10.25'],
    [{ start: 90, end: null }, '*90-inf'],
  ])('of the part %j asks for the section %s', (clip, section) => {
    expect(valueOf(argsOf({ clips: [clip] }), '--download-sections')).toBe(section)
    expect(argsOf({ clips: [clip] })).not.toContain('--force-keyframes-at-cuts')
    expect(argsOf({ clips: [clip], forceKeyframes: true })).toContain('--force-keyframes-at-cuts')
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
    const args = downloadArgs(optionsFor('https://v.example/'), requestOf(), {
      ...PLAIN_DOWNLOAD,
      infoFile: '/job/info.json',
    })
    expect(args.slice(-2)).toEqual(['--load-info-json', '/job/info.json'])
    expect(args).not.toContain('https://v.example/')
    expect(args).not.toContain('--')
  })
})

describe('the arguments of gallery-dl', () => {
  test('take nothing from the machine, and have the address behind all options', () => {
    const args = galleryArgs('https://x.com/u/status/1', '/attempt/a.1/cookies.txt')
    expect(args.slice(0, 3)).toEqual(['--config-ignore', '--no-input', '--no-colors'])
    expect(args.slice(-3)).toEqual(['--resolve-json', '--', 'https://x.com/u/status/1'])
    expect(args.join(' ')).toContain('--cookies /attempt/a.1/cookies.txt')
    expect(args.join(' ')).toContain('--option output.num-to-str=true')
    expect(galleryArgs('https://x.com/u/status/1', null)).not.toContain('--cookies')
  })
})

describe('a call with cookies and a preset', () => {
  const preset: SitePreset = {
    name: 'home',
    sites: ['youtube.com'],
    isDefault: true,
    proxy: 'socks5://user:pass@proxy.example',
    userAgent: '--exec=id; "Preset"/1.0',
    impersonate: 'chrome-131:macos-14',
    poTokenProvider: 'http://127.0.0.1:4416/a;b,c',
    sleepRequests: 1.5,
    sleepInterval: [0, 8],
    extractorArgs: { youtube: { player_client: ['default', '-web'], po_token: ['mweb.gvs+aB-_=='] } },
  }
  const site: SiteAccess = { cookieFile: '/attempt/a.1/cookies.txt', preset, scope: 'x' }

  test('says so in the same grammar, and means that to yt-dlp', async () => {
    const options = { ...optionsFor('https://v.example/'), site }
    expect(positionals(infoArgs(options))).toEqual(['https://v.example/'])
    expect(infoArgs(options).join(' ')).not.toContain('proxy.example')
    const parser = await YtDlpParser.find()
    const [understood] = parser.understand([
      infoArgs(options).filter((arg) => !/^(--impersonate|chrome-.*)$/.test(arg)),
    ])
    expect(understood?.error).toBeUndefined()
    expect(understood?.params).toMatchObject({
      cookiefile: '/attempt/a.1/cookies.txt',
      sleep_interval_requests: 1.5,
      sleep_interval: 0,
      max_sleep_interval: 8,
      extractor_args: {
        youtube: { player_client: ['default', '-web'], po_token: ['mweb.gvs+aB-_=='] },
        'youtubepot-ytdlpd': { base_url: ['http%3A%2F%2F127.0.0.1%3A4416%2Fa%3Bb%2Cc'] },
      },
      http_headers: { 'User-Agent': '--exec=id; "Preset"/1.0' },
      proxy: OPTIONS.proxyUrl,
    })
  })
})
