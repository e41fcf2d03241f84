import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

import { createForkServer } from '../../../src/engine/run/fork-server.ts'
import { reapLeftovers } from '../../../src/engine/run/leftovers.ts'
import { ISOLATIONS, type Isolation } from '../../../src/engine/run/namespaces.ts'
import { createProcesses } from '../../../src/engine/run/processes.ts'
import { startToolRunner } from '../../../src/engine/run/start-tool-runner.ts'
import { LIMITS, openBench, PLAIN, waitUntil, type Bench } from './bench.ts'

/** A run whose tool has a child in another session that ignores every polite signal; prints `up`. */
const STUBBORN = `setsid sh -c "trap '' INT TERM HUP; sleep 300; :" & trap '' INT TERM HUP; echo up; sleep 300; :`

let bench: Bench

const started: ChildProcess[] = []

beforeEach(async () => {
  bench = await openBench()
})

afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  // The kernel takes a moment for a process tree that was just killed.
  await waitUntil('no process is left', async () => (await bench.processes()).length === 0)
  await bench.dispose()
})

async function killServer(): Promise<void> {
  const servers = (await bench.processes()).filter(
    ({ command, environment }) =>
      command.startsWith('/') &&
      command.includes('fork_server.py') &&
      environment.some((entry) => /^YTDLPD_JOB=_+$/.test(entry)),
  )
  expect(servers).toHaveLength(1)
  for (const { pid } of servers) process.kill(pid, 'SIGKILL')
}

const kinds: readonly (readonly [string, readonly Isolation[]])[] = [
  ['in namespaces', ISOLATIONS],
  ['without namespaces', ['none']],
]

describe.each(kinds)('a fork server %s that is killed', (_name, isolations) => {
  test('takes its runs with it, and the next runs work: first as processes, then on a new server', async () => {
    const runner = await createForkServer(bench.options(), { isolations })
    const lines: string[] = []
    const running = bench.run(runner, {
      tool: 'ffmpeg',
      args: ['--shell', STUBBORN],
      label: 'doomed.1',
      onStdout: (line) => lines.push(line),
    })
    await waitUntil('the run is up', () => lines.includes('up'))
    await killServer()
    expect((await running).exit).toMatchObject({ kind: 'signal', signalName: 'SIGKILL' })
    await waitUntil(
      'its processes are gone',
      async () => (await bench.processes('YTDLPD_JOB=doomed.1')).length === 0,
      1000,
    )
    const next = await bench.run(runner, { tool: 'ffprobe', args: ['-version'] })
    expect(next.exit).toMatchObject({ kind: 'exit', exitCode: 0 })
    await waitUntil('a new server is up', async () => {
      const { exit } = await bench.run(runner, { tool: 'ffprobe', args: ['-version'] })
      expect(exit).toMatchObject({ kind: 'exit', exitCode: 0 })
      return (await bench.processes()).some(({ command }) => command.includes('fork_server.py'))
    })
    await runner[Symbol.asyncDispose]()
  })
})

test('closing does not wait for a server that is being started', async () => {
  const runner = await createForkServer(bench.options())
  await killServer()
  await waitUntil('a new server is being started', async () => {
    await bench.run(runner, { tool: 'ffprobe', args: ['-version'] })
    return (await bench.processes()).some(({ command }) => command.includes('fork_server.py'))
  })
  const before = performance.now()
  await runner[Symbol.asyncDispose]()
  await waitUntil('no process is left', async () => (await bench.processes()).length === 0)
  expect(performance.now() - before).toBeLessThan(1_000)
})

test('a keeper that is killed takes its run with it', async () => {
  for (const create of [
    (options: Parameters<typeof createForkServer>[0]) => createForkServer(options, { isolations: ['none'] }),
    createProcesses,
  ]) {
    const runner = await create(bench.options())
    const lines: string[] = []
    const running = bench.run(runner, {
      tool: 'ffmpeg',
      args: ['--shell', STUBBORN],
      label: 'kept.1',
      onStdout: (line) => lines.push(line),
    })
    await waitUntil('the run is up', () => lines.includes('up'))
    const keeper = (await bench.processes('YTDLPD_JOB=kept.1')).find(({ command }) =>
      /fork_server|confine/.test(command),
    )
    process.kill(keeper?.pid ?? NaN, 'SIGKILL')
    expect((await running).exit).toMatchObject({ kind: 'signal', signalName: 'SIGKILL' })
    await waitUntil(
      'its processes are gone',
      async () => (await bench.processes('YTDLPD_JOB=kept.1')).length === 0,
      1000,
    )
    await runner[Symbol.asyncDispose]()
  }
})

