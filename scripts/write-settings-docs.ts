/**
 * Writes what src/config/settings.ts says into the table of README.md and into config/ytdlpd.example.env.
 * With `--check` it writes nothing and fails when either of them says something else.
 */
import fs from 'node:fs'
import process from 'node:process'
import type { z } from 'zod'
import { SETTINGS } from '../src/config/settings.ts'

const README = 'README.md'
const EXAMPLE = 'config/ytdlpd.example.env'
const BEGIN = '<!-- settings -->'
const END = '<!-- /settings -->'
const UNITS = ['', 'K', 'M', 'G', 'T']

type Setting = Readonly<{ name: string; fallback: string; meaning: string }>

function settings(): Setting[] {
  return Object.entries(SETTINGS).map(([name, schema]: [string, z.ZodType]) => ({
    name,
    fallback: shown(name, schema.parse(undefined)),
    meaning: schema.description ?? '',
  }))
}

/** A default as one would write it: sizes with their unit. */
function shown(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.join(',')
  if (typeof value !== 'number' || !name.includes('BYTES') || value === 0) return JSON.stringify(value)
  const power = UNITS.findLastIndex((_, index) => value % 2 ** (10 * index) === 0)
  return `${value / 2 ** (10 * power)}${UNITS[power]}`
}

function table(all: readonly Setting[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  const rows = all.map(({ name, fallback, meaning }) => {
    const quoted = fallback === '' ? '' : `\`${cell(fallback)}\``
    return `| \`${name}\` | ${quoted} | ${cell(meaning)} |`
  })
  return ['| Variable | Default | Meaning |', '| --- | --- | --- |', ...rows].join('\n')
}

function example(all: readonly Setting[]): string {
  const entries = all.map(({ name, fallback, meaning }) => `# ${meaning}\n#${name}=${fallback}\n`)
  return ['# Every setting with its default. Take the # away to set one.\n', ...entries].join('\n')
}

/** The README with the table between its markers. */
function readmeWith(text: string, content: string): string {
  const [before, rest, ...more] = text.split(BEGIN)
  const after = rest?.split(END)
  if (before === undefined || after?.length !== 2 || more.length > 0) {
    throw new Error(`${README} must have the lines ${BEGIN} and ${END} once each, in this order`)
  }
  return `${before}${BEGIN}\n\n${content}\n\n${END}${after[1]}`
}

function read(file: string): string | null {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null
}

function main(isCheck: boolean): string[] {
  const readme = read(README)
  if (readme === null) throw new Error(`${README} is missing`)
  const all = settings()
  const wanted = [
    [README, readmeWith(readme, table(all))],
    [EXAMPLE, example(all)],
  ] as const
  const stale = wanted.filter(([file, text]) => read(file) !== text)
  if (!isCheck) for (const [file, text] of stale) fs.writeFileSync(file, text)
  return stale.map(([file]) => file)
}

try {
  const isCheck = process.argv.includes('--check')
  const stale = main(isCheck)
  if (isCheck && stale.length > 0) throw new Error(`not up to date: ${stale.join(', ')}; run npm run docs`)
  console.log(stale.length === 0 ? 'nothing to write' : `written: ${stale.join(', ')}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
