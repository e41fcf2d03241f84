/** Adds tasks for ever and notes each in a file once the store has said that it is safe: `node … <stateDir> <file>`. */
import fs from 'node:fs'
import process from 'node:process'
import { openStore } from '../../src/db/open.ts'
import { TaskStore } from '../../src/db/task-store.ts'
import { requestOf } from './samples.ts'

const [stateDir = '', file = ''] = process.argv.slice(2)
const store = await openStore(stateDir)
const tasks = new TaskStore(store.db)
const acknowledged = fs.openSync(file, 'a')

async function write(worker: number): Promise<never> {
  for (let n = 0; ; n++) {
    const id = `${process.pid}-${worker}-${n}`
    await tasks.add({ id, keyId: 'key', keyName: 'key', request: requestOf(), sent: {}, createdAt: Date.now() })
    fs.writeSync(acknowledged, `${id}\n`)
    fs.fsyncSync(acknowledged)
    await new Promise(setImmediate)
  }
}

await Promise.all([write(1), write(2), write(3)])
