import { posix } from 'node:path'

import type { ToolLimits, ToolRun } from '../tool.ts'
import type { Tools } from '../tools.ts'
import { confinementOf, type Confinement } from './confinement.ts'
import { LaunchError } from './supervise.ts'
import { PLUGINS_DIR, SOLVER_LIBRARIES, WRAPPERS_DIR } from './places.ts'

/** What a launcher is told to do: the whole of one run, as the Python side reads it. */
export type Job = Readonly<{
  label: string
  /** Program and arguments; with `call`, the program's name is only a name. */
  command: readonly string[]
  /** Call the imported yt-dlp instead of executing `command`. */
  call: boolean
  env: Readonly<Record<string, string>>
  workDir: string
  /** What the tool reads from its standard input; null = nothing. */
  stdin: string | null
  limits: ToolLimits
  sandbox: Confinement | null
}>

/** What all runs of one daemon have in common. */
export type Installation = Readonly<{
  tools: Tools
  /** Marks every process of this installation in its environment. */
  instance: string
  /** null = confine nothing; `landlock` false = the kernel has none. */
  confine: Readonly<{ landlock: boolean }> | null
}>

/** How a launcher starts yt-dlp. */
export type JobStyle = 'call' | 'process'

/** The job for a run: `call` inside a warm interpreter, `process` as a program of its own. */
export function buildJob(installation: Installation, run: ToolRun, style: JobStyle): Job {
  const isYtDlp = run.tool === 'yt-dlp'
  return {
    label: run.label,
    ...commandOf(installation.tools, run, style),
    call: isYtDlp && style === 'call',
    env: environmentOf(installation, run),
    workDir: run.workDir,
    limits: run.limits,
    sandbox: installation.confine && confinementOf(installation.tools, run, installation.confine.landlock),
  }
}

/** Arguments that belong to the installation, before those of each yt-dlp run. */
export function standingOptions(tools: Tools): readonly string[] {
  return [
    '--ffmpeg-location',
    WRAPPERS_DIR,
    '--no-js-runtimes',
    '--js-runtimes',
    `node:${tools.nodePath}`,
    ...(tools.caFile === null ? [] : ['--compat-options', 'no-certifi']),
  ]
}

function commandOf(tools: Tools, run: ToolRun, style: JobStyle): Pick<Job, 'command' | 'stdin'> {
  if (run.tool === 'gallery-dl') return galleryCommand(tools, run.args)
  if (run.tool !== 'yt-dlp') return { command: [posix.join(WRAPPERS_DIR, run.tool), ...run.args], stdin: null }
  const args = withPlugins([...standingOptions(tools), ...run.args])
  if (style === 'call') return { command: ['yt-dlp', ...args], stdin: null }
  return {
    command: [...tools.ytDlp.command, '--ignore-config', '--config-locations', '-'],
    stdin: toConfigText(args),
  }
}

/** What follows `--` comes from its standard input, where no process list shows it. */
function galleryCommand({ galleryDl }: Tools, args: readonly string[]): Pick<Job, 'command' | 'stdin'> {
  if (galleryDl === null) throw new LaunchError('there is no gallery-dl')
  const separator = args.indexOf('--')
  const options = separator === -1 ? args : [...args.slice(0, separator), '--input-file', '-']
  const stdin = separator === -1 ? null : args.slice(separator + 1).join('\n')
  return { command: [galleryDl.path, ...options], stdin }
}

/** Our own plug-ins, behind the option that forbids all others: it clears what comes before it. */
function withPlugins(args: readonly string[]): readonly string[] {
  const start = args.indexOf('--no-plugin-dirs') + 1
  return [...args.slice(0, start), '--plugin-dirs', PLUGINS_DIR, ...args.slice(start)]
}

/**
 * yt-dlp's arguments as a configuration to read from standard input, where no process list shows them.
 *
 * `--` cannot stand in it (it would end the outer arguments too), so what follows it goes last and must not begin with `-`.
 */
export function toConfigText(args: readonly string[]): string {
  const separator = args.indexOf('--')
  if (separator === -1) return args.map(quote).join('\n')
  const operands = args.slice(separator + 1)
  const odd = operands.find((operand) => operand.startsWith('-'))
  if (odd !== undefined) throw new RangeError('an operand of yt-dlp must not begin with a dash')
  return [...args.slice(0, separator), ...operands].map(quote).join('\n')
}

/** For Python's `shlex.split`. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'"'"'`)}'`
}

/** What the tools find their way by; every program of the daemon is started with no more than this. */
export function baseEnvironment({ tools, instance }: Pick<Installation, 'tools' | 'instance'>): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LANG: 'C.UTF-8',
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONNOUSERSITE: '1',
    YTDLPD_INSTANCE: instance,
    YTDLPD_FFMPEG: tools.ffmpeg.path,
    YTDLPD_FFPROBE: tools.ffprobe.path,
    ...SOLVER_LIBRARIES,
    ...(tools.caFile === null
      ? {}
      : { SSL_CERT_FILE: tools.caFile, REQUESTS_CA_BUNDLE: tools.caFile, CURL_CA_BUNDLE: tools.caFile }),
  }
}

function environmentOf(installation: Installation, run: ToolRun): Record<string, string> {
  const env = { ...baseEnvironment(installation), HOME: run.workDir, TMPDIR: run.workDir, YTDLPD_JOB: run.label }
  const { ytDlp, galleryDl } = installation.tools
  const modulePath = (run.tool === 'gallery-dl' ? galleryDl?.modulePath : ytDlp.python?.modulePath) ?? null
  return {
    ...env,
    ...(modulePath === null ? {} : { PYTHONPATH: modulePath }),
    ...(run.proxyUrl === null ? {} : proxyVariables(run.proxyUrl)),
  }
}

/** ffmpeg reads the lower-case `http_proxy` only, for https too; others read one or the other. */
function proxyVariables(proxyUrl: string): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'all_proxy']
  return Object.fromEntries(names.flatMap((name) => [name, name.toUpperCase()]).map((name) => [name, proxyUrl]))
}
