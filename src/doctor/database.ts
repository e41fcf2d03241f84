import type { Config } from '../config/index.ts'
import { newestBackup } from '../db/backup.ts'
import { inspectDatabase, type JarFacts } from '../db/inspect.ts'
import { ok, problem, reasonOf, warning, type Finding } from './finding.ts'

const DAY_MS = 86_400_000

/** Cookies that nobody renewed for so long have often ended, whatever they say. */
const OLD_COOKIES_MS = 90 * DAY_MS

/** Whether the database is whole, backed up, and how old the cookies in it are. */
export async function checkDatabase({ dirs, backup }: Config): Promise<Finding[]> {
  try {
    const facts = inspectDatabase(dirs.state)
    if (facts === null) return [ok('database', 'there is none yet; the first start makes it')]
    if (facts.damage !== null) {
      const newest = await newestBackup(dirs.state)
      const way =
        newest === null ? 'There is no backup: move STATE_DIR away to begin anew' : `scripts/restore ${newest.file}`
      return [problem('database', `it is damaged: ${facts.damage}`, way)]
    }
    const size = (facts.bytes / 2 ** 20).toFixed(1)
    const whole = ok('database', `whole, ${size} MiB, ${facts.tasks} tasks, ${facts.keys} keys`)
    return [whole, ...(await checkBackups(dirs.state, backup.everyMs)), ...facts.jars.flatMap(checkJar)]
  } catch (error) {
    return [problem('database', `it cannot be read: ${reasonOf(error)}`, 'Run this as the user of the daemon')]
  }
}

async function checkBackups(stateDir: string, everyMs: number): Promise<Finding[]> {
  if (everyMs === 0) return [warning('backup', 'BACKUP_HOURS=0: the database is never backed up', 'Unset BACKUP_HOURS')]
  const newest = await newestBackup(stateDir)
  if (newest === null) return [ok('backup', 'none yet; the daemon makes the first by itself')]
  const age = Date.now() - newest.at
  const text = `the newest is ${days(age)} old: ${newest.file}`
  return [age > 2 * everyMs + DAY_MS ? warning('backup', text, 'scripts/backup') : ok('backup', text)]
}

const days = (ms: number) =>
  ms < 2 * DAY_MS ? `${Math.max(0, Math.round(ms / 3_600_000))} hours` : `${Math.round(ms / DAY_MS)} days`

function checkJar({ site, keyName, updatedAt, expiresAt, lastFailure }: JarFacts): Finding[] {
  const now = Date.now()
  const whose = `${site}, key ${keyName}`
  const mend = 'Log in to the site and hand the new cookies in (PUT /v1/cookies/<site>)'
  if (expiresAt !== null && expiresAt < now)
    return [warning('cookies', `${whose}: the login expired ${days(now - expiresAt)} ago`, mend)]
  if (lastFailure !== null)
    return [warning('cookies', `${whose}: the last task with them failed (${lastFailure})`, mend)]
  const age = now - updatedAt
  const text = `${whose}: ${days(age)} old`
  return [age > OLD_COOKIES_MS ? warning('cookies', text, mend) : ok('cookies', text)]
}
