/** Puts a backup in the place of the database and says what it did. Refuses while a daemon runs. */
import process from 'node:process'
import { ConfigError, loadConfig } from '../src/config/index.ts'
import { DatabaseError } from '../src/db/open.ts'
import { restoreBackup } from '../src/db/restore.ts'

const [file, ...more] = process.argv.slice(2)
if (file === undefined || more.length > 0) {
  console.error('usage: scripts/restore FILE')
  process.exit(2)
}
try {
  const { dirs } = loadConfig(process.env)
  const { tasks, keys, aside } = await restoreBackup(dirs.state, file)
  console.log(`Restored ${tasks} tasks and ${keys} keys from ${file}.`)
  if (aside !== null) console.log(`The database that was there is now ${aside}.`)
  console.log(
    `Finished files that the restored database does not know are removed at the next start (${dirs.downloads}).`,
  )
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof DatabaseError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
