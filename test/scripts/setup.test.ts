import { execFile, spawn } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import os from 'node:os'
import path from 'node:path'

const TOOLS = path.resolve(process.env['TOOLS_DIR'] ?? path.join(process.env['STATE_DIR'] ?? 'jsons', 'tools'))

let tree = ''

/** A tree of its own with the real script in it, and `bin` in front of PATH. */
beforeEach(async () => {
  tree = await mkdtemp(path.join(os.tmpdir(), 'setup-'))
  await mkdir(path.join(tree, 'scripts'))
  await mkdir(path.join(tree, 'bin'))
  await copyFile('scripts/setup', path.join(tree, 'scripts/setup'))
  await writeFile(path.join(tree, 'package-lock.json'), '{}')
})

afterEach(() => rm(tree, { recursive: true, force: true }))

type Outcome = Readonly<{ code: number; stdout: string; stderr: string; ms: number }>

function bash(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const started = performance.now()
  const environment = { ...process.env, TOOLS_DIR: TOOLS, PATH: `${tree}/bin:${process.env['PATH'] ?? ''}`, ...env }
  return new Promise((resolve) => {
    execFile('bash', args, { env: environment, timeout: 30_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? -1)
      resolve({ code, stdout, stderr, ms: performance.now() - started })
    })
  })
}

