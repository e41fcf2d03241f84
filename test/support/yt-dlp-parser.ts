import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { findTools } from '../../src/engine/find-tools.ts'

/** Reads argument lists off standard input and prints what yt-dlp's own `main` makes of each: its output, or its options. */
const PROGRAM = `
import contextlib, io, json, sys
if sys.argv[1]: sys.path.insert(0, sys.argv[1])
import yt_dlp

def choose(argv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try: yt_dlp.main(argv)
        except SystemExit as end: code = end.code
    return {'code': code or 0, 'out': out.getvalue().strip(), 'err': err.getvalue().strip()}

def read(argv):
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        try: parsed = yt_dlp.parse_options(argv)
        except SystemExit: return {'error': err.getvalue().strip()}
    params = {name: value for name, value in parsed.ydl_opts.items() if name != 'match_filter'}
    return {'urls': parsed.urls, 'params': json.loads(json.dumps(params, default=lambda value: repr(type(value))))}

work = {'choose': choose, 'read': read}[sys.argv[2]]
json.dump([work(argv) for argv in json.load(sys.stdin)], sys.stdout)
`

/** How yt-dlp's own `main` ended. */
export type Choice = Readonly<{ code: number; out: string; err: string }>

/** What yt-dlp understood: its addresses and its parameters, or why it refused. */
export type Understood = Readonly<{ urls?: string[]; params?: Record<string, unknown>; error?: string }>

export class YtDlpParser {
  readonly #python: string
  readonly #modulePath: string

  private constructor(python: string, modulePath: string) {
    this.#python = python
    this.#modulePath = modulePath
  }

  static async find(): Promise<YtDlpParser> {
    const toolsDir = path.resolve(import.meta.dirname, '../../jsons/tools')
    const { ytDlp } = await findTools({
      toolsDir,
      caFile: null,
      allowOldYtDlp: true,
      pathEnv: process.env['PATH'] ?? '',
    })
    if (ytDlp.python === null) throw new Error('these tests need a yt-dlp that Python can import')
    return new YtDlpParser(ytDlp.python.path, ytDlp.python.modulePath ?? '')
  }

  /** Which formats of an info document each selector chooses, by their ids; one process for all. */
  choices(info: unknown, selectors: readonly string[], dir: string): Choice[] {
    const file = path.join(dir, 'info.json')
    fs.writeFileSync(file, JSON.stringify(info))
    const common = ['--ignore-config', '--no-plugin-dirs', '--no-cache-dir', '--simulate', '--print', 'format_id']
    return this.#run(
      'choose',
      selectors.map((selector) => [...common, '--format', selector, '--load-info-json', file]),
    )
  }

  /** What yt-dlp reads in each argument list. */
  understand(argvs: readonly (readonly string[])[]): Understood[] {
    return this.#run('read', argvs)
  }

  #run<T>(work: string, argvs: readonly (readonly string[])[]): T[] {
    const input = JSON.stringify(argvs)
    const options = { input, encoding: 'utf8', timeout: 60_000, maxBuffer: 256 * 2 ** 20 } as const
    return JSON.parse(execFileSync(this.#python, ['-I', '-c', PROGRAM, this.#modulePath, work], options)) as T[]
  }
}
