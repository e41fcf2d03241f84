import { constants } from 'node:fs'
import { access, mkdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import type { Config } from '../config/index.ts'
import { ok, problem, warning, type Finding } from './finding.ts'

/** Rights of others on the state folder, which holds keys and cookies. */
const OF_OTHERS = 0o077

/** Whether the daemon's folders are there and may be used by the user that asks. */
export async function checkFolders({ dirs }: Config): Promise<Finding[]> {
  const findings = await Promise.all([
    checkFolder('STATE_DIR', dirs.state, 'write'),
    checkFolder('DOWNLOAD_DIR', dirs.downloads, 'write'),
    checkFolder('CONFIG_DIR', dirs.config, 'read'),
    checkPrivate(dirs.state),
  ])
  return findings.flat()
}

const quoted = (file: string) => (/^[\w./:@%+=-]+$/.test(file) ? file : `'${file.replaceAll("'", `'\\''`)}'`)

const owner = () => `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`

async function checkFolder(name: string, dir: string, wanted: 'read' | 'write'): Promise<Finding[]> {
  const found = await stat(dir).catch((error: NodeJS.ErrnoException) => error)
  if ('isDirectory' in found) {
    if (found.isDirectory()) return checkRights(name, dir, wanted)
    return [problem(name, `${dir} is no folder`, `Move it away, or set ${name} to another`)]
  }
  if (found.code !== 'ENOENT') return [problem(name, `${dir}: ${found.message}`, giveTo(dir))]
  if (wanted === 'read') return [ok(name, `${dir} is not there, and need not be`)]
  if (await canBeMade(dir)) return [ok(name, `${dir} is not there yet; the daemon makes it`)]
  const [user, group] = owner().split(':')
  const mend = `sudo install -d -o ${user} -g ${group} ${quoted(dir)}`
  return [problem(name, `${dir} is not there and cannot be made`, mend)]
}

async function checkRights(name: string, dir: string, wanted: 'read' | 'write'): Promise<Finding[]> {
  const rights = constants.R_OK | constants.X_OK | (wanted === 'write' ? constants.W_OK : 0)
  const isAllowed = await access(dir, rights).then(
    () => true,
    () => false, // what may not be done is what was asked
  )
  if (!isAllowed) return [problem(name, `${dir}: user ${owner()} may not ${wanted} there`, giveTo(dir))]
  if (wanted === 'read') return [ok(name, `${dir} can be read`)]
  if (await takesFile(dir)) return [ok(name, `${dir} can be written to`)]
  return [problem(name, `${dir}: nothing can be written there`, 'Is it mounted read-only, or full?')]
}

const giveTo = (dir: string) =>
  `If the daemon runs as this user: sudo chown -R ${owner()} ${quoted(dir)} && chmod u+rwX ${quoted(dir)}`

/** Whether the nearest folder above that is there takes new ones. */
async function canBeMade(dir: string): Promise<boolean> {
  const above = path.dirname(dir)
  return access(above, constants.W_OK | constants.X_OK).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT' && above !== dir && canBeMade(above),
  )
}

/** Rights can be there and a read-only mount below them. */
async function takesFile(dir: string): Promise<boolean> {
  const probe = path.join(dir, `.doctor-${process.pid}`)
  try {
    await mkdir(probe)
    await rm(probe, { recursive: true })
    return true
  } catch {
    return false // what was asked
  }
}

async function checkPrivate(dir: string): Promise<Finding[]> {
  const found = await stat(dir).catch(() => null) // told above
  if (found === null || (found.mode & OF_OTHERS) === 0) return []
  return [
    warning('STATE_DIR', `${dir} is open to other users; keys and cookies are kept there`, `chmod 700 ${quoted(dir)}`),
  ]
}
