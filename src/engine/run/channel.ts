import type { Readable, Writable } from 'node:stream'
import { constants } from 'node:os'

import type { Job } from './job.ts'
import type { End } from './supervise.ts'

/** An answer is one short line. */
const MAX_ANSWER_CHARS = 64 * 1024

/** Sends the keeper of a run its job; orders follow on the same stream. */
export function sendJob(control: Writable, job: Job): void {
  control.on('error', () => {}) // the keeper is gone, which its answer, or the lack of one, tells
  control.write(`${JSON.stringify(job)}\n`)
}

/** `I`: interrupt the tool; `K`: kill everything of the run. Nothing happens when the keeper is gone. */
export function sendOrder(control: Writable, order: 'I' | 'K'): void {
  if (control.writable) control.write(order)
}

/** What the keeper says about the end of its run, once it is gone itself; `lost` when it died without a word. */
export async function readEnd(answer: Readable): Promise<End> {
  let text = ''
  const { promise, resolve } = Promise.withResolvers<void>()
  answer.setEncoding('utf8')
  answer.on('data', (chunk: string) => {
    text = (text + chunk).slice(0, MAX_ANSWER_CHARS)
  })
  for (const event of ['end', 'close', 'error']) answer.once(event, () => resolve())
  await promise
  return text.endsWith('\n') ? parseEnd(text) : { kind: 'lost' }
}

function parseEnd(text: string): End {
  const answer = JSON.parse(text) as { exitCode?: number; signal?: number; error?: string }
  if (answer.error !== undefined) return { kind: 'spawn', message: answer.error }
  if (answer.signal !== undefined) return { kind: 'signal', signalName: signalName(answer.signal) }
  return { kind: 'exit', exitCode: answer.exitCode ?? 0 }
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number)
  return found?.[0] ?? `signal ${number}`
}
