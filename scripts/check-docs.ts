/**
 * Checks that the documents say what is so: paths, links and test titles exist, tables are those of the sources.
 * With `--write` the table of error codes in README.md is brought up to date first.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { TASK_ERROR_CODES, type TaskErrorCode } from '../src/domain/errors.ts'
import { ERROR_TEXTS, RETRY_RULES } from '../src/domain/retry.ts'

const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'config/README.md',
  ...fs.globSync('docs/*.md'),
]
const MARKERS = ['settings', 'errors', 'figures']
const MAX_ARCHITECTURE_LINES = 120

/** A path of this repository, in running text or in code; what is only there at run time is in none of these folders. */
const PATH = /(?<![\w/.<-])(?:src|test|scripts|config|\.ci)\/[\w./*-]*[\w*]/g
const ROOT_FILE = /`([A-Z]+\.md|LICENSE|Dockerfile|docker-compose\.yml|package\.json|tsconfig\.json)`/g
const LINK = /\]\(([^)\s]+)\)/g
/** A test file and the title of the test that is meant. */
const TEST_TITLE = /`(test\/[\w./-]+\.test\.ts)` “([^”]+)”/g

const problems: string[] = []

if (process.argv.includes('--write')) writeErrors()
for (const file of DOCUMENTS) {
  const text = read(file)
  if (text === null) problems.push(`${file} is missing`)
  else checkDocument(file, text)
}
checkReadme(read('README.md') ?? '')
checkLength(read('ARCHITECTURE.md') ?? '')
checkLicense()

for (const problem of problems) console.error(problem)
console.log(`${DOCUMENTS.length} documents, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1

function read(file: string): string | null {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null
}

function checkDocument(file: string, text: string): void {
  const paths = [...text.matchAll(PATH)].map(([found]) => found)
  const names = [...text.matchAll(ROOT_FILE)].map(([, name = '']) => name)
  for (const found of new Set([...paths, ...names])) {
    if (fs.globSync(found).length === 0) problems.push(`${file}: there is no ${found}`)
  }
  for (const [, target = ''] of text.matchAll(LINK)) checkLink(file, target)
  for (const [, test = '', title = ''] of text.matchAll(TEST_TITLE)) {
    if (read(test)?.includes(title) !== true) problems.push(`${file}: ${test} has no test called “${title}”`)
  }
}

function checkLink(file: string, target: string): void {
  if (/^[a-z]+:/.test(target)) return
  const [place = '', anchor] = target.split('#', 2)
  const linked = place === '' ? file : path.join(path.dirname(file), place)
  if (!fs.existsSync(linked)) problems.push(`${file}: the link to ${target} leads nowhere`)
  else if (anchor !== undefined && !anchorsOf(read(linked) ?? '').includes(anchor))
    problems.push(`${file}: ${linked} has no heading #${anchor}`)
}

/** As web viewers of Markdown make them: lower case, spaces to dashes, other marks left out. */
function anchorsOf(text: string): string[] {
  const outsideCode = text.replaceAll(/^```.*?^```/gms, '')
  return [...outsideCode.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function checkReadme(readme: string): void {
  const faulty = MARKERS.filter((name) => parts(readme, name) === null)
  for (const name of faulty)
    problems.push(`README.md: <!-- ${name} --> and <!-- /${name} --> must stand there once each`)
  if (faulty.length > 0) return
  if (withErrors(readme) !== readme)
    problems.push('README.md: the error codes are not up to date; run node scripts/check-docs.ts --write')
  const settings = spawnSync(process.execPath, [path.join(import.meta.dirname, 'write-settings-docs.ts'), '--check'], {
    encoding: 'utf8',
  })
  if (settings.status !== 0) problems.push(`settings: ${settings.stderr.trim()}`)
}

/** What stands before, between and after the two markers; null unless each is there once, in this order. */
function parts(text: string, name: string): readonly [before: string, between: string, after: string] | null {
  const [before, rest, ...more] = text.split(`<!-- ${name} -->`)
  const [between, after, ...again] = rest?.split(`<!-- /${name} -->`) ?? []
  if (before === undefined || between === undefined || after === undefined) return null
  return more.length + again.length > 0 || before.includes(`<!-- /${name} -->`) ? null : [before, between, after]
}

function withErrors(readme: string): string {
  const around = parts(readme, 'errors')
  return around === null ? readme : `${around[0]}<!-- errors -->\n\n${errorTable()}\n\n<!-- /errors -->${around[2]}`
}

function writeErrors(): void {
  const readme = read('README.md')
  if (readme !== null) fs.writeFileSync('README.md', withErrors(readme))
}

function errorTable(): string {
  const rows = TASK_ERROR_CODES.map((code) => {
    const { message, hint } = ERROR_TEXTS[code]
    return `| \`${code}\` | ${message} | ${hint} | ${retries(code)} |`
  })
  return ['| Code | What happened | What to do | Tried again |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function retries(code: TaskErrorCode): string {
  const { retry } = RETRY_RULES[code]
  if (retry === 'no') return 'no'
  const often = retry.retries === Infinity ? 'until it works' : retry.retries === 1 ? 'once' : `${retry.retries} times`
  if (retry.only === undefined) return often
  return `${often}, ${retry.only === 'http_404' ? 'after a 404' : 'if media was found'}`
}

function checkLength(architecture: string): void {
  const lines = architecture.split('\n').length - 1
  if (lines > MAX_ARCHITECTURE_LINES)
    problems.push(`ARCHITECTURE.md: ${lines} lines, at most ${MAX_ARCHITECTURE_LINES}`)
}

function checkLicense(): void {
  const { license } = JSON.parse(read('package.json') ?? '{}') as { license?: string }
  if (license !== 'MIT') problems.push('package.json: the license must be MIT')
  if (read('LICENSE')?.startsWith('MIT License\n') !== true) problems.push('LICENSE: must be the MIT License')
}
