import fs from 'node:fs'
import path from 'node:path'
import { isTaskId, LocalFiles, MADE_THUMBNAIL } from '../../src/files/local.ts'
import { tempDir } from '../support/temp-dir.ts'

const ID = 'abcdefgh12345678'
const OTHER = 'ABCDEFGH12345678'

type Folder = AsyncDisposable & { root: string; work: string; files: LocalFiles }

async function openFolder(): Promise<Folder> {
  const dir = tempDir()
  const root = path.join(dir.path, 'downloads')
  const files = await LocalFiles.open(root)
  return { root, work: path.join(root, '.work'), files, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() }
}

const write = (file: string, text: string) => {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, text)
}

describe('publish', () => {
  test('moves a file to its place, whole, and tells its size', async () => {
    await using at = await openFolder()
    const dir = await at.files.openWork(ID, 1)
    write(path.join(dir, 'media.mp4'), 'x'.repeat(5000))
    const inode = fs.statSync(path.join(dir, 'media.mp4')).ino
    expect(await at.files.publish(ID, path.join(dir, 'media.mp4'), 'video.mp4')).toEqual({
      name: 'video.mp4',
      size: 5000,
    })
    expect(fs.statSync(at.files.pathOf(ID, 'video.mp4')).ino).toBe(inode)
    expect(fs.readdirSync(dir)).toEqual([])
    expect(await at.files.sizeOf(ID, 'video.mp4')).toBe(5000)
  })

  test('puts a later file in the place of an earlier one without a moment of neither', async () => {
    await using at = await openFolder()
    const dir = await at.files.openWork(ID, 1)
    const sizes = new Set<number | null>()
    write(path.join(dir, 'first'), 'a'.repeat(100_000))
    await at.files.publish(ID, path.join(dir, 'first'), 'video.mp4')
    const reading = { on: true }
    const reader = (async () => {
      while (reading.on) sizes.add(await at.files.sizeOf(ID, 'video.mp4'))
    })()
    for (let turn = 0; turn < 20; turn++) {
      write(path.join(dir, 'next'), 'b'.repeat(200_000))
      await at.files.publish(ID, path.join(dir, 'next'), 'video.mp4')
    }
    reading.on = false
    await reader
    expect([...sizes].every((size) => size === 100_000 || size === 200_000)).toBe(true)
  })
})

describe('a work folder', () => {
  test('is its own for each task, and can be entered by its owner only', async () => {
    await using at = await openFolder()
    const dir = await at.files.openWork(ID, 1)
    expect(dir).toBe(path.join(at.work, `${ID}.1`))
    expect(await at.files.openWork(OTHER, 1)).not.toBe(dir)
    expect(fs.statSync(at.work).mode & 0o077).toBe(0)
  })

  test('takes over what the newest earlier attempt left, and drops the rest', async () => {
    await using at = await openFolder()
    write(path.join(at.work, `${ID}.2`, 'media.mp4.part'), 'second')
    write(path.join(at.work, `${ID}.9`, 'media.mp4.part'), 'ninth')
    write(path.join(at.work, `${ID}.10`, 'media.mp4.part'), 'tenth')
    write(path.join(at.work, `${OTHER}.3`, 'media.mp4.part'), 'of another task')
    const dir = await at.files.openWork(ID, 11)
    expect(fs.readFileSync(path.join(dir, 'media.mp4.part'), 'utf8')).toBe('tenth')
    expect(fs.readdirSync(at.work).toSorted()).toEqual([`${OTHER}.3`, `${ID}.11`].toSorted())
  })

  test('is found again by the attempt it belongs to, also beside those of other attempts', async () => {
    await using at = await openFolder()
    write(path.join(at.work, `${ID}.2`, 'media.mp4.part'), 'second')
    write(path.join(at.work, `${ID}.3`, 'media.mp4.part'), 'third')
    const dir = await at.files.openWork(ID, 2)
    expect(fs.readFileSync(path.join(dir, 'media.mp4.part'), 'utf8')).toBe('third')
    expect(fs.readdirSync(at.work)).toEqual([`${ID}.2`])
  })
})

describe('remove', () => {
  test('takes everything of one task and nothing else', async () => {
    await using at = await openFolder()
    write(path.join(at.root, ID, 'video.mp4'), 'x')
    write(path.join(at.work, `${ID}.1`, 'media.part'), 'x')
    write(path.join(at.work, `${ID}.2`, 'deep', 'media.part'), 'x')
    write(path.join(at.root, OTHER, 'video.mp4'), 'x')
    await at.files.remove(ID)
    await at.files.remove('nothing-of-this')
    expect(fs.readdirSync(at.root).toSorted()).toEqual(['.work', OTHER])
    expect(fs.readdirSync(at.work)).toEqual([])
  })

  test('lets a file that is being read be read to its end', async () => {
    await using at = await openFolder()
    const content = Buffer.alloc(3_000_000, 'abc')
    fs.mkdirSync(path.join(at.root, ID))
    fs.writeFileSync(at.files.pathOf(ID, 'video.mp4'), content)
    const chunks: Buffer[] = []
    for await (const chunk of fs.createReadStream(at.files.pathOf(ID, 'video.mp4')) as AsyncIterable<Buffer>) {
      if (chunks.length === 0) await at.files.remove(ID)
      chunks.push(chunk)
    }
    expect(fs.existsSync(path.join(at.root, ID))).toBe(false)
    expect(Buffer.concat(chunks).equals(content)).toBe(true)
  })

  test('removes a link and not what it leads to', async () => {
    await using at = await openFolder()
    const outside = path.join(at.root, '..', 'outside')
    write(path.join(outside, 'precious'), 'x')
    fs.symlinkSync(outside, path.join(at.root, ID))
    fs.mkdirSync(path.join(at.root, OTHER))
    fs.symlinkSync(outside, path.join(at.root, OTHER, 'video.mp4'))
    await at.files.remove(ID)
    await at.files.remove(OTHER)
    expect(fs.readdirSync(outside)).toEqual(['precious'])
  })
})

