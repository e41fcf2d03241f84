import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { ask, findAsNamed, findOnPath, isProgram } from '../../src/engine/find-program.ts'

const SYSTEM_PATH = '/usr/bin:/bin'

let dir = ''

beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'find-program-'))
})

afterEach(() => rm(dir, { recursive: true, force: true }))

async function writeProgram(name: string, text: string): Promise<string> {
  const file = path.join(dir, name)
  await writeFile(file, text)
  await chmod(file, 0o755)
  return file
}

describe('finding a program', () => {
  test('takes the first folder of PATH that has it, and only absolute folders', async () => {
    const file = await writeProgram('tool', '#!/bin/sh\n')
    expect(await findOnPath('tool', `.:/nonexistent:${dir}:${SYSTEM_PATH}`)).toBe(file)
    expect(await findOnPath('tool', `/nonexistent:${path.relative(process.cwd(), dir)}`)).toBeNull()
    expect(await findOnPath('tool', '')).toBeNull()
  })

  test('does not take a folder or a file that may not be run for a program', async () => {
    await writeFile(path.join(dir, 'text'), 'text')
    expect(await isProgram(path.join(dir, 'text'))).toBe(false)
    expect(await isProgram(dir)).toBe(false)
    expect(await isProgram(path.join(dir, 'nothing'))).toBe(false)
  })

  test('understands a setting as a path or as a name to look for', async () => {
    const file = await writeProgram('tool', '#!/bin/sh\n')
    expect(await findAsNamed('tool', dir)).toBe(file)
    expect(await findAsNamed(path.relative(process.cwd(), file), '')).toBe(file)
    expect(await findAsNamed(path.join(dir, 'other'), dir)).toBeNull()
  })
})

describe('asking a program', () => {
  test('gives what it printed, and null when it fails or does not exist', async () => {
    expect(await ask(['/bin/sh', '-c', 'echo hello'], 5000, SYSTEM_PATH)).toBe('hello')
    expect(await ask(['/bin/sh', '-c', 'echo hello; exit 3'], 5000, SYSTEM_PATH)).toBeNull()
    expect(await ask([path.join(dir, 'nothing')], 5000, SYSTEM_PATH)).toBeNull()
  })

  test('gives up after its time, even on a program that ignores polite signals', async () => {
    const started = performance.now()
    expect(await ask(['/bin/sh', '-c', 'trap "" TERM INT; exec sleep 30'], 200, SYSTEM_PATH)).toBeNull()
    expect(performance.now() - started).toBeLessThan(5000)
  })

  test('does not hand on the secrets of our environment', async () => {
    process.env['FIND_PROGRAM_SECRET'] = 'secret'
    try {
      const seen = await ask(['/usr/bin/env'], 5000, SYSTEM_PATH)
      expect(seen).toContain(`PATH=${SYSTEM_PATH}`)
      expect(seen).not.toContain('secret')
    } finally {
      delete process.env['FIND_PROGRAM_SECRET']
    }
  })
})
