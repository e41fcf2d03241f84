import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'

const TORTURE = path.resolve(import.meta.dirname, '../../scripts/torture')

test('a daemon that is killed, stopped, held and starved again and again keeps every promise it made', async () => {
  const child = spawn(TORTURE, ['--short'], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 110_000 })
  const closed = once(child, 'close')
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = (await closed) as [number | null]
  const counts = ['lost', 'unexpected', 'duplicated', 'orphans', 'torn files'].map((name) => `${name} 0`).join('\n')
  expect({ errors, output }).toEqual({ errors: '', output: expect.stringContaining(counts) as string })
  expect(code).toBe(0)
  expect(Number(/^acknowledged (\d+)$/m.exec(output)?.[1])).toBeGreaterThan(20)
}, 120_000)
