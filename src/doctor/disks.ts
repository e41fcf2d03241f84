import { stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config/index.ts'
import { ok, problem, warning, type Finding } from './finding.ts'

/** Magic numbers of `statfs(2)` for file systems on other machines. */
const NETWORK: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x517b, 'SMB'],
  [0x00c36400, 'Ceph'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x65735546, 'FUSE'],
])

/** Where warnings begin, in times of what tasks wait for. */
const TIGHT = 4

/** Whether there is room, and of the right kind. */
export async function checkDisks({ dirs, tasks }: Config): Promise<Finding[]> {
  const findings = await Promise.all([
    checkSpace('downloads', dirs.downloads, tasks.minFreeBytes),
    checkSpace('state', dirs.state, tasks.minFreeBytes / TIGHT),
    checkKind(dirs.state),
    checkOneDevice(dirs.downloads),
  ])
  return findings.flat()
}

/** The folder itself, or the nearest above it that is there. */
async function existing(dir: string): Promise<string> {
  const isThere = await stat(dir).then(
    () => true,
    () => false, // then one above it is
  )
  return isThere || dir === path.dirname(dir) ? dir : existing(path.dirname(dir))
}

const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`

async function checkSpace(name: string, dir: string, minFree: number): Promise<Finding[]> {
  const { bavail, bsize, files, ffree } = await statfs(await existing(dir))
  const free = bavail * bsize
  const text = `${gigabytes(free)} free for ${name} in ${dir}`
  const mend = 'Remove files, or let tasks go sooner (TASK_CLEANUP_TIME)'
  if (files > 0 && ffree === 0) return [problem('disk', `no inode is left for ${name} in ${dir}`, mend)]
  if (free < minFree) return [problem('disk', `${text}; tasks wait below ${gigabytes(minFree)} (MIN_FREE_BYTES)`, mend)]
  if (free < minFree * TIGHT) return [warning('disk', `${text}, which is little`, mend)]
  return [ok('disk', text)]
}

/** SQLite's write-ahead log needs memory that all who use the file share. */
async function checkKind(stateDir: string): Promise<Finding[]> {
  const { type } = await statfs(await existing(stateDir))
  const kind = NETWORK.get(type)
  if (kind === undefined) return []
  const text = `STATE_DIR is on a network file system (${kind}); the database can be damaged there`
  return [warning('disk', text, 'Set STATE_DIR to a folder on a disk of this machine; DOWNLOAD_DIR may stay')]
}

/** A finished file is renamed out of `.work`, which works within one file system only. */
async function checkOneDevice(downloads: string): Promise<Finding[]> {
  const [outer, inner] = await Promise.all(
    [downloads, path.join(downloads, '.work')].map((dir) => stat(dir).catch(() => null)),
  )
  if (!outer || !inner || outer.dev === inner.dev) return []
  return [problem('disk', `${downloads}/.work is on another file system than ${downloads}`, 'Mount them as one')]
}
