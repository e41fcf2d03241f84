import fc from 'fast-check'
import { ChunkedDecoder } from '../../../src/engine/egress/chunked.ts'
import { framingOf, HeadReader, MAX_HEAD_BYTES, parseResponseHead } from '../../../src/engine/egress/response-head.ts'

const head = (...lines: string[]) => lines.join('\r\n')

function decodeIn(pieces: readonly string[]): { text: string; isDone: boolean } {
  const decoder = new ChunkedDecoder()
  const text = pieces
    .flatMap((piece) => decoder.decode(Buffer.from(piece, 'latin1')))
    .map(String)
    .join('')
  return { text, isDone: decoder.isDone }
}

describe('the head of a response', () => {
  test('is found wherever its bytes are cut', () => {
    const bytes = Buffer.from('HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody\r\n\r\n')
    for (let cut = 0; cut <= bytes.indexOf('body'); cut += 1) {
      const reader = new HeadReader()
      const first = reader.push(bytes.subarray(0, cut))
      const found = first ?? reader.push(bytes.subarray(cut))
      expect(found?.text).toBe('HTTP/1.1 200 OK\r\nA: b')
      if (first === null) expect(found?.rest.toString()).toBe('body\r\n\r\n')
    }
  })

  test('is bounded', () => {
    const reader = new HeadReader()
    expect(() => {
      for (let sent = 0; sent <= MAX_HEAD_BYTES + 1_024; sent += 1_024) reader.push(Buffer.alloc(1_024, 'a'))
    }).toThrow(/too long/)
  })

  test('takes no longer to read when it is made of blanks', () => {
    const blanks = ' \t'.repeat(30_000)
    const started = performance.now()
    expect(parseResponseHead(head('HTTP/1.1 200 OK', `a:${blanks}b${blanks}c${blanks}`)).headers).toEqual([
      ['a', `b${blanks}c`],
    ])
    expect(parseResponseHead(head('HTTP/1.1 200 OK', `a:${blanks}`)).headers).toEqual([['a', '']])
    expect(() => parseResponseHead(head('HTTP/1.1 200 OK', `a:${blanks}\u0001`))).toThrow(/malformed/)
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  test('keeps names and values as they were sent', () => {
    expect(
      parseResponseHead(head('HTTP/1.0 404 Not here', 'X-A:  b c\t', 'set-cookie: a=1', 'Set-Cookie: b=2', 'E:')),
    ).toEqual({
      status: 404,
      reason: 'Not here',
      headers: [
        ['X-A', 'b c'],
        ['set-cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['E', ''],
      ],
    })
    expect(parseResponseHead('HTTP/1.1 200')).toMatchObject({ status: 200, reason: '' })
  })

  test.each([
    'HTTP/2 200 OK',
    'HTTP/1.1 20 OK',
    'ICY 200 OK',
    '200 OK',
    head('HTTP/1.1 200 OK', ' folded: yes'),
    head('HTTP/1.1 200 OK', 'A: b', '\tfolded'),
    head('HTTP/1.1 200 OK', 'A : b'),
    head('HTTP/1.1 200 OK', 'no colon'),
    head('HTTP/1.1 200 OK', ': empty'),
    head('HTTP/1.1 200 OK', 'A: b\nContent-Length: 3'),
    head('HTTP/1.1 200 OK', 'A: b\rc'),
    head('HTTP/1.1 200 OK', 'A: \0'),
  ])('is refused when malformed: %j', (text) => {
    expect(() => parseResponseHead(text)).toThrow()
  })

  test.each([
    [['Content-Length: 5'], 'GET', { kind: 'length', bytes: 5 }],
    [['Content-Length: 5', 'content-length: 5'], 'GET', { kind: 'length', bytes: 5 }],
    [['Content-Length: 5, 5'], 'GET', { kind: 'length', bytes: 5 }],
    [['Content-Length: 5'], 'HEAD', { kind: 'none' }],
    [['Transfer-Encoding: chunked'], 'GET', { kind: 'chunked' }],
    [['Transfer-Encoding: Chunked'], 'GET', { kind: 'chunked' }],
    [[], 'GET', { kind: 'until-close' }],
  ])('with %j to %s frames the body', (headers, method, framing) => {
    expect(framingOf(parseResponseHead(head('HTTP/1.1 200 OK', ...headers)), method)).toEqual(framing)
  })

  test.each([204, 304])('of status %i has no body', (status) => {
    expect(framingOf(parseResponseHead(head(`HTTP/1.1 ${status} x`, 'Content-Length: 9')), 'GET')).toEqual({
      kind: 'none',
    })
  })

  test.each([
    [['Content-Length: 5', 'Content-Length: 6']],
    [['Content-Length: 5', 'Transfer-Encoding: chunked']],
    [['Content-Length: -1']],
    [['Content-Length: +5']],
    [['Content-Length: 0x5']],
    [['Content-Length: 5a']],
    [['Content-Length:']],
    [['Transfer-Encoding: gzip, chunked']],
    [['Transfer-Encoding: chunked, chunked']],
    [['Transfer-Encoding: identity']],
  ])('with %j is refused: its length can be read in two ways', (headers) => {
    expect(() => framingOf(parseResponseHead(head('HTTP/1.1 200 OK', ...headers)), 'GET')).toThrow()
  })
})

describe('the chunked coding', () => {
  const coded = '5\r\nhello\r\n6;ext="x"\r\n world\r\n0\r\nTrailer: x\r\n\r\n'

  test('comes off wherever the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: coded.length })), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), coded.length]
        const pieces = at.slice(1).map((end, index) => coded.slice(at[index], end))
        expect(decodeIn(pieces)).toEqual({ text: 'hello world', isDone: true })
      }),
    )
  })

  test('is not done before its last line, and ignores what follows that', () => {
    expect(decodeIn([coded.slice(0, -1)])).toEqual({ text: 'hello world', isDone: false })
    expect(decodeIn([`${coded}5\r\nextra\r\n`])).toEqual({ text: 'hello world', isDone: true })
  })

  test.each([
    'x\r\n',
    '-5\r\nhello\r\n',
    '+5\r\nhello\r\n',
    '0x5\r\nhello\r\n',
    '\r\nhello',
    '5\nhello\r\n',
    '5\r\nhello!\r\n',
    ' 5\r\nhello\r\n',
    'fffffffffffff\r\n',
    `5;${'a'.repeat(5_000)}\r\n`,
    `0\r\n${`A: ${'b'.repeat(1_000)}\r\n`.repeat(20)}\r\n`,
  ])('is refused when broken: %j', (text) => {
    expect(() => decodeIn([text])).toThrow()
  })
})
