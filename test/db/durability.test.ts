import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { openStore } from '../../src/db/open.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/wait-for.ts'

const WRITER = path.resolve(import.meta.dirname, '../support/acknowledging-writer.ts')
const CYCLES = 20

test('a writer that is killed in mid-insert loses no row it was told is stored, and adds at most the ones in hand', async () => {
  await using dir = tempDir()
  const stateDir = path.join(dir.path, 'state')
  const file = path.join(dir.path, 'acknowledged')
  fs.writeFileSync(file, '')
  const acknowledged = () => fs.readFileSync(file, 'utf8').split('\n').slice(0, -1)

  let lost = 0
  let unexpected = 0
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const before = acknowledged().length
    const writer = spawn(process.execPath, [WRITER, stateDir, file], { stdio: 'ignore' })
    const closed = once(writer, 'close')
    await waitFor('acknowledged rows', () => acknowledged().length > before + cycle || writer.exitCode !== null, 10_000)
    writer.kill('SIGKILL')
    await closed

    await using store = await openStore(stateDir)
    const rows = await store.db.selectFrom('task').select('id').execute()
    const stored = new Set(rows.map(({ id }) => id))
    const known = acknowledged()
    lost += known.filter((id) => !stored.has(id)).length
    unexpected = stored.size - new Set(known).size
  }

  expect(lost).toBe(0)
  expect(acknowledged().length).toBeGreaterThanOrEqual(CYCLES)
  expect(unexpected).toBeLessThanOrEqual(3 * CYCLES)
})
