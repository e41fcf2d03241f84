import { spawnSync } from 'node:child_process'
import process from 'node:process'

test('docs/openapi.json and the types of the client say what the code says; otherwise: npm run docs', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/write-openapi.ts', '--check'], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
})
