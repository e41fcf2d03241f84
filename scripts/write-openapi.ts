/**
 * Writes docs/openapi.json, the description of the API, and src/client/schema.d.ts, its types.
 * With `--check` it writes nothing and fails when either of them says something else; that needs no network.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import process from 'node:process'
import { format, resolveConfig } from 'prettier'
import { describeApi } from '../src/http/description.ts'

const DOCUMENT = 'docs/openapi.json'
const TYPES = 'src/client/schema.d.ts'

/** openapi-typescript asks for a compiler older than ours, so it is not among our packages. */
const GENERATOR = ['--yes', '--package=openapi-typescript@7.13.0', '--package=typescript@5.9.3', '--']

/** Says of which document the types are. */
const markOf = (document: string) => `// Made by npm run docs from docs/openapi.json ${digestOf(document)}`
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16)

async function documentText(): Promise<string> {
  return formatted(JSON.stringify(describeApi()), DOCUMENT)
}

async function formatted(text: string, filepath: string): Promise<string> {
  return format(text, { ...(await resolveConfig(filepath)), filepath })
}

const read = (file: string) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '')

function check(document: string): string[] {
  return [
    ...(read(DOCUMENT) === document ? [] : [DOCUMENT]),
    ...(read(TYPES).startsWith(`${markOf(document)}\n`) ? [] : [TYPES]),
  ]
}

async function write(document: string): Promise<void> {
  fs.mkdirSync('docs', { recursive: true })
  fs.writeFileSync(DOCUMENT, document)
  execFileSync('npm', ['exec', ...GENERATOR, 'openapi-typescript', DOCUMENT, '-o', TYPES], { stdio: 'inherit' })
  fs.writeFileSync(TYPES, await formatted(`${markOf(document)}\n\n${read(TYPES)}`, TYPES))
}

const document = await documentText()
const stale = check(document)
if (stale.length === 0) {
  console.log('the description of the API is up to date')
} else if (process.argv.includes('--check')) {
  console.error(`not up to date: ${stale.join(', ')}; run npm run docs`)
  process.exitCode = 1
} else {
  await write(document)
  console.log(`written: ${stale.join(', ')}`)
}
