import process from 'node:process'
import { loadConfig } from '../config/index.ts'
import { makeBackup } from '../db/backup.ts'
import { restoreBackup } from '../db/restore.ts'
import { BY_ENVIRONMENT, parse, requireNothing, type Command } from './command.ts'
import { wrongUsage } from './failure.ts'

/** `ytdlpd start`: becomes the daemon. */
export const startCommand: Command = {
  usage: 'start',
  summary: 'run the daemon',
  help: [BY_ENVIRONMENT],
  async run(args) {
    requireNothing(parse(args, {}).positionals)
    await import('../main.ts')
    return Number(process.exitCode ?? 0)
  },
}

/** `ytdlpd backup`: a copy of the database, also while the daemon runs. */
export const backupCommand: Command = {
  usage: 'backup',
  summary: 'copy the database and print where the copy is',
  help: ['The newest BACKUP_KEEP are kept.', BY_ENVIRONMENT],
  async run(args, { out, env, signal }) {
    requireNothing(parse(args, {}).positionals)
    const { dirs, backup } = loadConfig(env)
    out(`${await makeBackup(dirs.state, { keep: backup.keep, signal })}\n`)
    return 0
  },
}

/** `ytdlpd restore FILE`: puts a backup in the place of the database. */
export const restoreCommand: Command = {
  usage: 'restore FILE',
  summary: 'put a backup in the place of the database, which is kept',
  help: ['Not while the daemon runs.', BY_ENVIRONMENT],
  async run(args, { out, env }) {
    const [file, ...more] = parse(args, {}).positionals
    if (file === undefined) throw wrongUsage('say which backup')
    requireNothing(more)
    const { dirs } = loadConfig(env)
    const { tasks, keys, aside } = await restoreBackup(dirs.state, file)
    out(`Restored ${tasks} tasks and ${keys} keys from ${file}.\n`)
    if (aside !== null) out(`The database that was there is now ${aside}.\n`)
    out(`Finished files that the restored database does not know are removed at the next start (${dirs.downloads}).\n`)
    return 0
  },
}