const setup = (args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
  bash([path.join(tree, 'scripts/setup'), ...args], env)

async function writeProgram(name: string, text: string): Promise<string> {
  const file = path.join(tree, 'bin', name)
  await writeFile(file, `#!/usr/bin/env bash\n${text}\n`)
  await chmod(file, 0o755)
  return file
}

describe('scripts/setup', () => {
  test('says nothing and takes no time when everything is there', async () => {
    const { code, stdout, stderr, ms } = await setup(['--tools-only', '--tests'])
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(ms).toBeLessThan(1000)
  })

  test('installs npm packages when there are none or the lock file is newer, and only then', async () => {
    const calls = path.join(tree, 'calls')
    await writeProgram(
      'npm',
      `echo "$*" >>'${calls}'
       mkdir -p node_modules/.bin
       ln -sf '${process.execPath}' node_modules/.bin/node
       touch node_modules/.package-lock.json`,
    )
    const npmRuns = async () =>
      (await readFile(calls, 'utf8')).split('\n').filter((line) => line.startsWith('ci ')).length

    expect(await setup()).toMatchObject({ code: 0 })
    expect(await setup()).toMatchObject({ code: 0, stderr: '' })
    expect(await npmRuns()).toBe(1)

    const later = new Date(Date.now() + 60_000)
    await utimes(path.join(tree, 'package-lock.json'), later, later)
    expect(await setup()).toMatchObject({ code: 0 })
    expect(await npmRuns()).toBe(2)
  })

  test('a step that fails shows its last words and says what to do', async () => {
    await writeProgram('npm', 'echo noise of the registry >&2; exit 1')
    const { code, stderr } = await setup()
    expect(code).toBe(1)
    expect(stderr).toMatch(/installing npm packages[^]*noise of the registry[^]*npm failed[^]*Check the network/)
  })

  test('refuses a Node that npm cannot work with', async () => {
    await writeProgram('node', 'echo v18.20.0')
    const { code, stderr } = await setup()
    expect(code).toBe(1)
    expect(stderr).toContain('Node.js 20 or newer with npm is missing')
  })

  test.each(['FFMPEG_PATH', 'FFPROBE_PATH', 'YTDLP_PATH'])(
    'a wrong %s is an error, not a reason to look elsewhere',
    async (name) => {
      const { code, stderr } = await setup(['--tools-only'], { [name]: '/nonexistent/tool' })
      expect(code).toBe(1)
      expect(stderr).toContain(`${name}=/nonexistent/tool is not a program that can be run`)
    },
  )

  test('a yt-dlp on PATH is asked for its version once', async () => {
    const calls = path.join(tree, 'calls')
    await writeProgram('yt-dlp', `echo x >>'${calls}'; echo 2099.01.01`)
    const own = { TOOLS_DIR: path.join(tree, 'tools'), YTDLP_PATH: '' }
    for (let i = 0; i < 3; i++) expect(await setup(['--tools-only'], own)).toMatchObject({ code: 0, stderr: '' })
    expect(await readFile(calls, 'utf8')).toBe('x\n')
  })

  test('waits for another run in the same tree', async () => {
    const holder = spawn('flock', [path.join(tree, 'scripts/setup'), 'sh', '-c', 'echo held; read line'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(holder.stdout, 'data')
    const waiting = spawn(path.join(tree, 'scripts/setup'), ['--tools-only'], {
      env: { ...process.env, TOOLS_DIR: TOOLS },
    })
    const [message] = (await once(waiting.stderr, 'data')) as [Buffer]
    expect(message.toString()).toBe('setup: waiting for another setup to finish\n')
    expect(waiting.exitCode).toBeNull()
    holder.stdin.end('\n')
    expect(await once(waiting, 'close')).toEqual([0, null])
  })

  test('explains itself, and refuses what it does not know', async () => {
    expect((await setup(['--help'])).stdout).toMatch(/--tools-only[^]*--tools-dir/)
    expect(await setup(['--tool'])).toMatchObject({ code: 2 })
  })
})

describe('the source of yt-dlp on Debian', () => {
  const SID = 'deb http://mirror.example/debian sid main\n'
  const cases: ReadonlyArray<readonly [string, string, string, string]> = [
    ['one line', 'list', 'deb http://mirror.example/debian bookworm main contrib # ours\n', SID],
    [
      'one line with options',
      'list',
      'deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm main\n',
      'deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian sid main\n',
    ],
    [
      'the first fitting of many lines',
      'list',
      '# deb http://off.example/debian bookworm main\n' +
        'deb cdrom:[Debian 12]/ bookworm main\n' +
        'deb-src http://src.example/debian bookworm main\n' +
        'deb http://mirror.example/debian-security bookworm-security main\n' +
        'deb [signed-by=/etc/apt/keyrings/other.gpg] http://other.example/debian bookworm main\n' +
        'deb http://mirror.example/debian bookworm main\ndeb http://second.example/debian bookworm main\n',
      SID,
    ],
    ['other suites only', 'list', 'deb http://mirror.example/debian bookworm-updates main\n', ''],
    [
      'deb822',
      'sources',
      '# comment\nTypes: deb deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n' +
        'Components: main\n contrib\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n' +
        'Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n',
      'Types: deb\nURIs: http://mirror.example/debian\nSuites: sid\nComponents: main\n' +
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n',
    ],
    [
      'deb822 with entries that are switched off, of others, or of sources',
      'sources',
      'Types: deb\nURIs: http://a.example/debian\nSuites: bookworm\nComponents: main\nEnabled: no\n\n' +
        'Types: deb\nURIs: http://b.example/debian\nSuites: bookworm\nComponents: main\nSigned-By: /etc/apt/other.gpg\n\n' +
        'Types: deb-src\nURIs: http://c.example/debian\nSuites: bookworm\nComponents: main\n\n' +
        'Types: deb\nURIs: http://d.example/debian\nSuites: bookworm\nComponents: stable\n\n' +
        'types: deb\nuris:\n http://mirror.example/debian\nsuites: bookworm\ncomponents: main\nSigned-By:\n' +
        ' -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----\n',
      'Types: deb\nuris:\n http://mirror.example/debian\nSuites: sid\nComponents: main\nSigned-By:\n' +
        ' -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----\n',
    ],
  ]

  test.each(cases)('%s', async (_, form, text, expected) => {
    const file = path.join(tree, `debian.${form}`)
    await writeFile(file, text)
    const { code, stdout, stderr } = await bash([
      '-c',
      `source scripts/setup; sid_entry '${file}' 'bookworm|stable|sid'`,
    ])
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: expected, stderr: '' })
  })
})

describe('scripts/start', () => {
  test('becomes the daemon: same process, same environment, in the root of the tree, its state closed to others', async () => {
    await copyFile('scripts/start', path.join(tree, 'scripts/start'))
    await writeFile(path.join(tree, 'scripts/setup'), '#!/bin/sh\n')
    await chmod(path.join(tree, 'scripts/setup'), 0o755)
    await mkdir(path.join(tree, 'node_modules/.bin'), { recursive: true })
    await symlink(process.execPath, path.join(tree, 'node_modules/.bin/node'))
    await mkdir(path.join(tree, 'src'))
    await writeFile(
      path.join(tree, 'src/main.ts'),
      'process.on("SIGTERM", () => process.exit(7))\n' +
        'console.log(JSON.stringify([process.pid, process.cwd(), process.env.GIVEN]))\nsetInterval(() => {}, 1000)\n',
    )
    const state = path.join(tree, 'state')
    const env = { ...process.env, GIVEN: 'value', STATE_DIR: state }
    const child = spawn(path.join(tree, 'scripts/start'), { cwd: '/', env })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    expect(JSON.parse(line.toString())).toEqual([child.pid, tree, 'value'])
    expect((await stat(state)).mode & 0o777).toBe(0o700)
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([7, null])
  })
})
