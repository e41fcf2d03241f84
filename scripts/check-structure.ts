/** Checks what no compiler does: direction of imports, cycles, sizes, who may name an adapter or start a process. */
import fs from 'node:fs'
import path from 'node:path'
import process from 'node:process'

/** Lower may not import higher; folders on one line may import each other's types only. */
const LAYERS: readonly (readonly string[])[] = [
  ['client'],
  ['domain', 'version.ts', 'thread.ts'],
  ['config'],
  ['logger.ts', 'engine', 'db', 'files'],
  ['keys'],
  ['tasks'],
  ['http'],
  ['compose'],
  ['context.ts', 'doctor'],
  ['daemon.ts'],
  ['main.ts'],
  ['cli'],
]
const MAX_LINES = 300

/** Folders of `http` that are no face: what faces share. */
const SHARED = ['files', 'media-proxy']

const IMPORT = /^(?:import|export)( type)?(?:\s[^'"]*?)?\s?from '([^']+)'/gm

/** Packages that only these files or folders may import. */
const ADAPTERS: Readonly<Record<string, RegExp>> = {
  'better-sqlite3': /^db\//,
  execa: /^engine\/(run\/|find-)/,
  undici: /^engine\/egress\//,
  express: /^http\//,
}

type Import = Readonly<{ to: string; isType: boolean }>

const problems: string[] = []
const graph = new Map<string, readonly string[]>()

for (const file of sourceFiles()) {
  const text = fs.readFileSync(path.join('src', file), 'utf8')
  checkSize(file, text)
  const imports = importsOf(text)
  for (const { to } of imports.filter(({ to }) => !to.startsWith('.'))) checkPackage(file, to)
  const local = imports
    .filter(({ to }) => to.startsWith('.') && to.endsWith('.ts'))
    .map((found) => resolve(file, found))
  for (const found of local) checkDirection(file, found)
  graph.set(
    file,
    local.filter(({ isType }) => !isType).map(({ to }) => to),
  )
}
checkCycles()

for (const problem of problems) console.error(problem)
console.log(`${graph.size} files, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1

function sourceFiles(): string[] {
  return fs.readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
}

function importsOf(text: string): Import[] {
  return [...text.matchAll(IMPORT)].map(([, type, to]) => ({ to: to ?? '', isType: type !== undefined }))
}

function resolve(from: string, { to, isType }: Import): Import {
  return { to: path.normalize(path.join(path.dirname(from), to)), isType }
}

function checkSize(file: string, text: string): void {
  const lines = text.split('\n').length - 1
  if (lines > MAX_LINES && !file.endsWith('.d.ts')) problems.push(`${file}: ${lines} lines, at most ${MAX_LINES}`)
}

function checkPackage(file: string, name: string): void {
  const allowed = ADAPTERS[name]
  if (allowed && !allowed.test(file)) problems.push(`${file}: may not import ${name}`)
}

function top(file: string): string {
  return file.split(path.sep)[0] ?? ''
}

function rank(file: string): number {
  return LAYERS.findIndex((layer) => layer.includes(top(file)))
}

function checkDirection(file: string, { to, isType }: Import): void {
  if (rank(file) < 0) problems.push(`${file}: in no layer`)
  if (top(file) === top(to)) return checkFaces(file, to)
  if (rank(to) > rank(file) || (rank(to) === rank(file) && !isType)) problems.push(`${file} -> ${to}: wrong direction`)
}

/** A face, a folder of `http`, never imports another. */
function checkFaces(file: string, to: string): void {
  const [, from, ...deeper] = file.split(path.sep)
  const [, target, ...targetDeeper] = to.split(path.sep)
  if (top(file) !== 'http' || deeper.length === 0 || targetDeeper.length === 0) return
  if (from !== target && !SHARED.includes(target ?? '')) {
    problems.push(`${file} -> ${to}: a face may not import another`)
  }
}

function checkCycles(): void {
  const done = new Set<string>()
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) problems.push(`cycle: ${[...trail.slice(trail.indexOf(file)), file].join(' -> ')}`)
    else if (!done.has(file)) {
      for (const to of graph.get(file) ?? []) visit(to, [...trail, file])
      done.add(file)
    }
  }
  for (const file of graph.keys()) visit(file, [])
}