describe('sizeOf', () => {
  test('knows finished files only: no link, no folder, nothing that is not there', async () => {
    await using at = await openFolder()
    write(path.join(at.root, OTHER, 'video.mp4'), 'of another')
    fs.mkdirSync(path.join(at.root, ID))
    fs.symlinkSync(path.join(at.root, OTHER, 'video.mp4'), at.files.pathOf(ID, 'video.mp4'))
    fs.mkdirSync(at.files.pathOf(ID, 'audio.m4a'))
    expect(await at.files.sizeOf(ID, 'video.mp4')).toBeNull()
    expect(await at.files.sizeOf(ID, 'audio.m4a')).toBeNull()
    expect(await at.files.sizeOf(ID, 'info.json')).toBeNull()
    expect(await at.files.sizeOf(ID, '..')).toBeNull()
  })
})

describe('taskIds', () => {
  test('names the folders of tasks, finished or not, and nothing foreign', async () => {
    await using at = await openFolder()
    for (const name of [ID, 'lost+found', 'Holiday pictures', '.hidden', 'abcdefgh1234567', 'abcdefgh12345678x']) {
      fs.mkdirSync(path.join(at.root, name))
    }
    write(path.join(at.root, 'ReadMeFirst12345'), 'a file of the operator')
    fs.symlinkSync(at.work, path.join(at.root, 'LinkOfOperator12'))
    fs.mkdirSync(path.join(at.work, `${OTHER}.4`))
    fs.mkdirSync(path.join(at.work, 'something else'))
    expect((await at.files.taskIds()).toSorted()).toEqual([OTHER, ID].toSorted())
  })
})

test('a task id is sixteen letters and digits', () => {
  expect(isTaskId(ID)).toBe(true)
  for (const text of [
    '',
    'abcdefgh1234567',
    `${ID}0`,
    'abcdefgh1234567/',
    '../../../../../..',
    'abcdefgh1234567\n',
    `${ID}\n`,
  ]) {
    expect(isTaskId(text)).toBe(false)
  }
})

test('there is room on the disk that the test runs on', async () => {
  await using at = await openFolder()
  expect(await at.files.freeBytes()).toBeGreaterThan(0)
})

test('a new attempt begins without what one before it had published and nobody recorded', async () => {
  await using at = await openFolder()
  const dir = await at.files.openWork(ID, 1)
  write(path.join(dir, 'media.mp4'), 'never settled')
  await at.files.publish(ID, path.join(dir, 'media.mp4'), 'video.mp4')
  await at.files.openWork(ID, 2)
  expect(await at.files.sizeOf(ID, 'video.mp4')).toBeNull()
})

describe('a file beside a task’s own', () => {
  const published = async (at: Folder) => {
    const dir = await at.files.openWork(ID, 1)
    write(path.join(dir, 'a'), 'video')
    await at.files.publish(ID, path.join(dir, 'a'), 'video.mp4')
    await at.files.removeWork(ID)
  }
  const make = (text: string) => (workDir: string) => {
    write(path.join(workDir, 'made.jpg'), text)
    return Promise.resolve(path.join(workDir, 'made.jpg'))
  }

  test('is added without touching them, and goes with them', async () => {
    await using at = await openFolder()
    await published(at)
    await expect(at.files.addHidden(ID, MADE_THUMBNAIL, make('picture'))).resolves.toBe(true)
    expect(fs.readdirSync(path.join(at.root, ID)).toSorted()).toEqual([MADE_THUMBNAIL, 'video.mp4'])
    expect(fs.readdirSync(at.work)).toEqual([])
    await at.files.remove(ID)
    expect(fs.readdirSync(at.root)).toEqual(['.work'])
  })

  test('leaves nothing where none was made, where making it failed, and where the task is gone', async () => {
    await using at = await openFolder()
    await expect(at.files.addHidden(ID, MADE_THUMBNAIL, make('picture'))).resolves.toBe(false)
    await published(at)
    await expect(at.files.addHidden(ID, MADE_THUMBNAIL, () => Promise.resolve(null))).resolves.toBe(false)
    await expect(at.files.addHidden(ID, MADE_THUMBNAIL, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(fs.readdirSync(at.work)).toEqual([])
    expect(fs.readdirSync(path.join(at.root, ID))).toEqual(['video.mp4'])
  })
})
