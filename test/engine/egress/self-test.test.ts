import { selfTest } from '../../../src/engine/egress/index.ts'
import type { ToolRun, ToolRunner } from '../../../src/engine/tool.ts'
import { startEgress } from './support.ts'
import { ffmpeg, ytDlp } from './tools.ts'

/** Runs the tools as plain commands; `proxyFor` is the way out that each is told. */
function runnerWith(proxyFor: (run: ToolRun) => string): ToolRunner {
  return {
    run: async (run) => {
      const options = { cwd: run.workDir, proxyUrl: proxyFor(run) }
      const { exitCode, stderr } = await (run.tool === 'yt-dlp' ? ytDlp : ffmpeg)(run.args, options)
      return { kind: 'exit', exitCode, signalName: null, stderr }
    },
    sandbox: { landlock: false, namespaces: false, network: 'open' },
    mode: 'processes',
    runs: 0,
    isWell: () => true,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

test('passes when both tools come through the proxy', async () => {
  await using egress = await startEgress()
  await selfTest(
    egress,
    runnerWith((run) => run.proxyUrl ?? ''),
  )
  expect(egress.stats).toEqual({ denied: 0, connections: 0, bytes: 0 })
})

test.each([
  ['yt-dlp', /: yt-dlp did not come through it \(exit 1 [^;]*\)$/],
  ['ffmpeg', /: ffmpeg did not come through it \(exit 1 [^;]*\)$/],
])('names %s when it goes its own way', async (tool, message) => {
  await using egress = await startEgress()
  const runner = runnerWith((run) => (run.tool === tool ? '' : (run.proxyUrl ?? '')))
  await expect(selfTest(egress, runner)).rejects.toThrow(message)
})
