import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { InfoReader } from '../../../src/http/core/info-reader.ts'
import { tempDir } from '../../support/temp-dir.ts'

describe('fields of a document', () => {
  const dir = tempDir()
  afterAll(() => dir[Symbol.asyncDispose]())

  const write = async (name: string, text: string): Promise<string> => {
    const file = path.join(dir.path, name)
    await writeFile(file, text)
    return file
  }
  const large = () =>
    write('large.json', JSON.stringify({ title: 'ä', entries: Array(60_000).fill({ id: 'x'.repeat(99) }) }))
  const wanted = () => true

  test('are the same whether it is small or large', async () => {
    const reader = new InfoReader()
    const small = await write('small.json', JSON.stringify({ title: 'ä' }))
    expect(await reader.select(small, ['title', 'none'], wanted)).toBe('{"title":"ä"}')
    expect(await reader.select(await large(), ['title', 'none'], wanted)).toBe('{"title":"ä"}')
    expect(await reader.select(await large(), ['none'], wanted)).toBeNull()
  })

  test('of a large one are read beside the work of others', async () => {
    const reading = new InfoReader().select(await large(), ['title'], wanted)
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    await reading
    clearInterval(timer)
    expect(turns).toBeGreaterThan(5)
  })

  test('are refused to those who ask for too many large ones at once, and read again afterwards', async () => {
    const reader = new InfoReader()
    const file = await large()
    const ends = await Promise.allSettled(
      Array.from({ length: 40 }, (_, n) => reader.select(file, ['title'], () => n < 2)),
    )
    const refused = ends.filter((end) => end.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    expect(refused[0]?.reason).toMatchObject({ code: 'limit_exceeded', retryAfter: 1 })
    expect(await reader.select(file, ['title'], wanted)).toBe('{"title":"ä"}')
  })

  test('cannot be had of what is gone or no document, and that holds up nobody', async () => {
    const reader = new InfoReader()
    const broken = await write('broken.json', '['.repeat(2 ** 21))
    await expect(reader.select(path.join(dir.path, 'gone'), ['title'], wanted)).rejects.toMatchObject({
      code: 'ENOENT',
    })
    await expect(reader.select(broken, ['title'], wanted)).rejects.toThrow()
    expect(await reader.select(await large(), ['title'], wanted)).toBe('{"title":"ä"}')
  })
})
