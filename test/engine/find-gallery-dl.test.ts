import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { findGalleryDl } from '../../src/engine/find-gallery-dl.ts'

let dir = ''

beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'ytdlpd-test-'))
})

afterEach(() => rm(dir, { recursive: true, force: true }))

async function program(file: string, prints: string): Promise<string> {
  const full = path.join(dir, file)
  await mkdir(path.dirname(full), { recursive: true })
  await writeFile(full, `#!/bin/sh\necho '${prints}'\n`)
  await chmod(full, 0o755)
  return full
}

const search = (more: Readonly<{ galleryDlPath?: string; path?: string }> = {}) =>
  findGalleryDl({
    galleryDlPath: more.galleryDlPath ?? null,
    toolsDir: path.join(dir, 'tools'),
    pathEnv: path.join(dir, more.path ?? 'bin'),
  })

describe('gallery-dl', () => {
  test('need not be there', async () => {
    expect(await search()).toEqual({ ok: true, value: null })
  })

  test('is found on PATH, and before that beside yt-dlp, with the modules that were unpacked with it', async () => {
    const onPath = await program('bin/gallery-dl', '1.32.1')
    expect(await search()).toEqual({ ok: true, value: { path: onPath, modulePath: null, version: '1.32.1' } })
    const fetched = await program('tools/yt-dlp/usr/bin/gallery-dl', 'is not asked')
    const modulePath = path.join(dir, 'tools/yt-dlp/usr/lib/python3/dist-packages')
    await mkdir(path.join(modulePath, 'gallery_dl'), { recursive: true })
    await writeFile(path.join(modulePath, 'gallery_dl/version.py'), '__version__ = "1.33.0-dev"\n__variant__ = None\n')
    expect(await search()).toEqual({ ok: true, value: { path: fetched, modulePath, version: '1.33.0' } })
  })

  test.each(['1.25.3', '1.9.0', 'nonsense', ''])('that says %j of itself is passed over', async (version) => {
    await program('bin/gallery-dl', version)
    expect(await search()).toEqual({ ok: true, value: null })
  })

  test('that the operator named has to be one', async () => {
    const other = await program('other/gallery-dl', '1.32.18')
    expect(await search({ galleryDlPath: other })).toMatchObject({ ok: true, value: { path: other } })
    const old = await program('old/gallery-dl', '1.25.3')
    for (const galleryDlPath of [old, path.join(dir, 'nowhere'), 'gallery-dl']) {
      const found = await search({ galleryDlPath })
      expect(found).toMatchObject({ ok: false })
      expect(JSON.stringify(found)).toContain(`GALLERY_DL_PATH=${galleryDlPath}`)
    }
  })
})
