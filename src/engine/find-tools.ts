import { access, constants } from 'node:fs/promises'
import path from 'node:path'
import { ask, findAsNamed, findOnPath, isProgram, type Found } from './find-program.ts'
import { choosePython, usualPythons } from './find-python.ts'
import { findGalleryDl } from './find-gallery-dl.ts'
import { findYtDlp } from './find-yt-dlp.ts'
import type { Tools } from './tools.ts'

/** A path that is not given or null is looked for: in `toolsDir`, then in the folders of `pathEnv`. */
export type FindToolsOptions = Readonly<{
  ytDlpPath?: string | null
  ffmpegPath?: string | null
  ffprobePath?: string | null
  pythonPath?: string | null
  galleryDlPath?: string | null
  toolsDir: string
  caFile: string | null
  allowOldYtDlp: boolean
  pathEnv: string
}>

/** The daemon cannot work with the tools it found. The message names each problem and what to do about it. */
export class ToolsError extends Error {
  override readonly name = 'ToolsError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`tools are missing or cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

const VERSION_MS = 10_000

/** Finds every program the daemon runs, and its version. Throws one `ToolsError` that names all that is wrong. */
export async function findTools(options: FindToolsOptions): Promise<Tools> {
  const { toolsDir, caFile, allowOldYtDlp, pathEnv, ytDlpPath = null, pythonPath = null } = options
  const [ytDlp, ffmpeg, ffprobe, namedPython, ca, galleryDl] = await Promise.all([
    findYtDlp({ ytDlpPath, pythonPath, toolsDir, allowOldYtDlp, pathEnv }),
    findFfmpeg('ffmpeg', options.ffmpegPath ?? null, options),
    findFfmpeg('ffprobe', options.ffprobePath ?? null, options),
    checkNamedPython(pythonPath, pathEnv),
    checkCaFile(caFile),
    findGalleryDl(options),
  ])
  if (ytDlp.ok && ffmpeg.ok && ffprobe.ok && namedPython.ok && ca.ok && galleryDl.ok) {
    const python = namedPython.value ?? ytDlp.value.python?.path ?? (await findUsualPython(pathEnv))
    return {
      ytDlp: ytDlp.value,
      ffmpeg: ffmpeg.value,
      ffprobe: ffprobe.value,
      galleryDl: galleryDl.value,
      nodePath: process.execPath,
      pythonPath: python,
      caFile: ca.value,
    }
  }
  const all = [ytDlp, ffmpeg, ffprobe, namedPython, ca, galleryDl]
  throw new ToolsError(all.flatMap((found) => (found.ok ? [] : [found.problem])))
}

async function findFfmpeg(
  name: 'ffmpeg' | 'ffprobe',
  setting: string | null,
  { toolsDir, pathEnv }: FindToolsOptions,
): Promise<Found<Tools['ffmpeg']>> {
  const variable = `${name.toUpperCase()}_PATH`
  const file = setting === null ? await findFetched(name, toolsDir, pathEnv) : await findAsNamed(setting, pathEnv)
  if (file === null) {
    return setting === null
      ? { ok: false, problem: `${name} is missing: run scripts/setup, or name it in ${variable}` }
      : { ok: false, problem: `${name}: ${variable}=${setting} is not a program that can be run: correct or unset it` }
  }
  const version = /^\S+ version (\S+)/.exec((await ask([file, '-version'], VERSION_MS, pathEnv)) ?? '')?.[1]
  return version === undefined
    ? {
        ok: false,
        problem: `${name} at ${file} does not tell its version: install it anew, or name another in ${variable}`,
      }
    : { ok: true, value: { path: file, version } }
}

async function findFetched(name: string, toolsDir: string, pathEnv: string): Promise<string | null> {
  const fetched = path.resolve(toolsDir, 'bin', name)
  return (await isProgram(fetched)) ? fetched : findOnPath(name, pathEnv)
}

/** For the launcher, which needs the standard library alone, so any interpreter will do. */
async function findUsualPython(pathEnv: string): Promise<string | null> {
  const python = await choosePython(await usualPythons(pathEnv), pathEnv)
  return python?.path ?? null
}

async function checkNamedPython(setting: string | null, pathEnv: string): Promise<Found<string | null>> {
  if (setting === null) return { ok: true, value: null }
  const named = await findAsNamed(setting, pathEnv)
  const python = named === null ? null : await choosePython([named], pathEnv)
  return python === null
    ? { ok: false, problem: `Python: PYTHON_PATH=${setting} is not Python 3.11 or newer: correct or unset it` }
    : { ok: true, value: python.path }
}

async function checkCaFile(caFile: string | null): Promise<Found<string | null>> {
  if (caFile === null) return { ok: true, value: null }
  try {
    await access(caFile, constants.R_OK)
    return { ok: true, value: caFile }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    return { ok: false, problem: `certificates: CA_FILE=${caFile} cannot be read (${reason}): correct or unset it` }
  }
}
