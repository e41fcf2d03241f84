import { readFile, readdir } from 'node:fs/promises'

/** Of `/proc/PID/stat`: always 100 on Linux, whatever the kernel's own clock. */
const TICKS_PER_SECOND = 100

type Stat = Readonly<{ pid: number; parent: number; state: string; cpuSeconds: number }>

/** A process, or null when it is gone. Its seconds include those of all descendants that were waited for. */
async function statOf(pid: number): Promise<Stat | null> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null) // it ended meanwhile
  if (line === null) return null
  // The name is in parentheses and may hold anything, spaces too.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { pid, parent: Number(fields[1]), state: fields[0] ?? '', cpuSeconds: ticks / TICKS_PER_SECOND }
}

/** A process and all its descendants that run now. */
export async function treeOf(root: number): Promise<readonly Stat[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0)
  const all = (await Promise.all(pids.map(statOf))).filter((stat) => stat !== null)
  const tree = all.filter(({ pid }) => pid === root)
  for (const member of tree) tree.push(...all.filter(({ parent }) => parent === member.pid))
  return tree
}

/** Seconds of processor time that a tree has used, what its ended members used included. */
export async function cpuSecondsOf(root: number): Promise<number> {
  return (await treeOf(root)).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)
}

/** Seconds of processor time of children of this very process that have ended. */
export async function cpuSecondsOfEnded(): Promise<number> {
  const line = await readFile('/proc/self/stat', 'utf8')
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND
}

/** Bytes of a process that are in memory. */
export async function residentBytes(pid: number): Promise<number> {
  return kibibytes(await readFile(`/proc/${pid}/status`, 'utf8'), 'VmRSS')
}

/** Bytes of a tree that are in memory; what several processes share is divided among them. */
export async function proportionalBytes(root: number): Promise<number> {
  const rollups = (await treeOf(root)).map(({ pid }) => readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => ''))
  return (await Promise.all(rollups)).reduce((sum, rollup) => sum + kibibytes(rollup, 'Pss'), 0)
}

function kibibytes(text: string, name: string): number {
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0)
}
