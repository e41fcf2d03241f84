import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { SETTINGS } from '../../src/config/settings.ts'
import { tempDir, type TempDir } from '../support/temp-dir.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const SCRIPT = path.join(ROOT, 'scripts/write-settings-docs.ts')

function write(cwd: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], { cwd, encoding: 'utf8' })
  return { status, stdout, stderr }
}

function projectWith(readme: string): TempDir & { read: (name: string) => string } {
  const dir = tempDir()
  fs.mkdirSync(path.join(dir.path, 'config'))
  fs.writeFileSync(path.join(dir.path, 'README.md'), readme)
  return Object.assign(dir, { read: (name: string) => fs.readFileSync(path.join(dir.path, name), 'utf8') })
}

const README = '# Title\n\n<!-- settings -->\nold\n<!-- /settings -->\n\nThe end.\n'

test('every setting is described, with its default, and nothing else is touched', async () => {
  await using project = projectWith(README)
  expect(write(project.path)).toMatchObject({ status: 0, stderr: '' })
  const readme = project.read('README.md')
  const example = project.read('config/ytdlpd.example.env')
  expect(readme).toMatch(/^# Title\n\n<!-- settings -->\n\n\| Variable [^]*\|\n\n<!-- \/settings -->\n\nThe end\.\n$/)
  expect(readme).toContain('| `PORT` | `5000` | ')
  expect(readme).toContain('| `MAX_FILE_BYTES` | `50G` | ')
  expect(readme).toContain('| `MAX_BYTES_PER_KEY_PER_DAY` | `0` | ')
  expect(readme).toContain('| `ADMIN_API_KEY` |  | ')
  for (const name of Object.keys(SETTINGS)) {
    expect(readme.split(`| \`${name}\` |`)).toHaveLength(2)
    expect(example.split(`\n#${name}=`)).toHaveLength(2)
  }
  expect(example).toContain('\n#MIN_FREE_BYTES=512M\n')
  expect(example.split('\n').every((line) => line === '' || line.startsWith('#'))).toBe(true)
})

test('a second time there is nothing to write, and the check agrees until something drifts', async () => {
  await using project = projectWith(README)
  expect(write(project.path, '--check')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('README.md') as string,
  })
  expect(project.read('README.md')).toBe(README)
  write(project.path)
  expect(write(project.path)).toMatchObject({ status: 0, stdout: 'nothing to write\n' })
  expect(write(project.path, '--check').status).toBe(0)
  fs.appendFileSync(path.join(project.path, 'config/ytdlpd.example.env'), '#OLD=1\n')
  expect(write(project.path, '--check')).toMatchObject({
    status: 1,
    stderr: 'not up to date: config/ytdlpd.example.env; run npm run docs\n',
  })
})

test.each(['# Title\n', '<!-- /settings --> <!-- settings -->', `${README}${README}`])(
  'without a place of its own in the README nothing is written: %j',
  async (readme) => {
    await using project = projectWith(readme)
    expect(write(project.path)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('<!-- settings -->') as string,
    })
    expect(project.read('README.md')).toBe(readme)
    expect(fs.readdirSync(path.join(project.path, 'config'))).toEqual([])
  },
)

test('the documents of this project say what the settings are', () => {
  expect(write(ROOT, '--check')).toMatchObject({ status: 0, stderr: '' })
})
