import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { findTools, ToolsError, type FindToolsOptions } from '../../src/engine/find-tools.ts'
import { YT_DLP_MINIMUM } from '../../src/engine/find-yt-dlp.ts'

const run = promisify(execFile)
const SYSTEM_PATH = '/usr/bin:/bin'
const FETCHED = path.resolve(process.env['TOOLS_DIR'] ?? path.join(process.env['STATE_DIR'] ?? 'jsons', 'tools'))
const PYTHON = '/usr/bin/python3'

let dir = ''

beforeEach(async () => {
  dir = await realpath(await mkdtemp(path.join(os.tmpdir(), 'find-tools-')))
})

afterEach(() => rm(dir, { recursive: true, force: true }))

/** Tools are looked for in the test's own folder and in the system's. */
function search(options: Partial<FindToolsOptions> = {}) {
  return findTools({
    toolsDir: dir,
    caFile: null,
    allowOldYtDlp: false,
    pathEnv: `${dir}/path:${SYSTEM_PATH}`,
    ...options,
  })
}

async function problemsOf(options: Partial<FindToolsOptions>): Promise<readonly string[]> {
  const error: unknown = await search(options).catch((cause: unknown) => cause)
  if (!(error instanceof ToolsError)) throw new Error('the tools were found', { cause: error })
  for (const problem of error.problems) expect(error.message).toContain(problem)
  return error.problems
}

async function writeProgram(name: string, text: string): Promise<string> {
  const file = path.join(dir, name)
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, text)
  await chmod(file, 0o755)
  return file
}

/** A package `yt_dlp` with nothing in it but its version. */
async function writeModules(folder: string, version: string): Promise<string> {
  const modules = path.join(dir, folder)
  await mkdir(path.join(modules, 'yt_dlp'), { recursive: true })
  await writeFile(path.join(modules, 'yt_dlp/__init__.py'), 'raise SystemExit("must not be imported")\n')
  await writeFile(path.join(modules, 'yt_dlp/version.py'), `# made\n\n__version__ = '${version}'\n`)
  return modules
}

async function writeUnpacked(version: string): Promise<string> {
  await writeModules('yt-dlp/usr/lib/python3/dist-packages', version)
  return writeProgram('yt-dlp/usr/bin/yt-dlp', `#! ${PYTHON}\nimport yt_dlp\n`)
}

async function writeZip(firstLine: string, version: string): Promise<string> {
  const source = await writeModules('zip', version)
  await writeFile(path.join(source, '__main__.py'), 'import yt_dlp\n')
  await mkdir(path.join(dir, 'path'))
  const file = path.join(dir, 'path/yt-dlp')
  await run(PYTHON, ['-m', 'zipapp', source, '-c', '-p', firstLine, '-o', file])
  return file
}

describe('with the tools of this machine', () => {
  test('finds all of them, with an interpreter that imports exactly the yt-dlp that was found', async () => {
    const tools = await findTools({
      ytDlpPath: process.env['YTDLP_PATH'] ?? null,
      toolsDir: FETCHED,
      caFile: null,
      allowOldYtDlp: false,
      pathEnv: process.env['PATH'] ?? SYSTEM_PATH,
    })
    expect(tools.ytDlp.version >= YT_DLP_MINIMUM).toBe(true)
    expect(tools.ffmpeg.version).toMatch(/^\S+$/)
    expect(tools.ffprobe.version).toMatch(/^\S+$/)
    expect(tools.nodePath).toBe(process.execPath)
    expect(path.isAbsolute(tools.pythonPath ?? '')).toBe(true)

    const { python } = tools.ytDlp
    if (python === null) return
    const program = 'import sys; sys.path[:0] = sys.argv[1:]; import yt_dlp.version as v; print(v.__version__)'
    const modules = python.modulePath === null ? [] : [python.modulePath]
    const { stdout } = await run(python.path, ['-c', program, ...modules])
    expect(stdout.trim()).toBe(tools.ytDlp.version)
  })

  test('takes an interpreter and ffmpeg that settings name, by path or by name', async () => {
    await writeUnpacked('2099.01.01')
    const ffmpeg = await writeProgram('own/ffmpeg', '#!/bin/sh\necho ffmpeg version N-1-gabc Copyright\n')
    const tools = await search({ pythonPath: PYTHON, ffmpegPath: ffmpeg, ffprobePath: 'ffprobe' })
    expect(tools.pythonPath).toBe(PYTHON)
    expect(tools.ffmpeg).toEqual({ path: ffmpeg, version: 'N-1-gabc' })
    expect(tools.ffprobe.path).toBe('/usr/bin/ffprobe')
  })
})

