import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { EgressLane } from '../../../src/engine/egress/index.ts'
import {
  attackIdOf,
  attackListener,
  ATTACK_NAMES,
  ATTACKS,
  attackUrl,
  INSIDE_ADDRESS,
  ORIGIN_ADDRESS,
  type Attack,
  type AttackTool,
} from './matrix.ts'
import { openLane, startEgress, startServer } from './support.ts'
import { ffmpeg, ytDlp } from './tools.ts'

const ORIGIN_HOST = 'media.test'
const SECRET = 'inside secret '.repeat(20)

/** The attacker's and the inside server on one port, and an egress that lets the attacker's address through. */
async function startScene(alsoOpen: readonly string[] = []) {
  await using stack = new AsyncDisposableStack()
  const origin = stack.use(await startServer(attackListener(ORIGIN_HOST), ORIGIN_ADDRESS))
  const inside = stack.use(
    await startServer(
      (_, response) => void response.writeHead(200, { 'Content-Type': 'video/mp4' }).end(SECRET),
      INSIDE_ADDRESS,
      origin.port,
    ),
  )
  const asked = new Map<string, number>()
  const lookup = async (host: string): Promise<readonly string[]> => {
    if (host === ORIGIN_HOST) return [ORIGIN_ADDRESS]
    const answers = ATTACK_NAMES[host] ?? []
    const count = asked.get(host) ?? 0
    asked.set(host, count + 1)
    const answer = answers[Math.min(count, answers.length - 1)]
    if (answer === undefined) throw new Error(`no such name: ${host}`)
    return answer
  }
  const egress = stack.use(await startEgress({ allow: [ORIGIN_ADDRESS, ...alsoOpen], lookup }))
  const cwd = await mkdtemp(path.join(tmpdir(), 'egress-ssrf-'))
  stack.defer(() => rm(cwd, { recursive: true, force: true }))
  const owned = stack.move()
  return { origin, inside, egress, cwd, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

type Scene = Awaited<ReturnType<typeof startScene>>

const attacksOf = (tool: AttackTool): readonly Attack[] =>
  ATTACKS.filter(({ tools, needsConfinement }) => tools.includes(tool) && !needsConfinement)

/** Those that nothing but the policy stops. */
const realOf = (tool: AttackTool): readonly Attack[] => attacksOf(tool).filter(({ reaches }) => reaches.includes(tool))

/** All attacks in one process: what costs time is its start. */
async function attackYtDlp({ cwd }: Scene, urls: readonly string[], proxyUrl: string): Promise<void> {
  const output = ['--output', '%(autonumber)s.%(ext)s', '--write-thumbnail', '--write-subs', '--fixup', 'never']
  await ytDlp(['--ignore-errors', ...output, '--', ...urls], { cwd, proxyUrl })
}

async function attackFfmpeg({ cwd }: Scene, urls: readonly string[], proxyUrl: string): Promise<void> {
  const waiting = [...urls]
  const work = async () => {
    for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
      await ffmpeg(['-i', url, '-f', 'null', '-'], { cwd, proxyUrl })
    }
  }
  await Promise.all([work(), work(), work()])
}

const RUN = { 'yt-dlp': attackYtDlp, ffmpeg: attackFfmpeg } as const

async function run(tool: AttackTool, scene: Scene, attacks: readonly Attack[]): Promise<EgressLane> {
  const lane = openLane(scene.egress)
  const urls = attacks.map((attack) => attackUrl(attack, ORIGIN_HOST, scene.origin.port))
  await RUN[tool](scene, urls, lane.proxyUrl)
  return lane
}

describe.each(['yt-dlp', 'ffmpeg'] as const)('%s', (tool) => {
  test('gets inside by none of the attacks', async () => {
    await using scene = await startScene()
    using lane = await run(tool, scene, attacksOf(tool))
    expect(scene.inside.log).toEqual([])
    expect(scene.inside.connections()).toBe(0)
    expect(lane.denials.length).toBeGreaterThanOrEqual(realOf(tool).length)
    for (const name of await readdir(scene.cwd)) {
      expect(await readFile(path.join(scene.cwd, name), 'latin1')).not.toMatch(/inside secret|root:x:0/)
    }
  })

  test('would get inside by each of those that the policy alone stops', async () => {
    await using scene = await startScene([`${INSIDE_ADDRESS}/32`])
    using lane = await run(tool, scene, realOf(tool))
    const reached = new Set(scene.inside.log.map(attackIdOf))
    expect([...reached].toSorted()).toEqual(
      realOf(tool)
        .map(({ id }) => id)
        .toSorted(),
    )
    expect(lane.denials).toEqual([])
  })
})