describe.each([...kinds, ['as processes', null] as const])(
  'a daemon that is killed, its runs %s',
  (_name, isolations) => {
    test('leaves no process behind', async () => {
      const workDir = await mkdtemp(join(bench.dir, 'work-'))
      const task = {
        isolations,
        options: { tools: bench.tools, egressPort: bench.proxyPort, instance: bench.instance },
        run: {
          label: 'orphan.1',
          tool: 'ffmpeg',
          args: ['--shell', STUBBORN],
          workDir,
          proxyUrl: bench.proxyUrl,
          limits: LIMITS,
        },
      }
      const daemon = spawn(process.execPath, [resolve(import.meta.dirname, 'daemon.ts'), JSON.stringify(task)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      started.push(daemon)
      await once(createInterface({ input: daemon.stdout }), 'line')
      await waitUntil('all of the run is up', async () => (await bench.processes('YTDLPD_JOB=orphan.1')).length >= 5)
      const ended = once(daemon, 'exit')
      daemon.kill('SIGKILL')
      await ended
      await waitUntil('no process is left', async () => (await bench.processes()).length === 0, 1000)
    })
  },
)

test('what an earlier daemon left is found by its mark and killed, and nothing else', async () => {
  const start = (instance: string) =>
    spawn('sleep', ['300'], {
      env: { PATH: '/usr/bin:/bin', YTDLPD_INSTANCE: instance },
      detached: true,
      stdio: 'ignore',
    })
  const [ours, other] = [start(bench.instance), start(`${bench.instance}x`)]
  started.push(ours, other)
  await waitUntil('both have started', async () => (await bench.processes()).length === 1)
  const ended = once(ours, 'exit')
  expect(await reapLeftovers(bench.instance)).toBe(1)
  await ended
  expect(other.exitCode ?? other.signalCode).toBeNull()
  const otherEnded = once(other, 'exit')
  other.kill('SIGKILL')
  await otherEnded
  expect(await reapLeftovers(bench.instance)).toBe(0)
})

test('a replaced yt-dlp gets a new server, while the runs of the old one go on', async () => {
  const real = bench.tools.ytDlp
  const modulePath = join(bench.dir, 'modules')
  await mkdir(modulePath)
  await cp(join(real.python?.modulePath ?? '', 'yt_dlp'), join(modulePath, 'yt_dlp'), { recursive: true })
  const python = { path: real.python?.path ?? '', modulePath }
  const runner = await createForkServer(bench.options({ tools: { ...bench.tools, ytDlp: { ...real, python } } }), {
    versionCheckMs: 0,
  })
  const servers = async () =>
    (await bench.processes()).filter(
      ({ environment, command }) =>
        /^\/.*fork_server/.test(command) && environment.some((entry) => /^YTDLPD_JOB=_+$/.test(entry)),
    )
  const before = await servers()
  const old = bench.run(runner, { tool: 'ffmpeg', args: ['--shell', 'sleep 2; echo whole'] })
  await utimes(join(modulePath, 'yt_dlp/version.py'), 1, 1)
  await waitUntil('the new server answers', async () => {
    const { exit } = await bench.run(runner, { tool: 'ffprobe', args: ['-version'] })
    expect(exit.exitCode).toBe(0)
    return (await servers()).some(({ pid }) => !before.some((one) => one.pid === pid))
  })
  expect((await old).stdout).toEqual(['whole'])
  await waitUntil('the old server is gone', async () => !(await servers()).some(({ pid }) => pid === before[0]?.pid))
  await runner[Symbol.asyncDispose]()
})

describe('startToolRunner', () => {
  test('keeps a warm yt-dlp where it may, within its memory', async () => {
    const runner = await startToolRunner(bench.options())
    expect(runner.mode).toBe('fork-server')
    const server = (await bench.processes()).find(({ command }) => /^\/.*fork_server/.test(command))
    const status = await readFile(`/proc/${server?.pid}/status`, 'utf8')
    expect(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024).toBeLessThan(95)
    await runner[Symbol.asyncDispose]()
    expect((await runner.run(await aRun(bench))).kind).toBe('aborted')
  })

  test('uses processes where the fork server is switched off, or yt-dlp cannot be imported', async () => {
    const plain = await startToolRunner(bench.options({ forkServer: false }))
    expect(plain.mode).toBe('processes')
    const empty = { ...bench.tools.ytDlp, python: { path: bench.tools.ytDlp.python?.path ?? '', modulePath: null } }
    const broken = { ...bench.tools, ytDlp: { ...empty, python: { ...empty.python, path: '/bin/false' } } }
    expect((await startToolRunner(bench.options({ tools: broken }))).mode).toBe('processes')
    const nowhere = { ...broken, ytDlp: { ...broken.ytDlp, python: { path: '/nowhere/python3', modulePath: null } } }
    const runner = await startToolRunner(bench.options({ tools: nowhere }))
    const { exit } = await bench.run(runner, { args: ['--version'] })
    expect(exit).toMatchObject({ kind: 'spawn', stderr: expect.stringContaining('/nowhere/python3') })
  })

  test('confines nothing when told so', async () => {
    for (const forkServer of [true, false]) {
      const runner = await startToolRunner(bench.options({ sandbox: 'off', forkServer }))
      expect(runner.sandbox).toEqual({ landlock: false, namespaces: false, network: 'open' })
      const { stdout } = await bench.run(runner, {
        tool: 'ffmpeg',
        args: ['--shell', `echo in > ../seen; cat ../seen`],
      })
      expect(stdout).toEqual(['in'])
      await runner[Symbol.asyncDispose]()
    }
  })

  test('refuses to start, naming what is missing, where confinement is required and cannot be had', async () => {
    const tools = { ...bench.tools, pythonPath: null, ytDlp: { ...bench.tools.ytDlp, python: null } }
    await expect(startToolRunner(bench.options({ tools, sandbox: 'require' }))).rejects.toThrow(/require.*no Python/)
  })

  test('runs a yt-dlp that is a single program, without any Python of ours', async () => {
    const { command, python } = bench.tools.ytDlp
    const program = join(bench.dir, 'yt-dlp')
    await writeFile(program, `#!/bin/sh\nPYTHONPATH=${python?.modulePath ?? ''} exec ${command.join(' ')} "$@"\n`, {
      mode: 0o755,
    })
    const tools = { ...bench.tools, pythonPath: null, ytDlp: { command: [program], version: '1', python: null } }
    bench.files.set('/a.mp4', Buffer.alloc(100))
    const runner = await startToolRunner(bench.options({ tools }))
    expect(runner.sandbox.landlock).toBe(false)
    const { exit, stdout } = await bench.run(runner, { args: [...PLAIN, '-J', '--', `${bench.origin}/a.mp4`] })
    expect(exit).toMatchObject({ kind: 'exit', exitCode: 0 })
    expect(JSON.parse(stdout.join(''))).toMatchObject({ id: 'a' })
    const killed = await bench.run(runner, { tool: 'ffmpeg', args: ['--shell', STUBBORN], timeoutMs: 300 })
    expect(killed.exit).toMatchObject({ kind: 'timeout', signalName: 'SIGKILL' })
    await runner[Symbol.asyncDispose]()
  })
})

test('the folder of its sockets goes with a runner, or with the next one if it was killed', async () => {
  const abandoned = join(tmpdir(), `ytdlpd-${bench.instance.slice(0, 16)}-99999999-x`)
  await mkdir(abandoned)
  const runner = await createForkServer(bench.options())
  const [server] = (await bench.processes()).filter(({ command }) => command.includes('fork_server.py'))
  const socket = /"socket":"([^"]+)"/.exec(server?.command ?? '')?.[1] ?? ''
  expect((await stat(socket)).isSocket()).toBe(true)
  expect((await stat(dirname(socket))).mode & 0o777).toBe(0o700)
  await runner[Symbol.asyncDispose]()
  for (const gone of [dirname(socket), abandoned]) await expect(stat(gone)).rejects.toThrow('ENOENT')
})

async function aRun({ dir, proxyUrl }: Bench) {
  const signal = new AbortController().signal
  return {
    label: 'late.1',
    tool: 'ffprobe',
    args: ['-version'],
    workDir: dir,
    proxyUrl,
    timeoutMs: 1000,
    limits: LIMITS,
    signal,
  } as const
}
