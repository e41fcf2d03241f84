import { selectedNames, selectInfo } from '../../../src/http/core/info-query.ts'

/** The names of an object in JSON text in the order in which they stand there; a parsed object would sort numbers first. */
function namesIn(text: string, part: 'audio' | 'video'): string[] {
  const from = text.indexOf(`"${part}":{`)
  return [...text.slice(from).matchAll(/"([^"]+)":\{"(?:abr|height)"/g)].map(([, name]) => name ?? '')
}

const qualities = (...formats: unknown[]) => selectInfo({ formats }, ['qualities']) ?? ''
const parsed = (...formats: unknown[]) =>
  (JSON.parse(qualities(...formats)) as { qualities: Record<'audio' | 'video', Record<string, unknown>> }).qualities

const AUDIO = {
  format_id: '140',
  acodec: 'mp4a.40.2',
  vcodec: 'none',
  abr: 129.5,
  audio_channels: 2,
  filesize: 1000,
  language: 'en',
}
const VIDEO = {
  format_id: '137',
  vcodec: 'avc1',
  acodec: 'none',
  height: 1080,
  width: 1920,
  fps: 29.97,
  format_note: '1080p',
  dynamic_range: 'SDR',
  filesize: 2000,
}

describe('the qualities of a medium', () => {
  test('are its sounds and pictures with what clients choose by', () => {
    expect(parsed(AUDIO, VIDEO)).toEqual({
      audio: { 140: { abr: 129, acodec: 'mp4a.40.2', audio_channels: 2, filesize: 1000, language: 'en' } },
      video: {
        137: {
          height: 1080,
          width: 1920,
          fps: 29,
          vcodec: 'avc1',
          format_note: '1080p',
          dynamic_range: 'SDR',
          filesize: 2000,
        },
      },
    })
  })

  test('stand in ascending order in the text, also where ids look like numbers', () => {
    const text = qualities(
      { ...AUDIO, format_id: '251', abr: 160 },
      { ...AUDIO, format_id: '600', abr: 32 },
      { ...AUDIO, format_id: '140', abr: 129 },
      { ...VIDEO, format_id: '137', height: 1080, fps: 30 },
      { ...VIDEO, format_id: '9', height: 2160, fps: 30 },
      { ...VIDEO, format_id: '299', height: 1080, fps: 60 },
      { ...VIDEO, format_id: '598', height: 144, fps: 15 },
      { ...VIDEO, format_id: 'hls-720', height: 720, fps: 30 },
    )
    expect(namesIn(text, 'video')).toEqual(['598', 'hls-720', '137', '299', '9'])
    expect(namesIn(text.slice(0, text.indexOf('"video"')), 'audio')).toEqual(['600', '140', '251'])
    expect(JSON.parse(text)).toBeDefined()
  })

  test('need no language, size, channels or note', () => {
    const { audio, video } = parsed(
      { format_id: 'a', acodec: 'opus', vcodec: 'none', abr: 50 },
      { format_id: 'v', vcodec: 'vp9', height: 480, fps: 25, filesize: null, filesize_approx: 12.7 },
    )
    expect(audio['a']).toEqual({ abr: 50, acodec: 'opus', audio_channels: 0, filesize: 0, language: null })
    expect(video['v']).toMatchObject({ width: 0, filesize: 12, format_note: null, dynamic_range: null })
  })

  test('leave out storyboards, unknown notes and formats that lack what they are ordered by', () => {
    expect(
      parsed(
        { ...VIDEO, format_note: 'storyboard' },
        { ...VIDEO, format_note: 'Storyboard (low)' },
        { ...VIDEO, format_note: 'unknown' },
        { ...VIDEO, format_id: undefined },
        { ...VIDEO, height: null },
        { ...VIDEO, fps: 'many' },
        { ...VIDEO, vcodec: 'none' },
        { ...VIDEO, vcodec: null },
        { ...AUDIO, abr: null },
        { ...AUDIO, abr: Number.NaN },
        { ...AUDIO, acodec: 'none' },
        { ...AUDIO, vcodec: undefined },
        null,
        'text',
        5,
      ),
    ).toEqual({ audio: {}, video: {} })
  })

  test('have files with picture and sound among the pictures', () => {
    const { audio, video } = parsed({ ...VIDEO, format_id: '18', acodec: 'mp4a', abr: 96, height: 360 })
    expect(Object.keys(video)).toEqual(['18'])
    expect(audio).toEqual({})
  })

  test('are empty, not an error, where a document has no formats', () => {
    for (const formats of [undefined, null, 'none', {}, 5]) {
      expect(selectInfo({ formats }, ['qualities'])).toBe('{"qualities":{"audio":{},"video":{}}}')
    }
  })
})

describe('the names of a query', () => {
  test('select fields that are there, in the order of the query', () => {
    const document = { title: 'A "title"', duration: null, id: 5, nested: { deep: [1] } }
    expect(selectInfo(document, ['duration', 'title', 'missing', 'nested'])).toBe(
      '{"duration":null,"title":"A \\"title\\"","nested":{"deep":[1]}}',
    )
  })

  test('select nothing where none is there, and nothing that every object has', () => {
    expect(selectInfo({ title: 'A' }, ['missing'])).toBeNull()
    expect(selectInfo({ title: 'A' }, [])).toBeNull()
    for (const name of ['toString', 'constructor', '__proto__', 'hasOwnProperty']) {
      expect(selectInfo({ title: 'A' }, [name])).toBeNull()
    }
  })

  test('are not those of a signature or of the way to be served', () => {
    expect(
      selectedNames({ title: '', expires: '1', signature: 'x', raw: 'true', download: '', qualities: '' }),
    ).toEqual(['title', 'qualities'])
  })
})
