import { once } from 'node:events'
import { startSim } from './index.ts'

/** `node test/sim/run.ts [port]`: runs the loopback internet until Ctrl-C, for people and for benches. */
await using sim = await startSim({ port: Number(process.argv[2] ?? 0) })
console.log(`PROXY_URL=${sim.url}`)
console.log(`CA_FILE=${sim.caFile}`)
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
