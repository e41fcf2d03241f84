import { audioSelector, videoSelector } from '../../src/domain/format.ts'
import { selectorsOf, type Quality } from '../../src/domain/quality.ts'
import { format, info } from '../support/info-document.ts'
import { tempDir } from '../support/temp-dir.ts'
import { YtDlpParser } from '../support/yt-dlp-parser.ts'

const wide = (id: string, lines: number, acodec = 'none') =>
  format(id, { height: lines, width: Math.round((lines * 16) / 9), vcodec: 'avc1.64', acodec })
const tall = (id: string, lines: number, acodec = 'none') =>
  format(id, { width: lines, height: Math.round((lines * 16) / 9), vcodec: 'avc1.64', acodec })
const sound = (id: string, abr: number) => format(id, { abr, vcodec: 'none', acodec: 'mp4a.40.2', ext: 'm4a' })

const LINES = [360, 480, 720, 1080, 1440, 2160]
const WIDE = info(sound('a1', 64), sound('a2', 128), ...LINES.map((lines) => wide(`v${lines}`, lines)))
const TALL = info(sound('a1', 64), sound('a2', 128), ...LINES.map((lines) => tall(`v${lines}`, lines)))
const WIDE_MUXED = info(wide('m360', 360, 'mp4a'), wide('m720', 720, 'mp4a'), wide('m1440', 1440, 'mp4a'))
const TALL_MUXED = info(tall('m360', 360, 'mp4a'), tall('m720', 720, 'mp4a'), tall('m1440', 1440, 'mp4a'))
const LARGE_ONLY = info(sound('a1', 64), wide('v1440', 1440), wide('v2160', 2160))
const BARE = info(format('0', {}))
const UNKNOWN_SIZE = info(format('m', { vcodec: 'avc1', acodec: 'mp4a' }))

const CHOICES: readonly (readonly [quality: Quality, what: string, info: unknown, ids: string])[] = [
  ['best', 'a wide picture', WIDE, 'v2160+a2'],
  ['2160p', 'a wide picture', WIDE, 'v2160+a2'],
  ['1080p', 'a wide picture', WIDE, 'v1080+a2'],
  ['480p', 'a wide picture', WIDE, 'v480+a2'],
  ['worst', 'a wide picture', WIDE, 'v360+a1'],
  ['2160p', 'an upright picture', TALL, 'v2160+a2'],
  ['1080p', 'an upright picture', TALL, 'v1080+a2'],
  ['720p', 'an upright picture', TALL, 'v720+a2'],
  ['worst', 'an upright picture', TALL, 'v360+a1'],
  ['1080p', 'a wide picture with its sound', WIDE_MUXED, 'm720'],
  ['1080p', 'an upright picture with its sound', TALL_MUXED, 'm720'],
  ['worst', 'a wide picture with its sound', WIDE_MUXED, 'm360'],
  ['720p', 'a picture that is larger only', LARGE_ONLY, 'v1440+a1'],
  ['480p', 'a bare link', BARE, '0'],
  ['worst', 'a bare link', BARE, '0'],
  ['720p', 'a picture of unknown size', UNKNOWN_SIZE, 'm'],
]

describe('the quality', () => {
  test('takes the most lines that are allowed, of yt-dlp’s own choice', async () => {
    await using dir = tempDir()
    const parser = await YtDlpParser.find()
    const byInfo = Map.groupBy(CHOICES, ([, , medium]) => medium)
    for (const [medium, cases] of byInfo) {
      const selectors = cases.map(([quality]) => {
        const { videoFormat, audioFormat } = selectorsOf(quality)
        return videoSelector(videoFormat, audioFormat)
      })
      const chosen = parser.choices(medium, selectors, dir.path)
      const found = cases.map(([quality, what], n) => `${quality} of ${what}: ${chosen[n]?.out ?? ''}`)
      expect(found).toEqual(cases.map(([quality, what, , ids]) => `${quality} of ${what}: ${ids}`))
    }
  })

  test('of a sound is its best or its worst', async () => {
    await using dir = tempDir()
    const parser = await YtDlpParser.find()
    const selectors = (['best', 'audio', 'worst'] as const).map((quality) =>
      audioSelector(selectorsOf(quality).audioFormat ?? ''),
    )
    expect(parser.choices(WIDE, selectors, dir.path).map(({ out }) => out)).toEqual(['a2', 'a2', 'a1'])
  })
})
