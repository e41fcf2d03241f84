import { access, constants, stat } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'

/** What a search ended with: the thing, or one sentence that says what is wrong and what to do. */
export type Found<T> = Readonly<{ ok: true; value: T }> | Readonly<{ ok: false; problem: string }>

/** No program we ask prints more about itself; what goes beyond is cut off. */
const MAX_ANSWER_BYTES = 64 * 1024

/** Whether a file can be executed by us. */
export async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK)
    return (await stat(file)).isFile()
  } catch {
    // Whatever keeps us from looking at it keeps us from running it.
    return false
  }
}

/** The first program called `name` in the folders of `pathEnv`; null when there is none. */
export async function findOnPath(name: string, pathEnv: string): Promise<string | null> {
  for (const folder of pathEnv.split(path.delimiter)) {
    const file = path.join(folder, name)
    if (path.isAbsolute(folder) && (await isProgram(file))) return file
  }
  return null
}

/** A program as a setting names it: a path, or a bare name to look for on PATH. */
export async function findAsNamed(setting: string, pathEnv: string): Promise<string | null> {
  if (!setting.includes(path.sep)) return findOnPath(setting, pathEnv)
  const file = path.resolve(setting)
  return (await isProgram(file)) ? file : null
}

/** Runs a program for what it prints; null when it fails, cannot be run or takes longer than `timeoutMs`. */
export async function ask(command: readonly string[], timeoutMs: number, pathEnv: string): Promise<string | null> {
  const [program = '', ...args] = command
  const result = await execa(program, args, {
    reject: false,
    stdin: 'ignore',
    stderr: 'ignore',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_ANSWER_BYTES,
    extendEnv: false,
    env: { PATH: pathEnv, LC_ALL: 'C.UTF-8' },
  })
  return result.failed ? null : result.stdout
}
