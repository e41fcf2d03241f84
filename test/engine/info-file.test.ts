import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { writePublicInfo } from '../../src/engine/info-file.ts'
import { tempDir } from '../support/temp-dir.ts'

describe('the file of an info document', () => {
  const dir = tempDir()
  const file = path.join(dir.path, 'info.json')
  afterAll(() => dir[Symbol.asyncDispose]())

  test.each([1, 20_000])('with %i formats has what everybody may see, and nothing else', async (count) => {
    const format = {
      url: 'https://video.example/'.padEnd(99, 'x'),
      http_headers: { Cookie: 'secret' },
      cookies: 'secret',
    }
    const text = JSON.stringify({ title: 'ä', duration: 7.5, filename: '/secret', formats: Array(count).fill(format) })
    expect(await writePublicInfo(text, file)).toEqual({ duration: 7.5, title: 'ä' })
    const written = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    expect(written).toMatchObject({ title: 'ä', duration: 7.5 })
    expect(written['formats']).toEqual(Array(count).fill({ url: format.url }))
    expect(JSON.stringify(written)).not.toContain('secret')
  })

  test.each([
    ['null', 'no_media'],
    ['{"title":', 'extractor_broken'],
    [`${' '.repeat(2 ** 21)}null`, 'no_media'],
    ['['.repeat(2 ** 21), 'extractor_broken'],
  ])('is not made of what is none', async (text, code) => {
    await expect(writePublicInfo(text, file)).rejects.toMatchObject({ name: 'TaskError', code })
  })
})
