import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import type { TestDaemon } from './daemon.ts'

export type Seen = Readonly<{ pid: number; command: string; label: string }>

/** What the environment of every process of a daemon says, and of no other's. */
export function markOf(daemon: TestDaemon): string {
  return `YTDLPD_INSTANCE=${createHash('sha256').update(path.resolve(daemon.state)).digest('hex').slice(0, 16)}`
}

/** Processes that a daemon has started, however far down, and that are alive. */
export async function processesOf(daemon: TestDaemon): Promise<Seen[]> {
  const mark = markOf(daemon)
  const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const seen = await Promise.all(pids.map((pid) => see(pid, { mark, dir: daemon.dir })))
  return seen.filter((one) => one !== null).filter(({ pid }) => pid !== daemon.pid)
}

async function see(pid: number, { mark, dir }: Readonly<{ mark: string; dir: string }>): Promise<Seen | null> {
  try {
    const [environment, command, stat] = await Promise.all(
      ['environ', 'cmdline', 'stat'].map((name) => fs.readFile(`/proc/${pid}/${name}`, 'utf8')),
    )
    const cwd = await fs.readlink(`/proc/${pid}/cwd`).catch(() => '')
    if (stat?.slice(stat.lastIndexOf(')') + 2).startsWith('Z')) return null
    const entries = environment?.split('\0') ?? []
    if (!entries.includes(mark) && !cwd.startsWith(dir)) return null
    const label = entries.find((entry) => entry.startsWith('YTDLPD_JOB='))?.slice('YTDLPD_JOB='.length) ?? ''
    return { pid, command: (command ?? '').replaceAll('\0', ' ').slice(0, 120), label }
  } catch {
    return null // it ended while we looked
  }
}

/** The one that all warm runs are forked from: its label is still blank. */
export const isForkServer = ({ label, command }: Seen): boolean => /^_+$/.test(label) && command.includes('fork_server')
