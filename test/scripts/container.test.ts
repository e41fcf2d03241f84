import { readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'

/** The instructions of the Dockerfile, continued lines joined, comments gone. */
async function readInstructions(): Promise<ReadonlyArray<readonly [string, string]>> {
  const text = (await readFile('Dockerfile', 'utf8')).replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [word = '', ...rest] = line.split(' ')
      return [word, rest.join(' ')] as const
    })
}

async function argumentsOf(instruction: string): Promise<readonly string[]> {
  return (await readInstructions()).filter(([word]) => word === instruction).map(([, rest]) => rest)
}

describe('the image', () => {
  test('installs nothing but through scripts/setup and npm ci, which are proven outside of it', async () => {
    const commands = (await argumentsOf('RUN')).flatMap((line) => line.split('&&')).map((command) => command.trim())
    const known = [
      /^scripts\/setup --tools-only --container --tools-dir \S+$/,
      /^npm ci --omit=dev --ignore-scripts( --no-\w+)*$/,
      /^rm -rf \/var\/lib\/apt\/lists\/\*$/,
      /^install -d /,
    ]
    for (const command of commands) expect(known.some((pattern) => pattern.test(command)) ? '' : command).toBe('')
    expect(commands).toHaveLength(known.length)
  })

  test('gets only files that exist and that .dockerignore lets through', async () => {
    const ignore = (await readFile('.dockerignore', 'utf8')).split('\n')
    expect(ignore).toContain('*')
    const copied = (await argumentsOf('COPY'))
      .filter((rest) => !rest.startsWith('--from'))
      .flatMap((rest) => rest.split(' ').slice(0, -1))
    expect(copied.length).toBeGreaterThan(0)
    for (const file of copied) {
      expect(existsSync(file)).toBe(true)
      expect(ignore).toContain(`!${file}`)
    }
  })

  test('runs as a plain user under an init that reaps, and can be asked how it is', async () => {
    expect(await argumentsOf('USER')).toEqual(['node'])
    expect(await argumentsOf('ENTRYPOINT')).toEqual(['["tini", "-g", "--"]'])
    expect(await argumentsOf('CMD')).toEqual(['["node", "src/main.ts"]'])
    expect((await argumentsOf('HEALTHCHECK')).join('')).toContain('/health')
    expect(await readFile('Dockerfile', 'utf8')).not.toMatch(/chown -R/)
  })

  test('looks for its tools where they were put', async () => {
    const setup = (await argumentsOf('RUN')).join(' ')
    const [, dir] = /--tools-dir (\S+)/.exec(setup) ?? []
    expect((await argumentsOf('ENV')).join(' ')).toContain(`TOOLS_DIR=${dir}`)
  })
})

describe('docker-compose.yml', () => {
  test.each([
    ['does not run as root', /^ {4}user: '\$\{PUID:-1000\}:\$\{PGID:-1000\}'$/m],
    ['cannot write to its own system', /^ {4}read_only: true$/m],
    ['has no capabilities', /^ {4}cap_drop:\n {6}- ALL$/m],
    ['cannot gain privileges', /^ {4}security_opt:\n {6}- no-new-privileges:true$/m],
    ['is bounded in processes', /^ {4}pids_limit: \d+$/m],
    ['listens to this machine only', /^ {4}ports:\n {6}- '127\.0\.0\.1:\$\{PORT:-5000\}:5000'$/m],
    ['cannot change its configuration', /^ {6}- \.\/config:\/app\/config:ro$/m],
    ['is given time to stop in order', /^ {4}stop_grace_period: 30s$/m],
  ])('the container %s', async (_, pattern) => {
    expect(await readFile('docker-compose.yml', 'utf8')).toMatch(pattern)
  })
})
