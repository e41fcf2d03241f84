import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { TASK_ERROR_CODES } from '../src/domain/errors.ts'
import { tempDir } from './support/temp-dir.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

function run(cwd: string, script: string, ...args: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [path.join(ROOT, 'scripts', script), ...args], {
    cwd,
    encoding: 'utf8',
  })
  return { status, problems: stderr.split('\n').filter((line) => line !== '') }
}

const check = (cwd: string, ...args: string[]) => run(cwd, 'check-docs.ts', ...args)

/** A project in a folder of the test's own, a copy of `template` if there is one. */
function projectIn(template: string | null) {
  const dir = tempDir()
  if (template !== null) fs.cpSync(template, dir.path, { recursive: true })
  const file = (name: string) => path.join(dir.path, name)
  const write = (name: string, text: string) => {
    fs.mkdirSync(path.dirname(file(name)), { recursive: true })
    fs.writeFileSync(file(name), text)
  }
  const read = (name: string) => fs.readFileSync(file(name), 'utf8')
  const append = (name: string, text: string) => fs.appendFileSync(file(name), text)
  return Object.assign(dir, { write, read, append })
}

/** The smallest project with nothing wrong in it. */
function createSoundProject() {
  const project = projectIn(null)
  const markers = ['settings', 'errors', 'figures'].map((name) => `<!-- ${name} -->\n<!-- /${name} -->\n`)
  project.write('README.md', `# Title\n\n${markers.join('\n')}`)
  for (const name of ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'config/README.md'])
    project.write(name, `# ${name}\n`)
  project.write('LICENSE', 'MIT License\n')
  project.write('scripts/setup', '') // the settings speak of it
  project.write('package.json', JSON.stringify({ license: 'MIT' }))
  run(project.path, 'write-settings-docs.ts')
  check(project.path, '--write')
  return project
}

let sound: ReturnType<typeof createSoundProject>

beforeAll(() => {
  sound = createSoundProject()
})

afterAll(() => sound[Symbol.asyncDispose]())

const project = () => projectIn(sound.path)

test('the documents of this project say what is so', () => {
  expect(check(ROOT)).toEqual({ status: 0, problems: [] })
})

test('the table names every error code, once, and nothing else is touched', async () => {
  await using docs = project()
  expect(check(docs.path)).toEqual({ status: 0, problems: [] })
  const readme = docs.read('README.md')
  for (const code of TASK_ERROR_CODES) expect(readme.split(`| \`${code}\` |`)).toHaveLength(2)
  docs.write('README.md', readme.replace('| `drm` |', '| `DRM` |'))
  expect(check(docs.path).problems).toEqual([expect.stringContaining('error codes are not up to date')])
  check(docs.path, '--write')
  expect(docs.read('README.md')).toBe(readme)
})

test.each([
  ['a path that is gone', 'See `src/gone.ts`.', 'README.md: there is no src/gone.ts'],
  ['a pattern that fits nothing', 'See `test/*.gone.ts`.', 'README.md: there is no test/*.gone.ts'],
  ['a script in a command', '```bash\nscripts/gone now\n```', 'README.md: there is no scripts/gone'],
  ['a file of the root', 'See `Dockerfile`.', 'README.md: there is no Dockerfile'],
  ['a link', '[there](gone.md)', 'README.md: the link to gone.md leads nowhere'],
  ['a heading', '[there](SECURITY.md#gone)', 'README.md: SECURITY.md has no heading #gone'],
  ['a heading of its own', '[there](#gone)', 'README.md: README.md has no heading #gone'],
])('what is not there is named: %s', async (_what, text, problem) => {
  await using docs = project()
  docs.append('README.md', `\n${text}\n`)
  expect(check(docs.path)).toEqual({ status: 1, problems: [problem] })
})

test('what is there, what is elsewhere and what is only there at run time is no problem', async () => {
  await using docs = project()
  docs.append('SECURITY.md', '\n## Who may: `x` & y?\n')
  docs.append(
    'README.md',
    '\n[a](SECURITY.md#who-may-x--y) [b](https://example.org/#c) [c](#title) `config/README.md` `/app/config/x` `jsons/x`\n',
  )
  expect(check(docs.path)).toEqual({ status: 0, problems: [] })
})

test('a test that is named has to be there, under its title', async () => {
  await using docs = project()
  docs.write('test/a.test.ts', "test('it works as before', () => {})\n")
  docs.append('ARCHITECTURE.md', '`test/a.test.ts` “it works”\n`test/a.test.ts` “it never fails”\n')
  expect(check(docs.path).problems).toEqual(['ARCHITECTURE.md: test/a.test.ts has no test called “it never fails”'])
})

test('a missing document, marker or license, a stale table of settings and a long architecture are named', async () => {
  await using docs = project()
  fs.rmSync(path.join(docs.path, 'CHANGELOG.md'))
  docs.append('config/ytdlpd.example.env', '#OLD=1\n')
  docs.write('ARCHITECTURE.md', '# A\n'.repeat(121))
  docs.write('LICENSE', 'All rights reserved\n')
  docs.write('package.json', '{}')
  expect(check(docs.path).problems).toEqual([
    'CHANGELOG.md is missing',
    'settings: not up to date: config/ytdlpd.example.env; run npm run docs',
    'ARCHITECTURE.md: 121 lines, at most 120',
    'package.json: the license must be MIT',
    'LICENSE: must be the MIT License',
  ])
  docs.write('README.md', '# Title\n<!-- /figures -->\n<!-- figures -->\n')
  expect(check(docs.path).problems.filter((line) => line.startsWith('README.md'))).toEqual(
    ['settings', 'errors', 'figures'].map((name) => expect.stringContaining(`<!-- ${name} -->`) as string),
  )
})
