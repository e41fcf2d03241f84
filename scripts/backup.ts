/** Makes a backup of the database, keeps the newest `BACKUP_KEEP`, and prints where it is. */
import process from 'node:process'
import { ConfigError, loadConfig } from '../src/config/index.ts'
import { makeBackup } from '../src/db/backup.ts'
import { DatabaseError } from '../src/db/open.ts'

try {
  const { dirs, backup } = loadConfig(process.env)
  console.log(await makeBackup(dirs.state, { keep: backup.keep }))
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof DatabaseError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
