import { existsSync } from 'node:fs'
import { glob, open, readFile, realpath } from 'node:fs/promises'
import path from 'node:path'
import { ask, findAsNamed, findOnPath, isProgram, type Found } from './find-program.ts'
import { choosePython, usualPythons } from './find-python.ts'
import type { Tools } from './tools.ts'

type YtDlp = Tools['ytDlp']

/** Where yt-dlp is looked for, and which one will do. */
export type YtDlpSearch = Readonly<{
  ytDlpPath: string | null
  pythonPath: string | null
  toolsDir: string
  allowOldYtDlp: boolean
  pathEnv: string
}>

/** The first release with the security fixes the daemon relies on. `scripts/setup` asks for the same. */
export const YT_DLP_MINIMUM = '2026.10.26'

/** A yt-dlp packed as one program unpacks itself first, which takes seconds on a slow disk. */
const VERSION_MS = 30_000
/** A zip ends with a record of 22 bytes and a comment of at most 65,535. */
const ZIP_TAIL_BYTES = 22 + 0xffff
const ZIP_END = 'PK\u0005\u0006'

/**
 * Finds yt-dlp by its setting, else in the tools folder, else on PATH, and the interpreter behind it. Only a program
 * that is not written in Python is run, for its version; of the others the version is read.
 */
export async function findYtDlp(search: YtDlpSearch): Promise<Found<YtDlp>> {
  const candidates = await listCandidates(search)
  const problems: string[] = []
  for (const file of candidates) {
    const found = await examine(file, search)
    if (found.ok && (search.allowOldYtDlp || isNewEnough(found.value.version))) return found
    problems.push(
      found.ok
        ? `yt-dlp ${found.value.version} at ${file} is older than ${YT_DLP_MINIMUM}, which closed security holes: ` +
            'run scripts/setup, name a newer one in YTDLP_PATH, or accept the risk with YTDLP_ALLOW_OLD=true'
        : found.problem,
    )
  }
  const [problem] = problems
  if (problem !== undefined) return { ok: false, problem }
  return search.ytDlpPath === null
    ? { ok: false, problem: 'yt-dlp is missing: run scripts/setup, or name it in YTDLP_PATH' }
    : {
        ok: false,
        problem: `yt-dlp: YTDLP_PATH=${search.ytDlpPath} is not a program that can be run: correct or unset it`,
      }
}

async function listCandidates({ ytDlpPath, toolsDir, pathEnv }: YtDlpSearch): Promise<readonly string[]> {
  if (ytDlpPath !== null) {
    const named = await findAsNamed(ytDlpPath, pathEnv)
    return named === null ? [] : [named]
  }
  const fetched: string[] = []
  for (const place of ['yt-dlp/usr/bin/yt-dlp', 'yt-dlp/bin/yt-dlp', 'bin/yt-dlp']) {
    const file = path.resolve(toolsDir, place)
    if (await isProgram(file)) fetched.push(file)
  }
  const onPath = await findOnPath('yt-dlp', pathEnv)
  return onPath === null ? fetched : [...fetched, onPath]
}

async function examine(file: string, search: YtDlpSearch): Promise<Found<YtDlp>> {
  const script = await realpath(file)
  const { firstLine, isZip } = await lookInside(script)
  const pythons = await listInterpreters(script, { firstLine, isZip }, search)
  if (pythons === null) return askForVersion(file, search.pathEnv)

  const python = await choosePython(pythons, search.pathEnv, isZip ? script : null)
  if (python === null) {
    return {
      ok: false,
      problem:
        `yt-dlp at ${file} needs Python 3.11 or newer, and there is none at ${pythons.join(' or ')}: ` +
        'run scripts/setup, or name one in PYTHON_PATH',
    }
  }
  if (python.zipVersion !== null) {
    const version = python.zipVersion
    return {
      ok: true,
      value: { command: [python.path, script], version, python: { path: python.path, modulePath: script } },
    }
  }
  const own = python.ytDlpModule === null ? null : await realpath(path.join(python.ytDlpModule, '../..'))
  const modules = (await findModulesOf(script)) ?? own
  const version = modules === null ? null : await readVersion(modules)
  if (modules === null || version === null) return askForVersion(file, search.pathEnv)
  const modulePath = modules === own ? null : modules
  return { ok: true, value: { command: [python.path, script], version, python: { path: python.path, modulePath } } }
}

/** A program that is no Python we could look into. */
async function askForVersion(file: string, pathEnv: string): Promise<Found<YtDlp>> {
  const version = (await ask([file, '--version'], VERSION_MS, pathEnv))?.trim() ?? ''
  if (/^\d{4}(\.\d+)+$/.test(version)) return { ok: true, value: { command: [file], version, python: null } }
  return {
    ok: false,
    problem: `yt-dlp at ${file} does not tell its version: run scripts/setup, or name another in YTDLP_PATH`,
  }
}

async function lookInside(file: string): Promise<Readonly<{ firstLine: string; isZip: boolean }>> {
  await using handle = await open(file)
  const { size } = await handle.stat()
  const head = await handle.read({ buffer: Buffer.alloc(Math.min(size, 1024)), position: 0 })
  const tailBytes = Math.min(size, ZIP_TAIL_BYTES)
  const tail = await handle.read({ buffer: Buffer.alloc(tailBytes), position: size - tailBytes })
  const start = head.buffer.toString('latin1')
  const isZip = /^(#!|PK)/.test(start) && tail.buffer.includes(ZIP_END, 0, 'latin1')
  return { firstLine: start.split('\n', 1)[0] ?? '', isZip }
}

/** The interpreters to try for a script, in order; null when it is not a Python script. */
async function listInterpreters(
  script: string,
  looks: Readonly<{ firstLine: string; isZip: boolean }>,
  { pythonPath, pathEnv }: YtDlpSearch,
): Promise<readonly string[] | null> {
  const bin = path.dirname(script)
  // A virtual environment's modules belong to its own interpreter.
  if (existsSync(path.join(bin, '../pyvenv.cfg'))) return [path.join(bin, 'python3')]

  const [program = '', argument = ''] = /^#!(.*)/.exec(looks.firstLine)?.[1]?.trim().split(/\s+/) ?? []
  const interpreter = path.basename(program) === 'env' ? argument : program
  const isPython = /^python[\d.]*$/.test(path.basename(interpreter))
  if (!isPython && !looks.isZip) return null

  if (pythonPath !== null) return [(await findAsNamed(pythonPath, pathEnv)) ?? pythonPath]
  return isPython && path.isAbsolute(interpreter) ? [interpreter] : usualPythons(pathEnv)
}

/** The folder with the package `yt_dlp` that was installed together with `bin/yt-dlp`; null when there is none. */
async function findModulesOf(script: string): Promise<string | null> {
  const prefix = path.dirname(path.dirname(script))
  for await (const file of glob('lib/python3*/{dist,site}-packages/yt_dlp/version.py', { cwd: prefix })) {
    return realpath(path.join(prefix, file, '../..'))
  }
  return null
}

async function readVersion(modules: string): Promise<string | null> {
  const text = await readFile(path.join(modules, 'yt_dlp/version.py'), 'utf8').catch(() => '')
  return /^__version__ = ['"]([\d.]+)/m.exec(text)?.[1] ?? null
}

/** Numbers apart by dots, compared one by one. */
function isNewEnough(version: string): boolean {
  const parts = version.split('.').map(Number)
  for (const [i, least] of YT_DLP_MINIMUM.split('.').map(Number).entries()) {
    const part = parts[i] ?? 0
    if (part !== least) return part > least
  }
  return true
}
