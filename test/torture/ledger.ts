import type { Expectation } from './catalogue.ts'

/** How a task ended, as a client saw it. */
export type Ending = Readonly<{
  status: string
  code: string | null
  completedAt: string
  attempts: number
  file: string | null
}>

/** One submission, from before it is sent to the end of the run. */
export type Entry = {
  readonly token: string
  readonly client: number
  readonly expected: Expectation
  /** What its client does with it: cancels it at some moment, tries it again, once, when it has failed. */
  whim: 'none' | 'cancel' | 'cancel and retry' | 'retry'
  /** `doubtful`: the connection broke before an answer, so there may be a task or not. */
  answer: 'none' | 'acknowledged' | 'refused' | 'doubtful'
  id: string | null
  ending: Ending | null
  /** The daemon said that it is cancelled. */
  cancelled: boolean
  /** A retry was asked for whose answer never came: the ending may have been taken back. */
  retryDoubtful: boolean
  hash: string | null
}

/** What must not happen, by name. */
export const FAULTS = ['lost', 'unexpected', 'duplicated', 'orphans', 'torn'] as const
export type Fault = (typeof FAULTS)[number]

/** What the clients know: every submission and what became of it, and every promise that was broken. */
export class Ledger {
  readonly entries: Entry[] = []
  readonly faults: Record<Fault, string[]> = { lost: [], unexpected: [], duplicated: [], orphans: [], torn: [] }
  readonly #ids = new Set<string>()
  readonly #told = new Set<string>()

  open(order: Pick<Entry, 'token' | 'client' | 'expected' | 'whim'>): Entry {
    const entry: Entry = {
      ...order,
      answer: 'none',
      id: null,
      ending: null,
      cancelled: false,
      retryDoubtful: false,
      hash: null,
    }
    this.entries.push(entry)
    return entry
  }

  /** There was nobody to send it to. */
  withdraw(entry: Entry): void {
    this.entries.splice(this.entries.lastIndexOf(entry), 1)
  }

  acknowledge(entry: Entry, id: string): void {
    entry.answer = 'acknowledged'
    entry.id = id
    if (this.#ids.has(id)) this.report('duplicated', `id ${id} was given out twice`)
    this.#ids.add(id)
  }

  /** The same fault is counted once. */
  report(fault: Fault, what: string): void {
    if (this.#told.has(`${fault} ${what}`)) return
    this.#told.add(`${fault} ${what}`)
    this.faults[fault].push(what)
    console.error(`FAULT ${fault}: ${what}`)
  }

  /** Takes in how a task stands; an ending is for ever, unless a retry took it back. */
  observe(entry: Entry, ending: Ending | null): void {
    const isSame = entry.ending === null || JSON.stringify(entry.ending) === JSON.stringify(ending)
    if (!isSame && entry.retryDoubtful) this.takeBack(entry)
    else if (!isSame)
      this.report('duplicated', `${entry.id} ended as ${JSON.stringify(entry.ending)}, then ${JSON.stringify(ending)}`)
    if (ending && entry.cancelled && ending.code !== 'cancelled' && !entry.retryDoubtful) {
      this.report('unexpected', `${entry.id} was cancelled and ended as ${JSON.stringify(ending)}`)
    }
    entry.ending = ending
  }

  /** A retry was accepted: the task is open again. */
  takeBack(entry: Entry): void {
    entry.ending = null
    entry.cancelled = false
    entry.retryDoubtful = false
    entry.whim = 'none'
  }

  get acknowledged(): Entry[] {
    return this.entries.filter(({ answer }) => answer === 'acknowledged')
  }

  get isClean(): boolean {
    return FAULTS.every((fault) => this.faults[fault].length === 0)
  }
}
