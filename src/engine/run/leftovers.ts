import { readdir, readFile, stat } from 'node:fs/promises'

/** How often marked processes are looked for again after a kill: one may have started another meanwhile. */
const MAX_ROUNDS = 10

/**
 * Kills what an earlier, killed daemon of this installation left running. Returns how many processes that were.
 *
 * @NOTE to be called before the first runner is created: it cannot tell an earlier daemon's runs from this one's.
 */
export async function reapLeftovers(instance: string): Promise<number> {
  return killMarked([`YTDLPD_INSTANCE=${instance}`])
}

/** SIGKILL to every process of ours whose environment has all of `marks`, until there is none; returns how many. */
export async function killMarked(marks: readonly string[]): Promise<number> {
  const killed = new Set<string>()
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const found = await findMarked(marks)
    const fresh = found.filter(({ pid, startTime }) => !killed.has(`${pid}/${startTime}`))
    if (fresh.length === 0) break
    for (const candidate of fresh) {
      if (await killUnlessReplaced(candidate)) killed.add(`${candidate.pid}/${candidate.startTime}`)
    }
  }
  return killed.size
}

type Marked = Readonly<{ pid: number; startTime: string }>

async function findMarked(marks: readonly string[]): Promise<Marked[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
  const found = await Promise.all(names.map((name) => readMarked(Number(name), marks)))
  return found.filter((one) => one !== null)
}

async function readMarked(pid: number, marks: readonly string[]): Promise<Marked | null> {
  try {
    const { uid } = await stat(`/proc/${pid}`)
    if (uid !== process.getuid?.()) return null
    const startTime = await readStartTime(pid)
    const entries = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0')
    return startTime !== null && marks.every((mark) => entries.includes(mark)) ? { pid, startTime } : null
  } catch {
    return null // it ended while we looked, or is not ours to read
  }
}

/** The time of start in clock ticks, which tells a process from a later one with its pid; null for a zombie. */
async function readStartTime(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? null : (fields[19] ?? null)
}

async function killUnlessReplaced({ pid, startTime }: Marked): Promise<boolean> {
  try {
    if ((await readStartTime(pid)) !== startTime) return false
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    return false // it ended by itself
  }
}
