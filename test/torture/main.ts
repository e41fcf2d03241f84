/**
 * Ends the daemon again and again, in every way there is, while clients work with it, and checks at the end that every
 * promise was kept: no task lost, made up, run to its end twice, no process left, no file that is not whole.
 */
import process from 'node:process'
import { createTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { startOrigin } from '../support/origin.ts'
import { askForAll, drain, examine, type Found } from './audit.ts'
import { BLOWS, GRACE_S, stop, type Ground } from './blows.ts'
import { Catalogue } from './catalogue.ts'
import { Clients } from './clients.ts'
import { FAULTS, Ledger } from './ledger.ts'
import { readOptions, USAGE, type Options } from './options.ts'
import { Chance } from './random.ts'

const REPORT_EVERY_CYCLES = 10

function settings({ retryMaxWait }: Options): Record<string, string> {
  return {
    TASK_CLEANUP_TIME: '525600',
    REQUEST_LIMIT: '1000000',
    MAX_WORKERS: '6',
    STALL_SECONDS: '3',
    RETRY_MAX_WAIT: String(retryMaxWait),
    SHUTDOWN_GRACE: String(GRACE_S),
  }
}

async function makeKeys(daemon: TestDaemon, count: number): Promise<string[]> {
  const permissions = ['get_info', 'get_video', 'get_audio']
  const answers = await Promise.all(
    Array.from({ length: count }, (_, n) => daemon.client().post('/create_key', { name: `client-${n}`, permissions })),
  )
  return answers.map(({ body }) => String(body['key']))
}

async function torture(options: Options): Promise<boolean> {
  const startedAt = performance.now()
  await using origin = await startOrigin()
  await using stack = new AsyncDisposableStack()
  const daemon = await createTestDaemon(settings(options))
  stack.defer(() => (options.keep ? daemon.end('SIGKILL').then(() => undefined) : daemon[Symbol.asyncDispose]()))
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => void daemon.end('SIGKILL').finally(() => process.exit(1)))
  console.log(`seed ${options.seed}, ${options.cycles} cycles, ${options.clients} clients, in ${daemon.dir}`)
  const ledger = new Ledger()
  const counts = new Map<string, number>()
  const catalogue = new Catalogue(origin, new Chance(options.seed))
  await catalogue.prepare()
  const ground: Ground = { daemon, ledger, chance: new Chance(options.seed + 1) }

  await daemon.start()
  const keys = await makeKeys(daemon, options.clients)
  await stop(ground)
  const clients = new Clients({ daemon, ledger, catalogue, chance: new Chance(options.seed + 2) }, keys)
  clients.start()
  for (let cycle = 1; cycle <= options.cycles; cycle++) {
    clients.allow(options.tasksPerCycle)
    const blow = ground.chance.pick(BLOWS)
    counts.set(blow.name, (counts.get(blow.name) ?? 0) + 1)
    await blow.strike(ground)
    origin.log.length = 0
    if (cycle % REPORT_EVERY_CYCLES === 0)
      console.log(`${since(startedAt)} s, cycle ${cycle}: ${ledger.acknowledged.length} acknowledged`)
  }
  await daemon.start()
  await clients.stop()
  await drain(daemon, ledger)
  await askForAll(daemon, ledger, keys)
  await stop(ground)
  const found = await examine(daemon, ledger, catalogue)
  report(options, {
    ledger,
    found,
    counts,
    refusals: clients.refusals,
    seconds: since(startedAt),
  })
  return ledger.isClean
}

const since = (startedAt: number) => ((performance.now() - startedAt) / 1000).toFixed(0)

type Result = Readonly<{
  ledger: Ledger
  found: Found
  counts: ReadonlyMap<string, number>
  refusals: ReadonlyMap<string, number>
  seconds: string
}>

function report({ cycles, seed }: Options, { ledger, found, counts, refusals, seconds }: Result): void {
  const list = (map: ReadonlyMap<string, number>) =>
    [...map]
      .toSorted((a, b) => b[1] - a[1])
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none'
  const doubtful = ledger.entries.filter(({ answer }) => answer === 'doubtful').length
  console.log(`
cycles ${cycles} in ${seconds} s: ${list(counts)}
refused: ${list(refusals)}
in doubt ${doubtful}, of which stored ${found.recovered}
stored ${found.stored}: ${list(found.ends)}
acknowledged ${ledger.acknowledged.length}`)
  for (const fault of FAULTS) console.log(`${fault === 'torn' ? 'torn files' : fault} ${ledger.faults[fault].length}`)
  console.log(`seed ${seed}`)
}

let options: Options
try {
  options = readOptions(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  console.error(USAGE)
  process.exit(2)
}
process.exitCode = (await torture(options)) ? 0 : 1
