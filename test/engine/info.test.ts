import fc from 'fast-check'
import { TaskError } from '../../src/domain/errors.ts'
import { parseInfo, publicInfo } from '../../src/engine/info.ts'

const codeOf = (text: string) => {
  try {
    parseInfo(text)
    return null
  } catch (error) {
    if (error instanceof TaskError) return error.code
    throw error
  }
}

describe('what yt-dlp printed', () => {
  test('is a document, with all its fields', () => {
    const document = { id: 'x', title: 'A', duration: 1.5, formats: [{ format_id: '1' }], anything: { deep: [1] } }
    expect(parseInfo(JSON.stringify(document))).toEqual(document)
  })

  test('may have fields of other types: those are unknown, not an error', () => {
    expect(parseInfo('{"id": 5, "duration": "long", "is_live": "yes"}')).toMatchObject({
      id: 5,
      duration: null,
      is_live: null,
    })
  })

  test('is no media when it is null, and a broken extractor when it is anything else', () => {
    expect(codeOf('null')).toBe('no_media')
    for (const text of ['', '{"id":', '[]', '"text"', '5', '{}{}']) expect(codeOf(text)).toBe('extractor_broken')
  })
})

describe('what clients get to see of it', () => {
  test('has everything but cookies, headers, local paths and private fields', () => {
    const document = {
      _type: 'video',
      id: 'x',
      cookies: 'session=1',
      http_headers: { Cookie: 'session=1' },
      filename: '/srv/x.mp4',
      _filename: '/srv/x.mp4',
      _version: { version: '1' },
      __files_to_merge: ['/srv/a'],
      infojson_filename: '/srv/x.info.json',
      requested_downloads: [{ filepath: '/srv/x.mp4', id: 'secret' }],
      formats: [
        { format_id: '1', http_headers: { 'User-Agent': 'x' }, cookies: 'a=b', fragments: [{ url: 'https://u' }] },
      ],
      subtitles: { en: [{ url: 'https://s', filepath: '/srv/x.en.vtt' }] },
      entries: [{ id: 'y', _type: 'url', __postprocessors: ['x'], http_headers: {} }],
    }
    expect(publicInfo(document)).toEqual({
      _type: 'video',
      id: 'x',
      formats: [{ format_id: '1', fragments: [{ url: 'https://u' }] }],
      subtitles: { en: [{ url: 'https://s' }] },
      entries: [{ id: 'y', _type: 'url' }],
    })
  })

  test('has none of it at any depth of any document, and loses nothing else', () => {
    const secretNames = [
      'cookies',
      'http_headers',
      'filepath',
      'filename',
      '_filename',
      'requested_downloads',
      '__finaldir',
    ]
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null))
    const { document } = fc.letrec((tie) => ({
      document: fc.dictionary(fc.constantFrom('id', 'formats', 'url', '_type', ...secretNames), tie('value'), {
        maxKeys: 6,
      }),
      value: fc.oneof(
        { maxDepth: 6, withCrossShrink: true },
        leaf,
        fc.array(tie('value'), { maxLength: 4 }),
        tie('document'),
      ),
    }))
    fc.assert(
      fc.property(document, (given) => {
        const text = JSON.stringify(publicInfo(given))
        for (const name of secretNames) expect(text).not.toContain(`"${name}":`)
        expect(JSON.parse(text)).toEqual(without(given, new Set(secretNames)))
      }),
      { numRuns: 300 },
    )
  })

  test('leaves the document it was given as it was', () => {
    const document = Object.freeze({ cookies: 'a', formats: Object.freeze([Object.freeze({ cookies: 'b', id: 1 })]) })
    expect(publicInfo(document)).toEqual({ formats: [{ id: 1 }] })
    for (const plain of [null, 5, 'text', true]) expect(publicInfo(plain)).toBe(plain)
  })
})

/** The same, by way of text. */
function without(value: unknown, names: ReadonlySet<string>): unknown {
  return JSON.parse(JSON.stringify(value, (name, inner: unknown) => (names.has(name) ? undefined : inner))) as unknown
}
