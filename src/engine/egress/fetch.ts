import type { Readable } from 'node:stream'
import { isNativeError } from 'node:util/types'
import type { ProxyAgent } from 'undici'
import { TaskError, type TaskErrorCode } from '../../domain/errors.ts'
import type { Egress } from './egress.ts'
import type { EgressLane } from './lane.ts'
import { describeDenial } from './policy.ts'
import { canonicalHost, hostOfUrl } from './target.ts'

/** How a request is made; everything has a default. */
export type EgressFetchOptions = Readonly<{
  method?: string
  headers?: Readonly<Record<string, string>>
  body?: string | Uint8Array
  signal?: AbortSignal
  /** For everything, redirects and body included. */
  timeoutMs?: number
  /** Largest body that is kept. */
  maxBytes?: number
  /** `follow` goes through at most five redirects, each judged like the first URL. */
  redirect?: 'follow' | 'manual'
  /** Whose budget and credentials to use; without one the request has a lane of its own. */
  lane?: EgressLane
  /** Why a URL, of a redirect too, may not be asked for, null when it may; judged besides the policy. */
  refuse?: (url: URL) => string | null
}>

/** The answer, read to its end. */
export type EgressResponse = Readonly<{
  /** Of the last hop. */
  url: string
  status: number
  headers: Headers
  /** The body as it came. Throws TaskError `too_large` when it was longer than `maxBytes`. */
  bytes: () => Buffer
  /** The body as UTF-8. Throws like `bytes`. */
  text: () => string
}>

/** The daemon's own requests. Rejects with TaskError: egress_denied, dns, tls_error, network, too_large, cancelled. */
export type EgressFetch = (url: string, options?: EgressFetchOptions) => Promise<EgressResponse>

/** The answer as it comes: a body that nobody reads waits at its host. */
export type EgressStream = Readonly<{ url: string; status: number; headers: Headers; body: Readable }>

/**
 * Like `EgressFetch`, but the body is handed over while it comes; `timeoutMs` is for its head.
 * `maxBytes` bounds everything that is received. Whoever has the body reads it to its end or destroys it.
 */
export type EgressOpen = (url: string, options?: EgressFetchOptions) => Promise<EgressStream>

const TIMEOUT_MS = 30_000
/** A player that pauses takes nothing for a while. */
const SILENCE_MS = 300_000
const MAX_BYTES = 8 * 2 ** 20
const MAX_REDIRECTS = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Five megabytes that many a daemon never needs: loaded with the first request. */
const loadUndici = () => import('undici')

/** Makes the daemon's own requests go the way that all others go. */
export function createEgressFetch(egress: Pick<Egress, 'open' | 'policy' | 'ca'>): EgressFetch {
  return async (url, options = {}) => {
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
    const lane = options.lane ?? egress.open({ label: 'fetch', maxBytes: null, idleMs: timeoutMs })
    const agent = await openAgent(egress, lane, timeoutMs)
    const late = AbortSignal.timeout(timeoutMs)
    const signal = options.signal === undefined ? late : AbortSignal.any([late, options.signal])
    try {
      const journey = { url, agent, lane, signal, checkUrl: egress.policy.checkUrl }
      return await readAll(await follow(journey, options), options.maxBytes ?? MAX_BYTES)
    } catch (error) {
      throw translate(error, options.signal, late)
    } finally {
      await agent.destroy()
      if (options.lane === undefined) lane.revoke()
    }
  }
}

/** As `createEgressFetch`, for bodies of any size. */
export function createEgressOpen(egress: Pick<Egress, 'open' | 'policy' | 'ca'>): EgressOpen {
  return async (url, options = {}) => {
    const { timeoutMs = TIMEOUT_MS, maxBytes = null } = options
    const lane = options.lane ?? egress.open({ label: 'stream', maxBytes, idleMs: SILENCE_MS })
    const agent = await openAgent(egress, lane, timeoutMs)
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), timeoutMs)
    const close = () => {
      if (options.lane === undefined) lane.revoke()
      return agent.destroy()
    }
    const signal = options.signal === undefined ? late.signal : AbortSignal.any([late.signal, options.signal])
    try {
      const stream = await follow({ url, agent, lane, signal, checkUrl: egress.policy.checkUrl }, options)
      stream.body.once('close', () => void close())
      return stream
    } catch (error) {
      await close()
      throw translate(error, options.signal, late.signal)
    } finally {
      clearTimeout(timer)
    }
  }
}

async function openAgent(egress: Pick<Egress, 'ca'>, lane: EgressLane, timeoutMs: number): Promise<ProxyAgent> {
  const { ProxyAgent } = await loadUndici()
  return new ProxyAgent({
    uri: lane.proxyUrl,
    allowH2: false,
    connectTimeout: timeoutMs,
    ...(egress.ca === null ? {} : { requestTls: { ca: egress.ca } }),
  })
}

