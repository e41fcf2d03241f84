import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

import { execa } from 'execa'

import { readEnd, sendJob, sendOrder } from './channel.ts'
import type { Job } from './job.ts'
import { killMarked } from './leftovers.ts'
import { CONFINE_PROGRAM } from './places.ts'
import { LaunchError, type End, type Launched } from './supervise.ts'

/** Only the streams and the exit are used: what they mean is for `supervise` to say. */
const OBSERVED = { extendEnv: false, detached: true, buffer: false, reject: false } as const

/** Starts a run as a process of its own; without a Python, as it is. Throws LaunchError. */
export async function launchProcess(python: string | null, job: Job): Promise<Launched> {
  return python === null ? launchBare(job) : launchConfined(python, job)
}

async function launchConfined(python: string, job: Job): Promise<Launched> {
  const env = Object.fromEntries(['PATH', 'LANG', 'YTDLPD_INSTANCE', 'YTDLPD_JOB'].map((name) => [name, job.env[name]]))
  const args = ['-S', '-E', '-B', CONFINE_PROGRAM, String(process.pid)]
  const stdio = ['pipe', 'pipe', 'pipe', 'pipe'] as const
  const { stdin, stdout, stderr, stdio: streams } = await started(execa(python, args, { ...OBSERVED, stdio, env }))
  const control = stdin as Writable
  const answer = streams[3] as Readable
  sendJob(control, job)
  return {
    stdout,
    stderr,
    interrupt: () => sendOrder(control, 'I'),
    kill: () => sendOrder(control, 'K'),
    ended: settle(readEnd(answer), control, job),
  }
}

/** A keeper that was killed could not clear up after itself: what is left of the run is found by its marks. */
async function settle(ending: Promise<End>, control: Writable, job: Job): Promise<End> {
  const end = await ending
  control.end()
  if (end.kind === 'lost') await killMarked(marksOf(job))
  return end
}

async function launchBare(job: Job): Promise<Launched> {
  const [program = '', ...args] = job.command
  const input = job.stdin === null ? ({ stdin: 'ignore' } as const) : { input: job.stdin }
  const child = await started(execa(program, args, { ...OBSERVED, ...input, cwd: job.workDir, env: job.env }))
  const signalGroup = (signal: 'SIGINT' | 'SIGKILL') => {
    try {
      process.kill(-child.pid, signal)
    } catch {
      // The group has ended by itself.
    }
  }
  const ended = child.exited.then(async (end) => {
    signalGroup('SIGKILL')
    await killMarked(marksOf(job))
    return end
  })
  return {
    stdout: child.stdout,
    stderr: child.stderr,
    interrupt: () => signalGroup('SIGINT'),
    kill: () => signalGroup('SIGKILL'),
    ended,
  }
}

function marksOf({ env }: Job): readonly string[] {
  return ['YTDLPD_INSTANCE', 'YTDLPD_JOB'].map((name) => `${name}=${env[name]}`)
}

type Execution = PromiseLike<Readonly<{ originalMessage?: string | undefined }>> &
  Readonly<{ nodeChildProcess: ChildProcess }>

async function started(execution: Execution) {
  const child = execution.nodeChildProcess
  const { pid, stdin, stdout, stderr, stdio } = child
  if (pid === undefined || !stdout || !stderr) {
    throw new LaunchError((await execution).originalMessage ?? 'the program could not be started')
  }
  const exited = new Promise<End>((resolve) => {
    child.once('exit', (exitCode, signalName) =>
      resolve(signalName ? { kind: 'signal', signalName } : { kind: 'exit', exitCode: exitCode ?? 1 }),
    )
  })
  return { pid, stdin, stdout, stderr, stdio, exited }
}
