import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

import { execa } from 'execa'

import type { ToolExit, ToolRun, ToolRunner } from '../../src/engine/tool.ts'

/**
 * The tools as they are, without a sandbox: each run its own process group. `ffmpeg` gets `-xerror` first, as the
 * confined one has it.
 */
export function createPlainRunner(): ToolRunner {
  return {
    run: runPlain,
    runs: 0,
    isWell: () => true,
    sandbox: { landlock: false, namespaces: false, network: 'open' },
    mode: 'processes',
    async [Symbol.asyncDispose]() {},
  }
}

async function runPlain(run: ToolRun): Promise<ToolExit> {
  const args = run.tool === 'ffmpeg' ? ['-xerror', ...run.args] : [...run.args]
  const child = execa(run.tool, args, {
    cwd: run.workDir,
    env: run.proxyUrl === null ? {} : { http_proxy: run.proxyUrl },
    detached: true,
    buffer: false,
    reject: false,
    stdin: 'ignore',
    timeout: 0,
  })
  const end: { kind: ToolExit['kind'] | null } = { kind: null }
  const kill = (signal: NodeJS.Signals) => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, signal)
    } catch {
      // Gone already.
    }
  }
  const killAs = (kind: 'timeout' | 'aborted') => {
    end.kind ??= kind
    kill('SIGKILL')
  }
  const timers: NodeJS.Timeout[] = [setTimeout(() => killAs('timeout'), run.timeoutMs)]
  const onAbort = () => killAs('aborted')
  const onInterrupt = () => {
    kill('SIGINT')
    timers.push(setTimeout(() => kill('SIGKILL'), run.interruptGraceMs ?? 2000))
  }
  if (run.signal.aborted) onAbort()
  run.signal.addEventListener('abort', onAbort)
  run.interrupt?.addEventListener('abort', onInterrupt)
  let stderr = ''
  const stdoutDone = readLines(child.stdout, (line) => run.onStdout?.(line))
  const stderrDone = readLines(child.stderr, (line) => {
    stderr = `${stderr}${line}\n`.slice(-65_536)
    run.onStderr?.(line)
  })
  const result = await child
  await Promise.all([stdoutDone, stderrDone])
  timers.forEach(clearTimeout)
  run.signal.removeEventListener('abort', onAbort)
  run.interrupt?.removeEventListener('abort', onInterrupt)
  const signalName = result.signal ?? null
  const known = signalName === null ? (result.exitCode ?? null) : null
  const kind = end.kind ?? (signalName !== null ? 'signal' : known === null ? 'spawn' : 'exit')
  return { kind, exitCode: kind === 'exit' ? known : null, signalName, stderr }
}

async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) onLine(line)
}

/** Room enough for every test. */
export const TEST_LIMITS = { fileBytes: 4 * 2 ** 30, memoryBytes: 0, openFiles: 1024, processes: 256 } as const
