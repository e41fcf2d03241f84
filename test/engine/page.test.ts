import { entriesOf, type Page, type PageEntry, type PlaylistPage } from '../../src/domain/page.ts'
import { pageOf, readPage } from '../../src/engine/page.ts'
import { bulkDocument, flatEntry, playlistDocument } from '../support/playlists.ts'

function asList(page: Page): PlaylistPage {
  if (page.kind !== 'playlist') throw new Error('this is no playlist')
  return page
}
const entriesIn = (document: string): PageEntry[] => {
  const page = asList(pageOf(document))
  return entriesOf(page, 0, page.count)
}
const only = (more: Readonly<Record<string, unknown>>) => entriesIn(playlistDocument([flatEntry('a', more)]))[0]

describe('a flat playlist', () => {
  test('tells of each entry what yt-dlp told, in one form', () => {
    const [entry] = entriesIn(
      playlistDocument([
        flatEntry('a', {
          upload_date: '20240517',
          thumbnails: [{ url: 'https://i.example/small' }, { url: 'https://i.example/big' }],
        }),
      ]),
    )
    expect(entry).toEqual({
      position: 1,
      kind: 'media',
      id: 'a',
      url: 'https://video.example/a',
      title: 'Title of a',
      duration: 60,
      uploadDate: '2024-05-17',
      thumbnail: 'https://i.example/big',
      availability: null,
      archiveId: 'example a',
    })
  })

  test.each([
    [{ title: '[Private video]' }, 'private'],
    [{ title: '[Deleted video]' }, 'removed'],
    [{ live_status: 'is_live' }, 'live'],
    [{ live_status: 'is_upcoming' }, 'upcoming'],
    [{ availability: 'subscriber_only' }, 'subscriber_only'],
    [{ availability: 'a word of tomorrow' }, null],
  ])('knows from %j that it is %s', (more, availability) => {
    expect(only(more)).toMatchObject({ availability })
  })

  test('has the day of a timestamp, and none of one that is beyond time', () => {
    expect(only({ timestamp: 1_715_957_400 })).toMatchObject({ uploadDate: '2024-05-17' })
    expect(only({ timestamp: 1e18 })).toMatchObject({ uploadDate: null })
    expect(only({ upload_date: 'yesterday' })).toMatchObject({ uploadDate: null })
  })

  test('takes no address but one of the web', () => {
    expect(only({ url: 'file:///etc/passwd' })).toMatchObject({ url: null })
    expect(only({ url: 'a', webpage_url: 'https://video.example/page' })).toMatchObject({
      url: 'https://video.example/page',
    })
    expect(only({ thumbnail: 'javascript:alert(1)' })).toMatchObject({ thumbnail: null })
  })

  test('knows lists by their extractor, and puts what came along with one in its place', () => {
    expect(only({ ie_key: 'YoutubeTab' })).toMatchObject({ kind: 'playlist', archiveId: null })
    const tab = { _type: 'playlist', id: 'tab', extractor_key: 'YoutubeTab', entries: [flatEntry('b'), flatEntry('c')] }
    const entries = entriesIn(playlistDocument([flatEntry('a'), tab, null, flatEntry('d')]))
    expect(entries.map(({ position, id }) => [position, id])).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
      [4, 'd'],
    ])
  })

  test('is read beside everything else when it is long, with the same result', async () => {
    const document = bulkDocument(10_000)
    expect(document.length).toBeGreaterThan(2 ** 20)
    let longest = 0
    let last = performance.now()
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 5)
    const page = asList(await readPage(document))
    clearInterval(timer)
    expect(page).toEqual(pageOf(document))
    expect(entriesOf(page, 199, 201).map(({ position }) => position)).toEqual([200, 201])
    expect(entriesOf(page, 9_999, 20_000)).toHaveLength(1)
    expect(longest).toBeLessThan(250)
  })

  test('that names lists for ever, or is no description, is an error with a name', async () => {
    let nested: unknown = flatEntry('a')
    for (let depth = 0; depth < 50; depth++) nested = { _type: 'playlist', entries: [nested] }
    expect(entriesIn(playlistDocument([nested]))).toEqual([])
    await expect(readPage('null')).rejects.toMatchObject({ code: 'no_media' })
    await expect(readPage('[1]')).rejects.toMatchObject({ code: 'extractor_broken' })
    await expect(readPage(`"${'x'.repeat(2 ** 20)}"`)).rejects.toMatchObject({ code: 'extractor_broken' })
  })
})

test('a single medium tells of its formats, languages and chapters, whatever else is broken in it', () => {
  const page = pageOf(
    JSON.stringify({
      id: 7,
      title: 'T'.repeat(5_000),
      extractor_key: 'Example',
      webpage_url: 'https://video.example/7',
      channel: 'Somebody',
      duration: 'long',
      formats: [
        { format_id: '1', ext: 'mp4', vcodec: 'avc1', acodec: 'none', width: 640, tbr: 100, filesize_approx: 1_000 },
        { ext: 'without an id' },
        null,
      ],
      subtitles: { en: [{}], live_chat: [{}] },
      automatic_captions: { de: [{}] },
      chapters: [{ title: 'One', start_time: 0, end_time: 5 }, 'broken'],
    }),
  )
  expect(page).toMatchObject({
    kind: 'video',
    id: '7',
    uploader: 'Somebody',
    duration: null,
    archiveId: 'example 7',
    formats: [{ id: '1', vcodec: 'avc1', acodec: null, width: 640, height: null, bitrate: 100, size: 1_000 }],
    subtitles: { manual: ['en'], automatic: ['de'] },
    chapters: [{ title: 'One', start: 0, end: 5 }],
  })
  expect(page.title).toHaveLength(1_000)
})
