import type { RequestListener } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ToolExit, ToolName, ToolRun, ToolRunner } from '../tool.ts'
import type { Egress } from './egress.ts'
import { EgressError } from './error.ts'

/** RFC 6761 reserves `.invalid`: who gets an answer from it was answered by our proxy. */
const CANARY_HOST = 'canary.invalid'
const TIMEOUT_MS = 20_000

const PROBES = {
  'yt-dlp': [
    '--ignore-config',
    '--no-plugin-dirs',
    '--no-cache-dir',
    '--no-remote-components',
    '--simulate',
    '--quiet',
  ],
  ffmpeg: ['-v', 'error', '-nostdin', '-i'],
} as const satisfies Partial<Record<ToolName, readonly string[]>>

/**
 * Lets yt-dlp and ffmpeg each fetch something that exists only inside the proxy. Throws EgressError, which says which of
 * them did not come through it.
 */
export async function selfTest(egress: Pick<Egress, 'open'>, runner: ToolRunner): Promise<void> {
  const seen = new Set<string>()
  const answer: RequestListener = (request, response) => {
    seen.add(new URL(request.url ?? '', 'http://canary.invalid').pathname.slice(1).replace(/\.wav$/, ''))
    response.writeHead(200, { 'Content-Type': 'audio/wav', 'Content-Length': SILENCE.length })
    response.end(SILENCE)
  }
  using lane = egress.open({
    label: 'self-test',
    maxBytes: null,
    idleMs: TIMEOUT_MS,
    virtualHosts: { [CANARY_HOST]: answer },
  })
  const workDir = await mkdtemp(path.join(tmpdir(), 'egress-self-test-'))
  try {
    const run = (tool: 'yt-dlp' | 'ffmpeg', after: readonly string[]): Promise<ToolExit> =>
      runner.run(
        probe(tool, [...PROBES[tool], `http://${CANARY_HOST}/${tool}.wav`, ...after], [workDir, lane.proxyUrl]),
      )
    const [ytDlp, ffmpeg] = await Promise.all([run('yt-dlp', []), run('ffmpeg', ['-f', 'null', '-'])])
    const missing = Object.entries({ 'yt-dlp': ytDlp, ffmpeg }).filter(([tool]) => !seen.has(tool))
    if (missing.length > 0) {
      const facts = missing.map(([tool, exit]) => `${tool} did not come through it (${describeExit(exit)})`)
      throw new EgressError(`the egress proxy cannot be relied on: ${facts.join('; ')}`)
    }
  } finally {
    await rm(workDir, { recursive: true, force: true })
  }
}

function probe(
  tool: ToolName,
  args: readonly string[],
  [workDir, proxyUrl]: readonly [workDir: string, proxyUrl: string],
): ToolRun {
  return {
    label: 'self-test',
    tool,
    args,
    workDir,
    proxyUrl,
    timeoutMs: TIMEOUT_MS,
    limits: { fileBytes: 2 ** 20, memoryBytes: 0, openFiles: 256, processes: 256 },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }
}

function describeExit({ kind, exitCode, signalName, stderr }: ToolExit): string {
  const lastLine = stderr.trimEnd().split('\n').at(-1) ?? ''
  return [kind, exitCode ?? signalName ?? '', lastLine].filter((part) => part !== '').join(' ')
}

/** A tenth of a second of silence: RIFF, 8 kHz, 8 bits, one channel. */
const SILENCE = makeWav(800)

function makeWav(samples: number): Buffer {
  const wav = Buffer.alloc(44 + samples, 0x80)
  wav.write('RIFF', 0, 'latin1')
  wav.writeUInt32LE(36 + samples, 4)
  wav.write('WAVEfmt ', 8, 'latin1')
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(8_000, 24)
  wav.writeUInt32LE(8_000, 28)
  wav.writeUInt16LE(1, 32)
  wav.writeUInt16LE(8, 34)
  wav.write('data', 36, 'latin1')
  wav.writeUInt32LE(samples, 40)
  return wav
}
