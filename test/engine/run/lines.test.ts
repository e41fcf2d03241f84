import { Readable } from 'node:stream'

import { LineSplitter, Tail } from '../../../src/engine/run/lines.ts'

async function split(chunks: readonly (string | Buffer)[], maxChars = 100): Promise<string[]> {
  const lines: string[] = []
  await new LineSplitter(/\n/, maxChars, (line) => lines.push(line)).consume(
    Readable.from(chunks.map((chunk) => Buffer.from(chunk))),
  )
  return lines
}

describe('LineSplitter', () => {
  test('joins chunks into lines, and ends with what has no newline', async () => {
    expect(await split(['a', 'b\nc\n\nd', 'e'])).toEqual(['ab', 'c', '', 'de'])
    expect(await split(['a\n'])).toEqual(['a'])
    expect(await split([])).toEqual([])
  })

  test('keeps a character whole that two chunks share', async () => {
    const bytes = Buffer.from('€\n')
    expect(await split([bytes.subarray(0, 1), bytes.subarray(1)])).toEqual(['€'])
  })

  test('hands over an endless line in pieces of the given length', async () => {
    expect(await split(['abcdefg', 'hij\nk'], 4)).toEqual(['abcd', 'efgh', 'ij', 'k'])
  })

  test('rejects with what its callback throws', async () => {
    const splitter = new LineSplitter(/\n/, 10, () => {
      throw new Error('no thanks')
    })
    await expect(splitter.consume(Readable.from([Buffer.from('a\nb\n')]))).rejects.toThrow('no thanks')
  })
})

describe('Tail', () => {
  test('keeps the end of a text', () => {
    const tail = new Tail(4)
    for (const text of ['abc', 'defghi', 'jk']) tail.add(text)
    expect(tail.text).toBe('hijk')
  })
})