describe('the kinds of yt-dlp', () => {
  test('unpacked packages: the modules stand beside the script and are not imported to be looked at', async () => {
    const script = await writeUnpacked('2099.01.01')
    const { ytDlp } = await search()
    const modulePath = path.join(dir, 'yt-dlp/usr/lib/python3/dist-packages')
    expect(ytDlp).toEqual({ command: [PYTHON, script], version: '2099.01.01', python: { path: PYTHON, modulePath } })
  })

  test.each(['/usr/bin/env python3', PYTHON])('a zip that starts with %s: it is its own module path', async (first) => {
    const file = await writeZip(first, '2099.02.02')
    const { ytDlp } = await search()
    expect(ytDlp).toEqual({
      command: [PYTHON, file],
      version: '2099.02.02',
      python: { path: PYTHON, modulePath: file },
    })
  })

  test('a virtual environment: its own interpreter needs no path, and PYTHON_PATH does not change it', async () => {
    const venv = path.join(dir, 'yt-dlp')
    await run(PYTHON, ['-m', 'venv', '--without-pip', venv])
    const own = path.join(venv, 'bin/python3')
    const { stdout } = await run(own, ['-c', 'import site; print(site.getsitepackages()[0])'])
    await writeModules(path.relative(dir, stdout.trim()), '2099.03.03')
    const script = await writeProgram('yt-dlp/bin/yt-dlp', `#!${own}\nfrom yt_dlp import main\n`)
    const { ytDlp, pythonPath } = await search({ pythonPath: PYTHON })
    expect(ytDlp).toEqual({ command: [own, script], version: '2099.03.03', python: { path: own, modulePath: null } })
    expect(pythonPath).toBe(PYTHON)
  })

  test('a program that is no Python script is asked for its version, and has no interpreter', async () => {
    const file = await writeProgram('path/yt-dlp', '#!/bin/sh\n[ "$1" = --version ] && echo 2099.04.04\n')
    const { ytDlp, pythonPath } = await search()
    expect(ytDlp).toEqual({ command: [file], version: '2099.04.04', python: null })
    expect(pythonPath).toBe(PYTHON)
  })

  test('a program without a version is refused', async () => {
    await mkdir(path.join(dir, 'bin'))
    await copyFile('/bin/true', path.join(dir, 'bin/yt-dlp'))
    expect(await problemsOf({})).toEqual([expect.stringMatching(/does not tell its version.*YTDLP_PATH/)])
  })
})

describe('versions', () => {
  test('an old yt-dlp is refused with what to do, unless it is allowed', async () => {
    await writeUnpacked('2026.10.25')
    expect(await problemsOf({})).toEqual([
      expect.stringMatching(/yt-dlp 2026\.10\.25 at .* older than .*scripts\/setup.*YTDLP_PATH.*YTDLP_ALLOW_OLD/),
    ])
    const { ytDlp } = await search({ allowOldYtDlp: true })
    expect(ytDlp.version).toBe('2026.10.25')
  })

  test.each([YT_DLP_MINIMUM, `${YT_DLP_MINIMUM}.232901`, '2027.1.1'])('%s is new enough', async (version) => {
    await writeUnpacked(version)
    const { ytDlp } = await search()
    expect(ytDlp.version).toBe(version)
  })

  test('an old one in the tools folder does not hide a newer one on PATH', async () => {
    await writeUnpacked('2023.03.04')
    const newer = await writeProgram('path/yt-dlp', '#!/bin/sh\necho 2099.04.04\n')
    const { ytDlp } = await search()
    expect(ytDlp.command).toEqual([newer])
  })

  test('scripts/setup installs what the daemon accepts', async () => {
    const setup = await readFile('scripts/setup', 'utf8')
    expect(setup).toContain(`\nYTDLP_MINIMUM=${YT_DLP_MINIMUM}\n`)
  })
})

describe('what is missing or wrong', () => {
  test('one error names every missing tool and what to do about each', async () => {
    const problems = await problemsOf({ pathEnv: '/nonexistent', caFile: path.join(dir, 'ca.pem') })
    expect(problems).toEqual([
      expect.stringMatching(/^yt-dlp is missing: run scripts\/setup, or name it in YTDLP_PATH/),
      expect.stringMatching(/^ffmpeg is missing: run scripts\/setup, or name it in FFMPEG_PATH/),
      expect.stringMatching(/^ffprobe is missing: run scripts\/setup, or name it in FFPROBE_PATH/),
      expect.stringMatching(/^certificates: CA_FILE=.*ENOENT/),
    ])
  })

  test('a wrong setting is never made up for by another tool', async () => {
    await writeUnpacked('2099.01.01')
    const nothing = path.join(dir, 'nothing')
    const problems = await problemsOf({
      ytDlpPath: nothing,
      ffmpegPath: nothing,
      ffprobePath: '/bin/true',
      pythonPath: '/bin/true',
    })
    expect(problems).toEqual([
      expect.stringContaining(`YTDLP_PATH=${nothing}`),
      expect.stringContaining(`FFMPEG_PATH=${nothing}`),
      expect.stringMatching(/^ffprobe at \/bin\/true does not tell its version/),
      expect.stringContaining('PYTHON_PATH=/bin/true'),
    ])
  })

  test('an interpreter that is too old or broken is named', async () => {
    const old = await writeProgram('python3.9', '#!/bin/sh\necho \'["/old/python3.9", 3, 9, null, null]\'\n')
    await writeUnpacked('2099.01.01')
    await writeProgram('yt-dlp/usr/bin/yt-dlp', `#!${old}\n`)
    expect(await problemsOf({})).toEqual([
      expect.stringMatching(/needs Python 3\.11 or newer.*python3\.9.*PYTHON_PATH/),
    ])
  })
})
