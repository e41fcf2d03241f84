import type { Request, Response } from 'express'
import { z } from 'zod'
import { Refusal, TaskError } from '../../domain/errors.ts'

const MAX_TEXT_CHARS = 4_096

/** What a client reads that left a field out, or sent something of another type. */
const saying = (wanted: string) => (issue: Readonly<{ input?: unknown }>) =>
  issue.input === undefined ? 'Field required' : `Input should be a valid ${wanted}`

export const textField = z
  .string({ error: saying('string') })
  .trim()
  .min(1, 'Field required')
  .max(MAX_TEXT_CHARS, `String should have at most ${MAX_TEXT_CHARS} characters`)

export const flagField = z.boolean({ error: saying('boolean') })

/** A whole number in a query. */
export const countField = (least: number, most: number) =>
  z.coerce
    .number({ error: saying('integer') })
    .int('Input should be a valid integer')
    .min(least, `Input should be greater than or equal to ${least}`)
    .max(most, `Input should be less than or equal to ${most}`)

/** A list in a body. The handler says what is wrong with its length. */
export const listField = <T>(item: z.ZodType<T>) => z.array(item, { error: saying('list') }).max(10_000)

export const integerField = z.number({ error: saying('integer') }).int('Input should be a valid integer')

/** The one of `words` that a field says; refuses what is none of them. */
export function oneOf<W extends string>(words: readonly W[], said: string, what: string): W {
  const word = words.find((known) => known === said)
  if (word === undefined)
    throw new Refusal('invalid_request', `Invalid ${what} '${said.slice(0, 50)}'. Use one of: ${words.join(', ')}`)
  return word
}

/** The address that a field says; refuses what is none. */
export function requireUrl(said: string): string {
  const url = URL.parse(said)
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === '')
    throw new Refusal('invalid_request', 'Invalid URL: it has to begin with http:// or https://')
  return url.href
}

/** Aborts when the client is gone, or when the answer takes longer than clients wait for one. */
export function patienceOf(res: Response, ms = 120_000): AbortSignal {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(new TaskError('timeout', 'it takes too long')), ms)
  res.once('close', () => {
    clearTimeout(timer)
    over.abort(new TaskError('cancelled', 'the client is gone'))
  })
  return over.signal
}

/** A path of this face as its clients reach it, wherever it is mounted. */
export const linkTo = (req: Request, path: string): string => req.baseUrl + path

/** ISO 8601 without a zone, in UTC, with the six digits that the clients of this face know. */
export const timeText = (ms: number): string => `${new Date(ms).toISOString().slice(0, -1)}000`
