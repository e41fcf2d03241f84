import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { galleryArgs } from '../../../src/engine/post-args.ts'
import { openBench, RUNNERS, type Bench } from './bench.ts'

/** Says what it was given, and what it can reach. */
const PROGRAM = `#!/bin/sh
echo "args: $*"
echo "input: $(cat)"
echo "proxy: $https_proxy"
echo "modules: $PYTHONPATH"
echo "home: $HOME"
cat ../../secret 2>/dev/null || echo "secret: hidden"
`

let bench: Bench

beforeEach(async () => {
  bench = await openBench()
})

afterEach(() => bench.dispose())

describe.each(RUNNERS)('gallery-dl under the %s', (_name, start) => {
  test('is given the address where no process list shows it, and the way out by its environment', async () => {
    const path = join(bench.dir, 'gallery-dl')
    await writeFile(path, PROGRAM)
    await chmod(path, 0o755)
    await writeFile(join(bench.dir, 'secret'), 'secret: seen')
    const tools = { ...bench.tools, galleryDl: { path, modulePath: '/opt/modules', version: '1.32.18' } }
    await using runner = await start(bench.options({ tools }))
    const args = galleryArgs('https://x.com/u/status/1', null)
    const { exit, stdout, workDir } = await bench.run(runner, { tool: 'gallery-dl', args, proxyUrl: bench.proxyUrl })
    expect(exit).toMatchObject({ kind: 'exit', exitCode: 0 })
    const said = Object.fromEntries(stdout.map((line) => /^(\w+): (.*)$/.exec(line)?.slice(1) ?? []))
    expect(said).toMatchObject({
      input: 'https://x.com/u/status/1',
      proxy: bench.proxyUrl,
      modules: '/opt/modules',
      home: workDir,
    })
    expect(said['args']).toMatch(/^--config-ignore .* --input-file -$/)
    expect(said['args']).not.toContain('x.com')
    if (runner.sandbox.landlock !== false) expect(said['secret']).toBe('hidden')
  })

  test('that is not there is a run that cannot be started', async () => {
    await using runner = await start(bench.options({ tools: { ...bench.tools, galleryDl: null } }))
    const { exit } = await bench.run(runner, {
      tool: 'gallery-dl',
      args: galleryArgs('https://x.com/u/status/1', null),
    })
    expect(exit).toMatchObject({ kind: 'spawn' })
    expect(exit.stderr).toContain('gallery-dl')
  })
})
