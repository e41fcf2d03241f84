import type { Readable } from 'node:stream'

import type { ToolExit, ToolRun } from '../tool.ts'
import { LineSplitter, Tail } from './lines.ts'

/** How a started run ended; `lost` = whoever watched it died first. */
export type End =
  | Readonly<{ kind: 'exit'; exitCode: number }>
  | Readonly<{ kind: 'signal'; signalName: string }>
  | Readonly<{ kind: 'spawn'; message: string }>
  | Readonly<{ kind: 'lost' }>

/** A run that has been started, whatever started it. */
export type Launched = Readonly<{
  stdout: Readable
  stderr: Readable
  /** SIGINT to the group of the tool. */
  interrupt: () => void
  /** SIGKILL to everything of the run. */
  kill: () => void
  /** Resolves when no process of the run is left; never rejects. */
  ended: Promise<End>
}>

/** How long everything may take to be gone after SIGKILL; only a process stuck in the kernel takes longer. */
const KILL_CONFIRM_MS = 15_000

/** How long output may still arrive after the last process is gone: it is in the pipe already. */
const DRAIN_MS = 5_000

const DEFAULT_INTERRUPT_GRACE_MS = 10_000

const STDERR_TAIL_CHARS = 64 * 1024

/** What yt-dlp says when it is given its options as the plain processes give them. */
const STDIN_NOTICE = 'Reading options from STDIN - EOF (Ctrl+D) to end:'

/** A line longer than this is handed over in pieces. `-J` of a large playlist is one line of tens of MB. */
const MAX_STDOUT_LINE = 64 * 1024 * 1024

/**
 * Runs what `launch` starts to its end, with the time limit and the signals of `run`. The first reason to stop wins.
 * Rejects only if a line callback throws; the run is killed then.
 */
export async function supervise(run: ToolRun, launch: () => Promise<Launched>): Promise<ToolExit> {
  const tail = new Tail(STDERR_TAIL_CHARS)
  const stop = new Stop(run)
  try {
    if (stop.reason) return toExit({ kind: 'signal', signalName: 'SIGKILL' }, stop.reason, tail)
    const launching = launch()
    const launched = await Promise.race([launching, stop.whenKilled.then(() => wait(KILL_CONFIRM_MS)).then(() => null)])
    if (!launched) {
      launching.then(({ kill }) => kill()).catch(() => {}) // it was never started
      return toExit({ kind: 'signal', signalName: 'SIGKILL' }, stop.reason, tail)
    }
    const failure: { error: Error | null } = { error: null }
    const onFailure = (error: unknown) => {
      failure.error = error as Error
      stop.kill('aborted')
    }
    const stdout = new LineSplitter(/\n/, MAX_STDOUT_LINE, (line) => run.onStdout?.(line))
    const stderr = new LineSplitter(/[\n\r]/, STDERR_TAIL_CHARS, (line) => {
      if (line === '' || line === STDIN_NOTICE) return
      tail.add(`${line}\n`)
      run.onStderr?.(line)
    })
    const drained = Promise.all([stdout.consume(launched.stdout), stderr.consume(launched.stderr)]).catch(onFailure)
    stop.attach(launched)
    const end = await Promise.race([launched.ended, stop.whenKilled.then(() => wait(KILL_CONFIRM_MS)).then(lost)])
    await Promise.race([drained, wait(DRAIN_MS)])
    if (failure.error) throw failure.error
    return toExit(end, stop.reason, tail)
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error
    tail.add(`${error.message}\n`)
    return { kind: 'spawn', exitCode: null, signalName: null, stderr: tail.text }
  } finally {
    stop.dispose()
  }
}

/** The run could not be started. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError'
}

function lost(): End {
  return { kind: 'lost' }
}

/** Does not keep the process alive. */
function wait(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref())
}

function toExit(end: End, reason: 'timeout' | 'aborted' | null, tail: Tail): ToolExit {
  if (end.kind === 'spawn') tail.add(`${end.message}\n`)
  const stderr = tail.text
  const exitCode = end.kind === 'exit' ? end.exitCode : null
  const signalName = end.kind === 'signal' ? end.signalName : end.kind === 'lost' ? 'SIGKILL' : null
  if (reason) return { kind: reason, exitCode: null, signalName: signalName ?? 'SIGKILL', stderr }
  if (end.kind === 'spawn') return { kind: 'spawn', exitCode: null, signalName: null, stderr }
  return { kind: exitCode === null ? 'signal' : 'exit', exitCode, signalName, stderr }
}

/** Everything that can end a run before its time: the clock, the two signals, a failing caller. */
class Stop {
  /** Why the run was killed, null while it was not. */
  reason: 'timeout' | 'aborted' | null = null
  readonly whenKilled: Promise<void>
  readonly #run: ToolRun
  readonly #killed = Promise.withResolvers<void>()
  readonly #timer: NodeJS.Timeout
  #grace: NodeJS.Timeout | undefined
  #launched: Launched | null = null

  constructor(run: ToolRun) {
    this.#run = run
    this.whenKilled = this.#killed.promise
    this.#timer = setTimeout(() => this.kill('timeout'), run.timeoutMs)
    run.signal.addEventListener('abort', this.#onAbort)
    run.interrupt?.addEventListener('abort', this.#onInterrupt)
    if (run.signal.aborted) this.kill('aborted')
  }

  attach(launched: Launched): void {
    this.#launched = launched
    if (this.reason) launched.kill()
    else if (this.#run.interrupt?.aborted) this.#onInterrupt()
  }

  kill(reason: 'timeout' | 'aborted'): void {
    this.reason ??= reason
    this.#launched?.kill()
    this.#killed.resolve()
  }

  dispose(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#grace)
    this.#run.signal.removeEventListener('abort', this.#onAbort)
    this.#run.interrupt?.removeEventListener('abort', this.#onInterrupt)
  }

  readonly #onAbort = (): void => this.kill('aborted')

  readonly #onInterrupt = (): void => {
    if (!this.#launched || this.#grace) return
    this.#launched.interrupt()
    this.#grace = setTimeout(() => this.kill('aborted'), this.#run.interruptGraceMs ?? DEFAULT_INTERRUPT_GRACE_MS)
  }
}
