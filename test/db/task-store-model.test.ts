import fs from 'node:fs'
import os from 'node:os'
import fc from 'fast-check'
import { openStore, type Store } from '../../src/db/open.ts'
import { TaskStore } from '../../src/db/task-store.ts'
import { isFinal, type Outcome } from '../../src/domain/task.ts'
import { requestOf, SAMPLE_FILE } from '../support/samples.ts'
import {
  commands,
  MAX_DEATHS,
  RETRY_MS,
  TaskModel,
  type Command,
  type Ending,
  type ModelTask,
} from '../support/task-model.ts'
import { tempDir } from '../support/temp-dir.ts'

/** How many random histories are played; the seed of a failure is printed with it. */
const RUNS = Number(process.env['STORE_MODEL_RUNS'] ?? 1000)

/** In memory where the system has such a folder: what is tested here is what the store does, not the disk. */
const PARENT = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir()

const keyName = (index: number) => `key-${index}`
const hostName = (index: number) => `host-${index}.example`

/** A database that can be closed and opened again. */
class Reopenable implements AsyncDisposable {
  readonly #stateDir: string
  store: Store

  constructor(stateDir: string, store: Store) {
    this.#stateDir = stateDir
    this.store = store
  }

  async reopen(): Promise<void> {
    await this.store[Symbol.asyncDispose]()
    this.store = await openStore(this.#stateDir)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]()
  }
}

/** The real store beside the model; both get every command. */
class Twins {
  readonly #database: Reopenable
  #tasks: TaskStore
  readonly #model = new TaskModel()
  readonly #running = new Map<string, number>()
  readonly #ended = new Set<string>()
  /** Files that each key has ever got. */
  readonly #files = new Map<string, number>()
  #now = 1_000_000
  #serial = 0

  constructor(database: Reopenable) {
    this.#database = database
    this.#tasks = new TaskStore(database.store.db)
  }

