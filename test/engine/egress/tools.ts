import path from 'node:path'
import { runProgram, ytDlpCommand, type ToolResult } from '../../support/tools.ts'

const WRAPPER = path.resolve(import.meta.dirname, '../../../src/engine/wrappers/ffmpeg')

export type RunOptions = Readonly<{
  cwd: string
  proxyUrl: string
  env?: Readonly<Record<string, string>>
}>

/** Runs a program that knows its way out by its environment alone. */
function runTool(command: readonly string[], { cwd, proxyUrl, env }: RunOptions): Promise<ToolResult> {
  const way = { http_proxy: proxyUrl, https_proxy: proxyUrl, all_proxy: proxyUrl }
  return runProgram(command, { cwd, env: { ...way, ...env }, timeoutMs: 50_000 })
}

/** yt-dlp with what every run of the daemon has that matters here. */
export function ytDlp(args: readonly string[], options: RunOptions): Promise<ToolResult> {
  const once = ['--retries', '0', '--fragment-retries', '0', '--extractor-retries', '0', '--socket-timeout', '5']
  const common = ['--ignore-config', '--no-cache-dir', '--no-plugin-dirs', '--abort-on-unavailable-fragments', ...once]
  return runTool([...ytDlpCommand(), ...common, ...args], options)
}

/** ffmpeg as the daemon's runs see it, behind its wrapper. */
export function ffmpeg(args: readonly string[], options: RunOptions): Promise<ToolResult> {
  const env = { YTDLPD_FFMPEG: 'ffmpeg', ...options.env }
  return runTool([WRAPPER, '-v', 'error', '-nostdin', ...args], { ...options, env })
}
