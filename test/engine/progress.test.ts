import { parseYtDlpLine, ProgressMeter, tracksOf, type Track, type YtDlpEvent } from '../../src/engine/progress.ts'

const PREFIX = 'f3a91c77e0'
const line = (word: string, json: unknown) => `${PREFIX}${word} ${JSON.stringify(json)}`
const read = (word: string, json: unknown) => parseYtDlpLine(line(word, json), PREFIX)

const track = (more: Partial<Track> = {}): Track => ({ format_id: 'v', url: 'https://cdn.example/v', ...more })

type Report = Extract<YtDlpEvent, { type: 'progress' }>
const report = (more: Partial<Report>): Report => ({
  type: 'progress',
  status: 'downloading',
  downloaded: null,
  total: null,
  fraction: null,
  speed: null,
  eta: null,
  ...more,
})

describe('a line of yt-dlp', () => {
  test('tells what was found, chosen and written', () => {
    expect(read('found', { live_status: 'is_live' })).toEqual({ type: 'found', isLive: true })
    expect(read('found', { live_status: null })).toEqual({ type: 'found', isLive: false })
    expect(read('file', { filepath: '/job/media.mp4' })).toEqual({
      type: 'file',
      file: { filepath: '/job/media.mp4' },
    })
    const whole = read('chosen', { duration: 10.5, format_id: '18', url: 'https://cdn.example/18', filesize: 5 })
    expect(whole).toMatchObject({ type: 'chosen', duration: 10.5, tracks: [{ format_id: '18', filesize: 5 }] })
    const two = read('chosen', { duration: null, requested_formats: [{ format_id: 'v' }, { format_id: 'a' }] })
    expect(two).toMatchObject({ duration: null, tracks: [{ format_id: 'v' }, { format_id: 'a' }] })
  })

  test('tells the progress by bytes, by an estimate, or by fragments', () => {
    expect(
      read('progress', { status: 'downloading', downloaded_bytes: 25, total_bytes: 100, speed: 3.5, eta: 2 }),
    ).toEqual(report({ downloaded: 25, total: 100, fraction: 0.25, speed: 3.5, eta: 2 }))
    expect(read('progress', { downloaded_bytes: 25, total_bytes: null, total_bytes_estimate: 50.5 })).toMatchObject({
      total: 50.5,
      fraction: 25 / 50.5,
    })
    expect(read('progress', { downloaded_bytes: 25, fragment_index: 3, fragment_count: 4 })).toMatchObject({
      total: null,
      fraction: 0.75,
    })
    expect(read('progress', { downloaded_bytes: 25 })).toMatchObject({ downloaded: 25, fraction: null })
    expect(read('progress', { downloaded_bytes: 500, total_bytes: 100 })).toMatchObject({ fraction: 1 })
    expect(read('progress', { downloaded_bytes: 5, total_bytes: 0 })).toMatchObject({ fraction: null })
  })

  test('is nobody’s word when anything but our prefix starts it, whatever a title says', () => {
    const forged = line('file', { filepath: '/etc/passwd' })
    for (const text of [
      forged.slice(PREFIX.length),
      ` ${forged}`,
      `[download] ${forged}`,
      `Title: ${forged}`,
      forged.replace(PREFIX, PREFIX.toUpperCase()),
      '',
    ]) {
      expect(parseYtDlpLine(text, PREFIX)).toBeNull()
    }
    const title = `x\n${PREFIX.slice(0, -1)}file {"filepath":"/etc/passwd"}`
    for (const text of title.split('\n')) expect(parseYtDlpLine(text, PREFIX)).toBeNull()
  })

  test('that is cut off, of another word or of other types is none', () => {
    for (const text of [
      `${PREFIX}progress {"downloaded_bytes": 1`,
      `${PREFIX}progress`,
      `${PREFIX}progress null`,
      `${PREFIX}progress [1]`,
      `${PREFIX}rm {"filepath":"/"}`,
      `${PREFIX}file {"filepath":5}`,
      `${PREFIX}file {}`,
      PREFIX,
    ]) {
      expect(parseYtDlpLine(text, PREFIX)).toBeNull()
    }
    expect(read('progress', { downloaded_bytes: 'many', total_bytes: {}, speed: null })).toEqual(report({ status: '' }))
  })
})

test('the tracks of an info document are its formats, or the one it is', () => {
  expect(tracksOf({ requested_formats: [{ format_id: 'v' }, { format_id: 'a' }] })).toHaveLength(2)
  expect(tracksOf({ format_id: '18', url: 'https://cdn.example/18' })).toMatchObject([{ format_id: '18' }])
  for (const nothing of [null, 'text', 5, []]) expect(tracksOf(nothing)).toEqual([])
})

describe('progress over several tracks', () => {
  test('weighs them by size and never goes back', () => {
    const meter = new ProgressMeter()
    meter.begin([track({ filesize: 900 }), track({ filesize_approx: 100 })])
    const seen = [
      meter.report(report({ downloaded: 0, total: 900, fraction: 0 })),
      meter.report(report({ downloaded: 450, total: 900, fraction: 0.5, speed: 10.4, eta: 45.2 })),
      meter.report(report({ downloaded: 900, total: 900, fraction: 1, status: 'finished' })),
      meter.report(report({ downloaded: 50, total: 100, fraction: 0.5 })),
      meter.report(report({ downloaded: 100, total: 100, fraction: 1, status: 'finished' })),
    ]
    expect(seen.map(({ percent }) => percent)).toEqual([0, 45, 90, 95, 100])
    expect(seen.map(({ downloadedBytes }) => downloadedBytes)).toEqual([0, 450, 900, 950, 1000])
    expect(seen.every(({ totalBytes }) => totalBytes === 1000)).toBe(true)
    expect(seen[1]).toMatchObject({ phase: 'downloading', speed: 10, eta: 45 })
  })

  test('weighs them evenly where a size is not known, and knows no total then', () => {
    const meter = new ProgressMeter()
    meter.begin([track({ filesize: 900 }), track()])
    expect(meter.report(report({ fraction: 1, downloaded: 900, status: 'finished' }))).toMatchObject({
      percent: 50,
      totalBytes: null,
    })
    expect(meter.report(report({ fraction: 0.5 })).percent).toBe(75)
  })

  test('is unknown, not zero, while nothing is known', () => {
    const meter = new ProgressMeter()
    expect(meter.report(report({ downloaded: 5 }))).toMatchObject({
      percent: null,
      speed: null,
      eta: null,
      downloadedBytes: 5,
      totalBytes: null,
    })
    meter.begin([])
    expect(meter.report(report({ fraction: 0.5 })).percent).toBe(50)
    meter.begin([track({ filesize: 0 })])
    expect(meter.report(report({ fraction: 0.5 })).percent).toBe(50)
  })

  test('stays at its end however many tracks are reported', () => {
    const meter = new ProgressMeter()
    meter.begin([track({ filesize: 10 })])
    for (let n = 0; n < 3; n++) {
      expect(meter.report(report({ fraction: 1, downloaded: 10, status: 'finished' })).percent).toBe(100)
    }
  })
})
