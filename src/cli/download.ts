import fs from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parse as parseDisposition } from 'content-disposition'
import type { Api } from './api.ts'
import { CliError, wrongUsage } from './failure.ts'

/** Tries without a new byte after which it is given up. */
const MAX_TRIES = 60
const TRY_AGAIN_MS = 1_000

/** How long nothing may come before the connection counts as broken. */
const SILENCE_MS = 30_000

/** What is fetched: `size` in bytes. */
export type Remote = Readonly<{ url: string; size: number }>

/** Where files go: the name of one, or a folder for all. */
export type Target = Readonly<{ dir: string; name: string | null }>

/** A folder that there is, or the name of a file in one; the current folder when nothing was said. */
export function targetOf(output: string | undefined): Target {
  if (output === undefined) return { dir: '.', name: null }
  if (fs.statSync(output, { throwIfNoEntry: false })?.isDirectory()) return { dir: output, name: null }
  const dir = path.dirname(output)
  if (output.endsWith(path.sep) || !fs.statSync(dir, { throwIfNoEntry: false })?.isDirectory())
    throw wrongUsage(`there is no folder ${output.endsWith(path.sep) ? output : dir}`)
  return { dir, name: path.basename(output) }
}

/**
 * Fetches a file and returns where it is. A connection that breaks is taken up where it broke; what is there is unfinished
 * until it has its name. A name that was not asked for never replaces a file.
 */
export async function download(
  api: Api,
  remote: Remote,
  target: Target,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const part = path.join(target.dir, `.ytdlpd-${process.pid}-${Date.now()}.part`)
  try {
    const offered = await fetchAll(api, remote, part, onBytes)
    const file = target.name === null ? freeName(target.dir, offered) : path.join(target.dir, target.name)
    fs.renameSync(part, file)
    return file
  } finally {
    fs.rmSync(part, { force: true })
  }
}

/** What is known of a file that is being fetched. */
type Fetching = { have: number; tag: string | null; name: string }

/** Returns the name that the daemon offers. */
async function fetchAll(
  api: Api,
  { url, size }: Remote,
  part: string,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const fetching: Fetching = { have: 0, tag: null, name: path.posix.basename(url) }
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const before = fetching.have
    try {
      await fetchRest(api, url, fetching, { part, onBytes })
    } catch (error) {
      if (error instanceof CliError && !(error.cause instanceof TypeError)) throw error
      if (isOfDisk(error)) throw new CliError(`${part} cannot be written: ${error.message}`, { cause: error })
    }
    fetching.have = fs.statSync(part, { throwIfNoEntry: false })?.size ?? 0
    if (fetching.have >= size) return fetching.name
    if (fetching.have > before) tries = 0
    await api.rest(TRY_AGAIN_MS)
  }
  throw new CliError(`The file could not be fetched: the connection broke ${MAX_TRIES} times without a new byte`)
}

/** Goes on where it is, or begins anew where the daemon has it otherwise. */
async function fetchRest(
  api: Api,
  url: string,
  fetching: Fetching,
  { part, onBytes }: Readonly<{ part: string; onBytes: (bytes: number) => void }>,
): Promise<void> {
  const { have, tag } = fetching
  const resumed = have > 0 && tag !== null ? { Range: `bytes=${have}-`, 'If-Range': tag } : {}
  const response = await api.fetch(url, { headers: resumed })
  if (!response.ok || response.body === null) throw refusalOf(response)
  fetching.name = nameIn(response) ?? fetching.name
  fetching.tag = response.headers.get('etag')
  fetching.have = response.status === 206 ? have : 0
  await pipeline(
    Readable.fromWeb(response.body),
    counting((bytes) => onBytes((fetching.have += bytes))),
    fs.createWriteStream(part, { flags: fetching.have > 0 ? 'a' : 'w', mode: 0o644 }),
  )
}

/** Passes on what comes; throws when nothing does. */
function counting(onBytes: (bytes: number) => void) {
  return async function* count(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const iterator = chunks[Symbol.asyncIterator]()
    for (;;) {
      const { promise: silence, reject } = Promise.withResolvers<never>()
      const timer = setTimeout(() => reject(new Error('nothing comes any more')), SILENCE_MS)
      try {
        const next = await Promise.race([iterator.next(), silence])
        if (next.done === true) return
        onBytes(next.value.length)
        yield next.value
      } finally {
        clearTimeout(timer)
      }
    }
  }
}

function refusalOf(response: Response): CliError {
  // What a proxy or a daemon that is just starting says passes.
  const passes = response.status >= 500 || response.status === 429
  return new CliError(`The file cannot be fetched: status ${response.status}`, {
    ...(passes ? { cause: new TypeError('for a while') } : {}),
  })
}

const isOfDisk = (error: unknown): error is Error =>
  error instanceof Error &&
  'code' in error &&
  /^(ENOSPC|EDQUOT|EACCES|EPERM|EROFS|EFBIG|EIO|ENOENT)$/.test(String(error.code))

/** The name that is offered, as a plain name of a file; null when there is none. */
function nameIn(response: Response): string | null {
  const header = response.headers.get('content-disposition')
  if (header === null) return null
  const offered = parseDisposition(header).parameters['filename'] ?? ''
  // eslint-disable-next-line no-control-regex -- what no file should be named with
  const name = path.posix.basename(offered.replaceAll('\\', '/')).replace(/[\u0000-\u001f\u007f]/g, '')
  return name === '' || name === '.' || name === '..' ? null : name
}

/** The name, with a number where there is such a file. */
function freeName(dir: string, name: string): string {
  const { name: base, ext } = path.parse(name)
  for (let n = 0; ; n++) {
    const file = path.join(dir, n === 0 ? name : `${base} (${n})${ext}`)
    if (!fs.existsSync(file)) return file
  }
}