type Journey = Readonly<{
  url: string
  agent: ProxyAgent
  lane: EgressLane
  signal: AbortSignal
  checkUrl: Egress['policy']['checkUrl']
}>

async function follow(journey: Journey, options: EgressFetchOptions): Promise<EgressStream> {
  let next = options
  let url = journey.url
  for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
    const verdict = journey.checkUrl(url)
    if (!verdict.ok) throw new TaskError('egress_denied', verdict.reason)
    const why = options.refuse?.(verdict.url) ?? null
    if (why !== null) throw new TaskError('egress_denied', why)
    const response = await ask(verdict.url, journey, next)
    const location = response.headers.get('location')
    if (options.redirect === 'manual' || !REDIRECTS.has(response.status) || location === null) return response
    response.body.destroy()
    const target = URL.parse(location, verdict.url.href)
    if (target === null) throw new TaskError('network', 'the redirect cannot be read')
    next = afterRedirect(next, response.status, target.origin === verdict.url.origin)
    url = target.href
  }
  throw new TaskError('network', 'too many redirects')
}

/** RFC 9110 §15.4: what goes on to the next hop. Credentials stay with the origin they were meant for. */
function afterRedirect(options: EgressFetchOptions, status: number, isSameOrigin: boolean): EgressFetchOptions {
  const { method = 'GET', headers = {}, body, ...rest } = options
  const becomesGet = method !== 'HEAD' && (status === 303 || (status < 303 && method === 'POST'))
  const kept = Object.entries(headers).filter(([name]) => {
    const isCredential = /^(?:authorization|cookie|proxy-.*)$/i.test(name)
    return !(isCredential && !isSameOrigin) && !(becomesGet && /^content-/i.test(name))
  })
  return {
    ...rest,
    method: becomesGet ? 'GET' : method,
    headers: Object.fromEntries(kept),
    ...(becomesGet || body === undefined ? {} : { body }),
  }
}

async function ask(url: URL, journey: Journey, options: EgressFetchOptions): Promise<EgressStream> {
  const { lane, agent, signal } = journey
  const denialsBefore = lane.denials.length
  try {
    const { request } = await loadUndici()
    const answer = await request(url, {
      dispatcher: agent,
      method: options.method ?? 'GET',
      headers: { ...options.headers },
      body: options.body ?? null,
      signal,
    })
    answer.body.on('error', () => undefined) // told to whoever reads it; nobody may be reading
    const headers = new Headers()
    for (const [name, value] of Object.entries(answer.headers)) {
      for (const each of [value ?? []].flat()) headers.append(name, each)
    }
    const refusal = headers.get('x-egress-denied') ?? headers.get('x-egress-error')
    if (refusal !== null) throw new TaskError(refusalCode(refusal), `the host cannot be fetched from: ${refusal}`)
    return { url: url.href, status: answer.statusCode, headers, body: answer.body }
  } catch (error) {
    const host = canonicalHost(hostOfUrl(url) ?? '')
    const denial = lane.denials.slice(denialsBefore).find((each) => each.host === host)
    if (denial === undefined) throw error
    const code = denial.reason === 'dns' ? 'dns' : 'egress_denied'
    throw new TaskError(code, `${denial.host} is ${describeDenial(denial.reason)}`, { cause: error })
  }
}

async function readAll({ body, ...head }: EgressStream, maxBytes: number): Promise<EgressResponse> {
  const read = await readBody(body, maxBytes)
  const bytes = (): Buffer => {
    if (read === null) throw new TaskError('too_large', 'the answer is too large')
    return read
  }
  return { ...head, bytes, text: () => bytes().toString('utf8') }
}

/** Null when there is more than `maxBytes` of it; the rest is not waited for. */
async function readBody(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The proxy's own words, of `X-Egress-Denied` and `X-Egress-Error`; no origin can send them. */
function refusalCode(word: string): TaskErrorCode {
  const codes: Readonly<Record<string, TaskErrorCode>> = {
    dns: 'dns',
    connect: 'network',
    timeout: 'network',
    response: 'network',
    busy: 'network',
    too_large: 'too_large',
    revoked: 'cancelled',
  }
  return codes[word] ?? 'egress_denied'
}

const TLS_CODES = /^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED)/

function translate(error: unknown, given: AbortSignal | undefined, late: AbortSignal): TaskError {
  if (error instanceof TaskError) return error
  if (given?.aborted === true) {
    return given.reason instanceof TaskError ? given.reason : new TaskError('cancelled', 'the request was given up')
  }
  if (late.aborted) return new TaskError('network', 'no answer in time', { cause: error })
  const code = isNativeError(error) && 'code' in error ? String(error.code) : ''
  if (TLS_CODES.test(code)) return new TaskError('tls_error', 'the certificate cannot be trusted', { cause: error })
  return new TaskError('network', 'the host cannot be reached', { cause: error })
}
