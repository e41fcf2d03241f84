import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { chaptersWithin, ffmetadata, pictureBlock } from '../../src/engine/ffmetadata.ts'
import { languageCode } from '../../src/engine/language.ts'
import { tempDir } from '../support/temp-dir.ts'

describe('a file of tags', () => {
  const dir = tempDir()
  afterAll(() => dir[Symbol.asyncDispose]())

  test('is read by ffmpeg as it was meant, whatever a site wrote', async () => {
    const title = 'a=b;c#d\\e\n[CHAPTER]\nSTART=0'
    const text = ffmetadata({ title, artist: 'ü 😀\u0000' }, [{ start: 1.5, end: 3, title: '[STREAM]\n=x' }])
    const file = path.join(dir.path, 'tags')
    await writeFile(file, text)
    const show = ['-v', 'error', '-of', 'json', '-show_format', '-show_chapters', '-f', 'ffmetadata', '-i', file]
    const { stdout } = await promisify(execFile)('ffprobe', show)
    expect(JSON.parse(stdout)).toMatchObject({
      format: { tags: { title, artist: 'ü 😀' } },
      chapters: [{ start_time: '1.500000', end_time: '3.000000', tags: { title: '[STREAM]\n=x' } }],
    })
  })
})

test('chapters of a part are those within it, on its own clock', () => {
  const chapters = [
    { start: 0, end: 10, title: 'a' },
    { start: 10, end: 20, title: 'b' },
    { start: 20, end: 30, title: 'c' },
  ]
  expect(chaptersWithin(chapters, { start: 5, end: 20 })).toEqual([
    { start: 0, end: 5, title: 'a' },
    { start: 5, end: 15, title: 'b' },
  ])
  expect(chaptersWithin(chapters, { start: null, end: null })).toEqual(chapters)
})

test('a picture block names its kind and size', () => {
  const text = pictureBlock(Buffer.from('PIXELS'), { mime: 'image/png', width: 16, height: 9 })
  const block = Buffer.from(/BLOCK_PICTURE=(.*)/.exec(text)?.[1]?.replaceAll('\\', '') ?? '', 'base64')
  expect(block.readUInt32BE(0)).toBe(3)
  expect(block.toString('latin1')).toMatch(/image\/png.*PIXELS$/s)
})

test.each([
  ['en', 'eng'],
  ['pt-BR', 'por'],
  ['zh_Hans', 'zho'],
  ['deu', 'deu'],
  ['constructor', 'und'],
  ['x', 'und'],
])('the language %s is %s', (tag, code) => {
  expect(languageCode(tag)).toBe(code)
})