  async play(history: readonly Command[]): Promise<void> {
    await this.#database.store.db.deleteFrom('task').execute()
    await this.#database.store.db.deleteFrom('key_usage').execute()
    for (const command of history) {
      this.#now++
      await this.#step(command)
      expect(await this.#rows()).toEqual(this.#model.tasks)
    }
    await this.#compareReads()
  }

  async #step(command: Command): Promise<void> {
    switch (command.do) {
      case 'add':
        return this.#add(command.key, command.host)
      case 'claim':
        return this.#claim(keyName(command.key), command.blocked.map(hostName))
      case 'settle':
        return this.#settle(this.#pick(command.task), command.late, command.outcome)
      case 'cancel': {
        const { id } = this.#pick(command.task)
        const done = await this.#tasks.cancelWaiting(id, this.#now)
        expect(done).toBe(this.#model.cancel(id, this.#now))
        if (done) this.#end(id)
        return
      }
      case 'retry': {
        const { id } = this.#pick(command.task)
        const done = await this.#tasks.retryEnded(id)
        expect(done).toBe(this.#model.retry(id))
        if (done) this.#ended.delete(id)
        return
      }
      case 'remove': {
        const { id } = this.#pick(command.task)
        await this.#tasks.remove(id)
        return this.#model.remove(id)
      }
      case 'wait':
        this.#now += command.ms
        return
      case 'recover':
        expect(await this.#tasks.recover(this.#now, MAX_DEATHS)).toEqual(this.#model.recover(this.#now))
        return this.#running.clear()
      case 'reopen':
        await this.#database.reopen()
        this.#tasks = new TaskStore(this.#database.store.db)
        return
    }
  }

  async #add(key: number, host: number): Promise<void> {
    const id = `task${String(++this.#serial).padStart(12, '0')}`
    const keyId = keyName(key)
    const request = requestOf({ url: `https://${hostName(host)}/` })
    await this.#tasks.add({ id, keyId, keyName: keyId, request, sent: {}, createdAt: this.#now })
    this.#model.add(id, keyId, hostName(host))
  }

  async #claim(keyId: string, blockedHosts: readonly string[]): Promise<void> {
    const claimed = await this.#tasks.claim({ keyId, now: this.#now, blockedHosts })
    const expected = this.#model.claim(keyId, this.#now, blockedHosts)
    expect(claimed?.id).toBe(expected?.id)
    if (!claimed) return
    if (this.#running.has(claimed.id)) throw new Error(`${claimed.id} runs twice at once`)
    this.#running.set(claimed.id, claimed.attempt)
  }

  async #settle({ id, key, attempt }: ModelTask, late: number, ending: Ending): Promise<void> {
    const before = await this.#tasks.get(id)
    const outcome = outcomeOf(ending, this.#now)
    const done = await this.#tasks.settle(id, attempt + late, outcome, this.#now)
    expect(done).toBe(this.#model.settle(id, attempt + late, outcome, this.#now))
    if (done !== (this.#running.get(id) === attempt + late)) throw new Error(`${id}: settled by a run that lost it`)
    if (!done) return expect(await this.#tasks.get(id)).toEqual(before)
    this.#running.delete(id)
    if (outcome.kind !== 'retry') this.#end(id)
    if (outcome.kind === 'completed') this.#files.set(key, (this.#files.get(key) ?? 0) + 1)
  }

  #end(id: string): void {
    if (this.#ended.has(id)) throw new Error(`${id} ended twice`)
    this.#ended.add(id)
  }

  #pick(index: number): ModelTask {
    const { tasks } = this.#model
    return tasks[index % Math.max(1, tasks.length)] ?? missing
  }

  async #rows(): Promise<ModelTask[]> {
    const rows = await this.#database.store.db.selectFrom('task').selectAll().orderBy('seq').execute()
    return rows.map((row) => ({
      id: row.id,
      key: row.key_id,
      host: row.host,
      state: row.state as ModelTask['state'],
      attempt: row.attempt,
      failures: row.failures,
      deaths: row.deaths,
      notBefore: row.state === 'waiting' ? row.not_before : null,
      finishedAt: row.finished_at,
      errorCode: row.error_code,
      file: row.file_name,
    }))
  }

  async #compareReads(): Promise<void> {
    const { tasks } = this.#model
    const waiting = tasks.filter(({ state }) => state === 'waiting')
    const finished = tasks.filter(({ state }) => isFinal(state))
    expect(await this.#tasks.countWaiting()).toBe(waiting.length)
    expect(await this.#tasks.keysWaiting()).toEqual([...new Set(waiting.map(({ key }) => key))].toSorted())
    expect((await this.#tasks.waitingSequence()).map(({ id }) => id)).toEqual(waiting.map(({ id }) => id))
    expect((await this.#tasks.finishedBefore(this.#now, 100)).toSorted()).toEqual(
      finished.map(({ id }) => id).toSorted(),
    )
    for (const key of [0, 1, 2].map(keyName)) {
      const own = tasks.filter((task) => task.key === key)
      expect(await this.#tasks.usageOf(key)).toEqual({
        waiting: own.filter(({ state }) => state === 'waiting').length,
        processing: own.filter(({ state }) => state === 'processing').length,
      })
      expect(await this.#tasks.bytesToday(key, this.#now)).toBe((this.#files.get(key) ?? 0) * SAMPLE_FILE.size)
    }
  }
}

const missing: ModelTask = {
  id: 'nobody',
  key: '',
  host: '',
  state: 'waiting',
  attempt: 1,
  failures: 0,
  deaths: 0,
  notBefore: null,
  finishedAt: null,
  errorCode: null,
  file: null,
}

function outcomeOf(ending: Ending, now: number): Outcome {
  switch (ending) {
    case 'completed':
      return { kind: 'completed', files: [SAMPLE_FILE], title: null }
    case 'error':
      return { kind: 'error', code: 'private', message: 'it is private' }
    case 'cancelled':
      return { kind: 'cancelled' }
    case 'retry':
      return { kind: 'retry', code: 'network', message: 'try again', at: now + RETRY_MS, counts: true }
    case 'give-back':
      return { kind: 'retry', code: 'no_space', message: 'no room', at: now + RETRY_MS, counts: false }
  }
}

describe('the store of tasks and its model', () => {
  test(
    'agree after every command of any history: nothing is lost, runs twice at once, ends twice or is settled by a late run',
    async () => {
      await using dir = tempDir(PARENT)
      await using database = new Reopenable(dir.path, await openStore(dir.path))
      await fc.assert(
        fc.asyncProperty(commands, (history) => new Twins(database).play(history)),
        { numRuns: RUNS },
      )
    },
    60_000 + RUNS * 20,
  )
})
