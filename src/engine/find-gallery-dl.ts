import { readFile, realpath } from 'node:fs/promises'
import path from 'node:path'
import { ask, findAsNamed, findOnPath, isProgram, type Found } from './find-program.ts'
import type { Tools } from './tools.ts'

/** Where gallery-dl is looked for. */
export type GalleryDlSearch = Readonly<{ galleryDlPath?: string | null; toolsDir: string; pathEnv: string }>

/** The first release that does and prints what we rely on; Debian 12's own is older, and fails on the sites of today. */
export const GALLERY_DL_MINIMUM = '1.30.0'

const VERSION_MS = 10_000

/**
 * Finds gallery-dl by its setting, else where \`scripts/setup\` put it beside yt-dlp, else on PATH. Null when there is none
 * that will do: the daemon works without. One that was named and will not do is a problem.
 */
export async function findGalleryDl(search: GalleryDlSearch): Promise<Found<Tools['galleryDl']>> {
  const { galleryDlPath: named = null, toolsDir, pathEnv } = search
  if (named !== null) {
    const file = await findAsNamed(named, pathEnv)
    const found = file === null ? null : await examine(file, pathEnv)
    if (found !== null) return { ok: true, value: found }
    const problem = `GALLERY_DL_PATH=${named} is not gallery-dl ${GALLERY_DL_MINIMUM} or newer: correct or unset it`
    return { ok: false, problem: `gallery-dl: ${problem}` }
  }
  for (const place of ['yt-dlp/usr/bin', 'yt-dlp/bin', 'bin']) {
    const file = path.resolve(toolsDir, place, 'gallery-dl')
    const found = (await isProgram(file)) ? await examine(file, pathEnv) : null
    if (found !== null) return { ok: true, value: found }
  }
  const onPath = await findOnPath('gallery-dl', pathEnv)
  return { ok: true, value: onPath === null ? null : await examine(onPath, pathEnv) }
}

async function examine(file: string, pathEnv: string): Promise<Tools['galleryDl']> {
  const modulePath = path.join(path.dirname(await realpath(file)), '../lib/python3/dist-packages')
  const written = await readFile(path.join(modulePath, 'gallery_dl/version.py'), 'utf8').catch(() => null) // not unpacked there
  const said = written === null ? await ask([file, '--version'], VERSION_MS, pathEnv) : null
  const version = /^__version__ = ['"]([\d.]+)/m.exec(written ?? '')?.[1] ?? /^[\d.]+/.exec(said?.trim() ?? '')?.[0]
  if (version === undefined || version.localeCompare(GALLERY_DL_MINIMUM, 'en', { numeric: true }) < 0) return null
  return { path: file, modulePath: written === null ? null : modulePath, version }
}
