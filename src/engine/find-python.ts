import path from 'node:path'
import { z } from 'zod'
import { ask, findOnPath, isProgram } from './find-program.ts'

/** What an interpreter says about itself. */
export type Python = Readonly<{
  /** The real program, not a wrapper that chooses one. */
  path: string
  /** `yt_dlp/__init__.py` as this interpreter would import it; null when it cannot. */
  ytDlpModule: string | null
  /** The version of yt-dlp in the zip it was asked about. */
  zipVersion: string | null
}>

const PYTHON_MINIMUM = [3, 11] as const
const ANSWER_MS = 10_000

/** Imports nothing of yt-dlp: finding the module and reading the version's text is enough, and ten times faster. */
const QUESTION = `
import importlib.util, json, re, sys
spec = importlib.util.find_spec('yt_dlp')
version = None
if len(sys.argv) > 1:
    import zipfile
    with zipfile.ZipFile(sys.argv[1]) as packed:
        if 'yt_dlp/version.py' in packed.namelist():
            found = re.search(r"__version__ = ['\\"]([0-9.]+)", packed.read('yt_dlp/version.py').decode())
            version = found and found.group(1)
print(json.dumps([sys.executable, *sys.version_info[:2], spec and spec.origin, version]))
`

const answerSchema = z.tuple([z.string(), z.number(), z.number(), z.string().nullable(), z.string().nullable()])

/** The interpreters to try when nothing names one; the system's own first, as it sees the system's packages. */
export async function usualPythons(pathEnv: string): Promise<readonly string[]> {
  const onPath = await findOnPath('python3', pathEnv)
  return ['/usr/bin/python3', ...(onPath === null ? [] : [onPath])]
}

/** The first of `candidates` that runs and is new enough; null when none does. `zip` is a yt-dlp packed as one file. */
export async function choosePython(
  candidates: readonly string[],
  pathEnv: string,
  zip: string | null = null,
): Promise<Python | null> {
  for (const candidate of new Set(candidates)) {
    if (!(await isProgram(candidate))) continue
    const command = [candidate, '-I', '-c', QUESTION, ...(zip === null ? [] : [zip])]
    const python = parseAnswer(await ask(command, ANSWER_MS, pathEnv))
    if (python !== null) return python
  }
  return null
}

function parseAnswer(answer: string | null): Python | null {
  if (answer === null) return null
  const parsed = answerSchema.safeParse(parseJson(answer))
  if (!parsed.success) return null
  const [executable, major, minor, ytDlpModule, zipVersion] = parsed.data
  const isNewEnough = major > PYTHON_MINIMUM[0] || (major === PYTHON_MINIMUM[0] && minor >= PYTHON_MINIMUM[1])
  return isNewEnough && path.isAbsolute(executable) ? { path: executable, ytDlpModule, zipVersion } : null
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not Python, then: the schema refuses it.
    return undefined
  }
}
