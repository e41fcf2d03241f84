import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

let tree = ''

beforeEach(async () => {
  tree = await mkdtemp(path.join(os.tmpdir(), 'test-command-'))
  await mkdir(path.join(tree, 'scripts'))
  await mkdir(path.join(tree, '.ci'))
  await mkdir(path.join(tree, 'node_modules/.bin'), { recursive: true })
  await copyFile('scripts/test', path.join(tree, 'scripts/test'))
  await copyFile('.ci/run', path.join(tree, '.ci/run'))
  await symlink(process.execPath, path.join(tree, 'node_modules/.bin/node'))
})

afterEach(() => rm(tree, { recursive: true, force: true }))

async function writeProgram(name: string, text: string): Promise<void> {
  await writeFile(path.join(tree, name), `#!/usr/bin/env bash\n${text}\n`)
  await chmod(path.join(tree, name), 0o755)
}

type Jest = Readonly<{ report?: string; code?: number }>

const report = (passed: number, failed: number, brokenSuites = 0) =>
  JSON.stringify({
    numPassedTests: passed,
    numFailedTests: failed,
    numRuntimeErrorTestSuites: brokenSuites,
    success: failed + brokenSuites === 0,
  })

/** Runs the command where npm's checks fail as named, and npm's tests end as given. */
async function run(jest: Jest, failing: readonly string[] = [], setupCode = 0) {
  await writeProgram('scripts/setup', `exit ${setupCode}`)
  await writeProgram(
    'npm',
    `for word; do last=$word; done
     if [[ $1 == run ]]; then
       [[ ' ${failing.join(' ')} ' != *" $last "* ]]; exit
     fi
     for word; do case $word in --outputFile=*) file=\${word#*=} ;; esac; done
     printf '%s' '${jest.report ?? ''}' >"$file"
     echo "arguments: $*" >&2
     exit ${jest.code ?? 0}`,
  )
  return new Promise<Readonly<{ code: number; lines: readonly string[] }>>((resolve) => {
    const env = { ...process.env, PATH: `${tree}:${process.env['PATH'] ?? ''}` }
    execFile(path.join(tree, '.ci/run'), ['test/some', '-t', 'a name'], { env, cwd: '/' }, (error, stdout) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), lines: stdout.trimEnd().split('\n') })
    })
  })
}

describe('scripts/test', () => {
  test('counts checks and tests together in its last line, and gives jest its arguments', async () => {
    const { code, lines } = await run({ report: report(10, 0) })
    expect({ code, last: lines.at(-1) }).toEqual({ code: 0, last: '14 passed, 0 failed' })
    expect(lines.join('\n')).toMatch(/arguments: .* test\/some -t a name/)
  })

  const cases: ReadonlyArray<readonly [string, string, Jest, readonly string[]]> = [
    ['a failed check', '12 passed, 2 failed', { report: report(10, 0) }, ['lint', 'structure']],
    ['a failed test', '13 passed, 3 failed', { report: report(9, 3), code: 1 }, []],
    ['a suite that cannot run', '13 passed, 1 failed', { report: report(9, 0, 1), code: 1 }, []],
    ['jest unhappy for another reason', '13 passed, 1 failed', { report: report(9, 0), code: 1 }, []],
    ['jest dying without a report', '4 passed, 1 failed', { code: 134 }, []],
    ['a report cut short', '4 passed, 1 failed', { report: '{"numPassedTests":' }, []],
    ['no test at all', '4 passed, 1 failed', { report: report(0, 0) }, []],
  ]

  test.each(cases)('%s is a failure: %s', async (_, last, jest, failing) => {
    const outcome = await run(jest, failing)
    expect(outcome.code).not.toBe(0)
    expect(outcome.lines.at(-1)).toBe(last)
  })

  test('a setup that fails is a failure, and nothing runs', async () => {
    const { code, lines } = await run({ report: report(10, 0) }, [], 1)
    expect({ code, lines }).toEqual({ code: 1, lines: ['0 passed, 1 failed'] })
  })
})
