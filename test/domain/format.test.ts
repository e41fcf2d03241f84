import { audioSelector, videoSelector } from '../../src/domain/format.ts'
import { format, info, type Format } from '../support/info-document.ts'
import { tempDir } from '../support/temp-dir.ts'
import { YtDlpParser, type Choice } from '../support/yt-dlp-parser.ts'

/** What yt-dlp says when nothing fits. */
const REFUSED = 'Requested format is not available'

const picture = (id: string, height: number, more: Format = {}) =>
  format(id, { height, width: (height * 16) / 9, fps: 30, vcodec: 'avc1.64', acodec: 'none', ...more })
const sound = (id: string, abr: number, more: Format = {}) =>
  format(id, { abr, vcodec: 'none', acodec: 'mp4a.40.2', ext: 'm4a', ...more })

const DASH = info(
  sound('a64', 64),
  sound('a128', 128),
  sound('a160', 160, { ext: 'webm', acodec: 'opus' }),
  format('m360', { height: 360, width: 640, fps: 30, vcodec: 'avc1.42', acodec: 'mp4a.40.2', tbr: 500 }),
  picture('v480', 480),
  picture('v1080', 1080),
  picture('v2160', 2160),
)
const MUXED = info(
  format('low', { height: 360, width: 640, vcodec: 'avc1.42', acodec: 'mp4a.40.2', tbr: 300 }),
  format('high', { height: 720, width: 1280, vcodec: 'avc1.42', acodec: 'mp4a.40.2', tbr: 900 }),
)
const BARE = info(format('0', {}))
const SOUND_ONLY = info(sound('s1', 96), sound('s2', 192))
const SILENT_ONLY = info(picture('p1', 480), picture('p2', 720))
const UNKNOWN_HEIGHT = info(
  sound('a', 128),
  format('v', { vcodec: 'avc1', acodec: 'none' }),
  format('m', { vcodec: 'avc1', acodec: 'mp4a' }),
)

const VIDEOS: readonly (readonly [what: string, info: unknown, video: string, audio: string | null, ids: string])[] = [
  ['takes the best of both', DASH, 'bestvideo', 'bestaudio', 'v2160+a160'],
  ['keeps to a height and a bit rate', DASH, 'bestvideo[height<=1080]', 'bestaudio[abr<=129]', 'v1080+a128'],
  ['keeps to a height exactly', DASH, 'bestvideo[height=480]', 'bestaudio', 'v480+a160'],
  [
    'goes through alternatives of a picture',
    DASH,
    'bestvideo[height=720]/bestvideo[height=480]',
    'bestaudio',
    'v480+a160',
  ],
  ['goes through alternatives of a sound', DASH, 'bestvideo', 'bestaudio[ext=flac]/bestaudio[ext=m4a]', 'v2160+a128'],
  ['names formats by their ids', DASH, 'v480', 'a64', 'v480+a64'],
  ['names several ids', DASH, 'v720/v480/v1080', 'a64', 'v480+a64'],
  ['has short words', DASH, 'bv[height<=480]', 'ba[ext=m4a]', 'v480+a128'],
  ['takes the worst', DASH, 'worstvideo', 'worstaudio', 'v480+a64'],
  ['can be without sound', DASH, 'bestvideo[height<=1080]', null, 'v1080'],
  ['without sound and with alternatives', DASH, 'bestvideo[height=7]/bestvideo[height=480]', null, 'v480'],
  ['takes a whole file where nothing is apart', MUXED, 'bestvideo', 'bestaudio', 'high'],
  ['takes a whole file of the height asked for', MUXED, 'bestvideo[height<=480]', 'bestaudio', 'low'],
  ['takes a whole file that is the only picture, without sound', MUXED, 'bestvideo', null, 'high'],
  ['takes a bare link', BARE, 'bestvideo', 'bestaudio', '0'],
  ['takes a bare link although a height is asked for', BARE, 'bestvideo[height<=1080]', 'bestaudio[abr<=129]', '0'],
  ['takes a bare link without sound', BARE, 'bestvideo[height<=1080]', null, '0'],
  ['takes the picture alone where there is no sound', SILENT_ONLY, 'bestvideo', 'bestaudio', 'p2'],
  ['takes formats that do not tell their height', UNKNOWN_HEIGHT, 'bestvideo[height<=720]', 'bestaudio', 'm'],
  ['takes a selector that already names the sound', DASH, 'bestvideo+bestaudio/best', 'bestaudio', 'v2160+a160'],
  ['takes a selector in brackets', DASH, '(v720/v480)[ext=mp4]', 'a64', 'v480+a64'],
  ['takes the best whole file when asked for that', DASH, 'best', null, 'm360'],
  [
    'finds nothing higher than asked for, where heights are known',
    DASH,
    'bestvideo[height<=100]',
    'bestaudio',
    REFUSED,
  ],
  ['finds nothing under an id that is not there', DASH, 'v720', 'bestaudio', REFUSED],
]

const SOUNDS: readonly (readonly [what: string, info: unknown, audio: string, ids: string])[] = [
  ['takes the best', DASH, 'bestaudio', 'a160'],
  ['keeps to a bit rate', DASH, 'bestaudio[abr<=129]', 'a128'],
  ['goes through alternatives', DASH, 'bestaudio[ext=flac]/bestaudio[ext=m4a]', 'a128'],
  ['names a format by its id', DASH, 'a64', 'a64'],
  ['takes the sound of a whole file', MUXED, 'bestaudio', 'high'],
  ['takes a bare link', BARE, 'bestaudio[abr<=129]', '0'],
  ['takes a sound where there is nothing else', SOUND_ONLY, 'bestaudio', 's2'],
]

/** What yt-dlp chose, by its selector and the document; one process for each document. */
const answers = new Map<unknown, Map<string, string>>()

beforeAll(async () => {
  await using dir = tempDir()
  const parser = await YtDlpParser.find()
  const asked = [
    ...VIDEOS.map(([, document, video, audio]) => [document, videoSelector(video, audio)] as const),
    ...SOUNDS.map(([, document, audio]) => [document, audioSelector(audio)] as const),
  ]
  for (const document of new Set(asked.map(([document]) => document))) {
    const selectors = asked.filter(([of]) => of === document).map(([, selector]) => selector)
    const choices = parser.choices(document, selectors, dir.path)
    answers.set(document, new Map(selectors.map((selector, n) => [selector, answerOf(choices[n])])))
  }
})

const answerOf = (choice: Choice | undefined) => (choice?.code === 0 ? choice.out : (choice?.err ?? 'no answer'))

test.each(VIDEOS)('the selector of a video %s', (...[, document, video, audio, ids]) => {
  const answer = answers.get(document)?.get(videoSelector(video, audio)) ?? ''
  expect(answer.includes(REFUSED) ? REFUSED : answer).toBe(ids)
})

test.each(SOUNDS)('the selector of a sound %s', (_what, document, audio, ids) => {
  expect(answers.get(document)?.get(audioSelector(audio))).toBe(ids)
})
