import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'

const PYTHON = '/usr/bin/python3'

/** Runs yt-dlp's modules from the folder in the first argument, which no other file of that name can shadow. */
const START = 'import sys; sys.path.insert(0, sys.argv.pop(1)); import yt_dlp; yt_dlp.main()'

/** The real yt-dlp as a plain command: the project's own copy when there is one, else the one in PATH. */
export function ytDlpCommand(): string[] {
  const tree = path.resolve(import.meta.dirname, '../../jsons/tools/yt-dlp/usr/lib/python3/dist-packages')
  if (!existsSync(path.join(tree, 'yt_dlp'))) return ['yt-dlp']
  return [existsSync(PYTHON) ? PYTHON : 'python3', '-I', '-c', START, tree]
}

export type ToolResult = Readonly<{ exitCode: number | null; stdout: string; stderr: string }>

export type YtDlpOptions = Readonly<{
  /** The loopback internet to use; without one, yt-dlp has the machine's own network. */
  sim?: Readonly<{ url: string; caFile: string }>
  cwd?: string
  timeoutMs?: number
}>

/** Runs a program to its end as a plain process; rejects only when there is no such program. */
export async function runProgram(
  command: readonly string[],
  {
    cwd,
    env,
    timeoutMs = 60_000,
  }: Readonly<{ cwd: string; env: Readonly<Record<string, string>>; timeoutMs?: number }>,
): Promise<ToolResult> {
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env['PATH'], HOME: cwd, LANG: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  const closed = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [exitCode] = (await closed) as [number | null]
  return { exitCode, stdout, stderr }
}

/** Runs yt-dlp to its end as a plain process; never rejects for what it did. */
export async function runYtDlp(args: readonly string[], options: YtDlpOptions = {}): Promise<ToolResult> {
  const { sim, cwd = tmpdir(), timeoutMs } = options
  const network = sim ? ['--proxy', sim.url, '--compat-options', 'no-certifi'] : ['--proxy', '']
  return runProgram([...ytDlpCommand(), '--ignore-config', '--no-cache-dir', ...network, ...args], {
    cwd,
    env: sim ? { SSL_CERT_FILE: sim.caFile } : {},
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })
}

/** yt-dlp's description of an address, as its `-J` prints it; rejects with its messages when it fails. */
export async function describeUrl(url: string, options: YtDlpOptions = {}): Promise<InfoJson> {
  const { stdout, stderr } = await runYtDlp(['-J', '--flat-playlist', url], options)
  if (stdout.trim() === '') throw new Error(stderr)
  return JSON.parse(stdout) as InfoJson
}

/** The part of yt-dlp's JSON that the tests of the fixtures look at. */
export type InfoJson = Readonly<{
  id: string
  title: string
  extractor: string
  _type?: string
  is_live?: boolean
  duration?: number
  formats?: readonly Readonly<{ format_id: string; vcodec?: string; acodec?: string; protocol?: string }>[]
  entries?: readonly Readonly<{ id: string; title: string | null }>[]
  chapters?: readonly unknown[]
  subtitles?: Readonly<Record<string, unknown>>
  automatic_captions?: Readonly<Record<string, unknown>>
}>
