import { createRequire } from 'node:module'
import process from 'node:process'
import type { Config } from '../config/index.ts'
import { ask } from '../engine/find-program.ts'
import { findTools, ToolsError } from '../engine/find-tools.ts'
import type { Tools } from '../engine/tools.ts'
import { ok, problem, warning, type Finding } from './finding.ts'

const ASK_MS = 20_000

/** Releases of yt-dlp that are older than this may no longer know the sites of today. */
const OLD_MS = 90 * 86_400_000

/** The programs the daemon runs, null when it would not start with what is here. */
export async function checkTools(config: Config): Promise<{ tools: Tools | null; findings: readonly Finding[] }> {
  const { engine, dirs } = config
  try {
    const tools = await findTools({ ...engine, toolsDir: dirs.tools })
    return {
      tools,
      findings: [...describe(tools), ...checkSolver(), ...(await checkImpersonation(tools, engine.pathEnv))],
    }
  } catch (error) {
    if (!(error instanceof ToolsError)) throw error
    return { tools: null, findings: error.problems.map((text) => problem('tools', text, 'scripts/setup')) }
  }
}

function describe({ ytDlp, ffmpeg, ffprobe, galleryDl, pythonPath }: Tools): Finding[] {
  const at = ytDlp.command.at(-1) ?? ''
  return [
    isOld(ytDlp.version)
      ? warning(
          'tools',
          `yt-dlp ${ytDlp.version} at ${at} is months old; sites change faster`,
          'See "Updating yt-dlp" in README.md',
        )
      : ok('tools', `yt-dlp ${ytDlp.version} at ${at}`),
    ok('tools', `ffmpeg ${ffmpeg.version} at ${ffmpeg.path}`),
    ok('tools', `ffprobe ${ffprobe.version} at ${ffprobe.path}`),
    galleryDl === null
      ? warning(
          'tools',
          'no gallery-dl: most posts of pictures cannot be read',
          'Run scripts/setup, or set GALLERY_DL_PATH',
        )
      : ok('tools', `gallery-dl ${galleryDl.version} at ${galleryDl.path}`),
    pythonPath === null
      ? warning('tools', 'no Python 3.11 or newer: no fork server and no sandbox', 'Install it, or set PYTHON_PATH')
      : ok('tools', `Python at ${pythonPath}`),
  ]
}

/** A version of yt-dlp is the day of its release. */
function isOld(version: string): boolean {
  const [, year, month, day] = /^(\d{4})\.(\d{1,2})\.(\d{1,2})/.exec(version) ?? []
  return year !== undefined && Date.now() - Date.UTC(Number(year), Number(month) - 1, Number(day)) > OLD_MS
}

/** Node itself runs the challenges of YouTube, with two libraries. */
function checkSolver(): Finding[] {
  const require = createRequire(import.meta.url)
  const missing = ['meriyah', 'astring'].filter((name) => !canResolve(require, name))
  if (missing.length > 0)
    return [problem('javascript', `${missing.join(' and ')} missing: YouTube's challenges cannot be solved`, 'npm ci')]
  return [ok('javascript', `Node ${process.versions.node} with the libraries that solve YouTube's challenges`)]
}

function canResolve(require: NodeJS.Require, name: string): boolean {
  try {
    require.resolve(name)
    return true
  } catch {
    return false // what was asked
  }
}

async function checkImpersonation({ ytDlp }: Tools, pathEnv: string): Promise<Finding[]> {
  const targets = await ask([...ytDlp.command, '--ignore-config', '--list-impersonate-targets'], ASK_MS, pathEnv)
  const usable = (targets ?? '').split('\n').filter((line) => /curl_cffi/.test(line) && !/unavailable/.test(line))
  if (usable.length > 0) return [ok('impersonate', `yt-dlp can pass for ${usable.length} browsers (curl_cffi)`)]
  const text = 'yt-dlp cannot pass for a browser, which some sites ask for'
  return [
    warning('impersonate', text, "Install curl_cffi for yt-dlp's Python: python3 -m pip install 'yt-dlp[curl-cffi]'"),
  ]
}
