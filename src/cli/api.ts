import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Terminal } from './command.ts'
import { CliError } from './failure.ts'

const DEFAULT_PORT = '5000'

/** Longer than any answer is held back. */
const ANSWER_TIMEOUT_MS = 90_000
/** How long a daemon that does not answer is waited for, and how often it is asked. */
const AWAY_MS = 60_000
const ASK_AGAIN_MS = 1_000
/** How long the command stays for its last call. */
const LAST_CALL_MS = 3_000

/** A version of something. */
export type Seen<T> = Readonly<{ value: T; tag: string | null }>

/** Options of every command that talks to a daemon. */
export const API_OPTIONS = { url: { type: 'string' }, key: { type: 'string' } } as const
export const API_HELP = [
  '--url URL      where the daemon is (YTDLPD_URL; else this machine, at PORT)',
  '--key VALUE    the API key (YTDLPD_API_KEY, which no other user of the machine can see)',
]

const refusal = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

/** The address of the daemon without a slash at its end. */
export function addressOf(given: string | undefined, { env }: Pick<Terminal, 'env'>): string {
  const url = given ?? (env['YTDLPD_URL'] || `http://127.0.0.1:${env['PORT'] || DEFAULT_PORT}`)
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new CliError(`${JSON.stringify(url)} is no address of a daemon`, { exitCode: 2 })
  return url.replace(/\/+$/, '')
}

/** Calls a daemon as one key. */
export class Api {
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #signal: AbortSignal

  constructor(url: string, key: string, signal: AbortSignal) {
    this.#url = url
    this.#headers = { 'X-API-Key': key }
    this.#signal = signal
  }

  /** The answer as `schema` has it. Throws CliError when the call is refused or the daemon does not answer. */
  async call<T>(schema: z.ZodType<T>, method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.fetch(path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
    return read(schema, response)
  }

  /**
   * What there is at a path, with the tag of this version; null when it still is the one that has the tag `known`. Waits a
   * while for a daemon that is being started anew.
   */
  patiently<T>(schema: z.ZodType<T>, path: string): Promise<Seen<T>>
  patiently<T>(schema: z.ZodType<T>, path: string, known: string | null): Promise<Seen<T> | null>
  async patiently<T>(schema: z.ZodType<T>, path: string, known: string | null = null): Promise<Seen<T> | null> {
    const until = performance.now() + AWAY_MS
    const headers: Record<string, string> = known === null ? {} : { 'If-None-Match': known }
    for (;;) {
      try {
        const response = await this.fetch(path, { headers, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })
        if (response.status === 304) return null
        return { value: await read(schema, response), tag: response.headers.get('etag') }
      } catch (error) {
        const isAway = error instanceof CliError && error.cause instanceof TypeError
        if (!isAway || performance.now() > until) throw error
        await this.rest(ASK_AGAIN_MS)
      }
    }
  }

  /** A last call, made although the person has had enough; whatever comes of it. */
  async afterAll(method: string, path: string): Promise<void> {
    const signal = AbortSignal.timeout(LAST_CALL_MS)
    await fetch(this.#url + path, { method, headers: this.#headers, signal }).catch(() => undefined)
  }

  /** The bare answer, whatever it says. Throws CliError, its cause a TypeError, when there is none. */
  async fetch(path: string, init: RequestInit): Promise<Response> {
    const signal = init.signal ? AbortSignal.any([this.#signal, init.signal]) : this.#signal
    try {
      const headers = { ...this.#headers, ...(init.headers as Record<string, string> | undefined) }
      return await fetch(this.#url + path, { ...init, headers, signal })
    } catch (cause) {
      this.#signal.throwIfAborted()
      throw new CliError(`The daemon at ${this.#url} does not answer`, { cause })
    }
  }

  /** Waits; throws when the person has had enough. */
  async rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#signal }).catch(() => this.#signal.throwIfAborted())
  }
}

/** A JSON answer; throws CliError when it is a refusal or something else altogether. */
export async function read<T>(schema: z.ZodType<T>, response: Response): Promise<T> {
  const text = await response.text().catch((cause: unknown) => {
    throw new CliError('The connection to the daemon broke', { cause: new TypeError('broken', { cause }) })
  })
  const json = parseJson(text)
  if (!response.ok) {
    const refused = refusal.safeParse(json)
    throw new CliError(
      refused.success
        ? `${refused.data.error.code}: ${refused.data.error.message}`
        : `The daemon answered with status ${response.status}`,
    )
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success)
    throw new CliError('That is no answer of a ytdlpd that this one understands: is the address right?')
  return parsed.data
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // refused by the schema
  }
}
