import {
  chooseStart,
  chooseVariant,
  findSegment,
  parsePlaylist,
  secondsBetween,
} from '../../src/engine/live-playlist.ts'

const BASE = 'https://live.example/show/index.m3u8?token=1'

function media(durations: readonly number[], more = '') {
  const lines = durations.map((seconds, index) => `#EXTINF:${seconds},title\nseg-${index}.ts?t=${index}`)
  const text = `#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MAP:URI="init.mp4"\n${lines.join('\n')}\n${more}`
  const playlist = parsePlaylist(text, BASE)
  if (playlist?.kind !== 'media') throw new Error('not a media playlist')
  return playlist
}

const MASTER = `#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="a.m3u8"
#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=9,BANDWIDTH=800000,RESOLUTION=640x360
low.m3u8

#EXT-X-STREAM-INF:BANDWIDTH=2500000,RESOLUTION=1280x720
mid.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=1280x720,FRAME-RATE=60
https://other.example/high.m3u8
`

describe('a playlist', () => {
  test('of media tells its segments with absolute addresses, and whether more will come', () => {
    const playlist = media([6, 5.5])
    expect(playlist.segments[1]).toEqual({ url: 'https://live.example/show/seg-1.ts?t=1', seconds: 5.5 })
    expect([playlist.targetSeconds, playlist.isEnded]).toEqual([6, false])
    expect(media([6], '#EXT-X-ENDLIST\r\n').isEnded).toBe(true)
  })

  test.each(['', '<html>', 'EXTM3U', '{}'])('is not made of %j', (text) => {
    expect(parsePlaylist(text, BASE)).toBeNull()
  })

  test.each([
    [{ height: 360, bitRate: null }, 'https://live.example/show/low.m3u8'],
    [{ height: 720, bitRate: 2_400_000 }, 'https://live.example/show/mid.m3u8'],
    [{ height: null, bitRate: null }, 'https://other.example/high.m3u8'],
    [{ height: 1080, bitRate: null }, 'https://other.example/high.m3u8'],
  ])('of variants gives the one nearest to %j', (chosen, url) => {
    const playlist = parsePlaylist(MASTER, BASE)
    expect(playlist?.kind === 'master' ? chooseVariant(playlist, chosen)?.url : null).toBe(url)
  })

  test.each([
    ['comments', '#\n'],
    ['tags of variants', '#EXT-X-STREAM-INF:\n'],
    ['variants', '#EXT-X-STREAM-INF:\na\n'],
    ['segments', '#EXTINF:1\na\n'],
  ])('of millions of %s is read in time', (_what, lines) => {
    const started = performance.now()
    const text = `#EXTM3U\n${lines === '#\n' ? '#EXT-X-STREAM-INF:\n' : ''}${lines.repeat(4_000_000 / lines.length)}`
    expect(parsePlaylist(text, BASE)).not.toBeNull()
    expect(performance.now() - started).toBeLessThan(4_000)
  })
})

describe('the start of a recording', () => {
  test.each([
    [0, 9, 7, false],
    [1, 9, 7, false],
    [2.5, 7, 5, false],
    [6, 4, 2, false],
    [9, 1, 0, false],
    [10, 0, 0, false],
    [11, 0, 0, true],
  ])('%d s back in ten segments of 1 s is segment %d, asked for from %d on', (seconds, wanted, asked, isClipped) => {
    const start = chooseStart(media(Array.from({ length: 10 }, () => 1)), seconds)
    expect(start).toMatchObject({ wanted, asked, isClipped })
  })

  test('with long segments is the one that holds the moment', () => {
    expect(chooseStart(media([6, 6, 6]), 7)).toMatchObject({ wanted: 1, asked: 0 })
    expect(secondsBetween(media([6, 5, 4]).segments, 1, 3)).toBe(9)
  })
})

test('a segment is found by its address, also with another query, unless that is ambiguous', () => {
  const { segments } = media([1, 1, 1])
  expect(findSegment(segments, 'https://live.example/show/seg-1.ts?t=1')).toBe(1)
  expect(findSegment(segments, 'https://live.example/show/seg-2.ts?t=99')).toBe(2)
  expect(findSegment(segments, 'https://live.example/show/init.mp4')).toBeNull()
  expect(findSegment([...segments, ...segments], 'https://live.example/show/seg-1.ts?t=1')).toBeNull()
})
