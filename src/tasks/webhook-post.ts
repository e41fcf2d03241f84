import { TaskError } from '../domain/errors.ts'
import type { DeliveryAnswer } from '../domain/webhook.ts'
import type { EgressFetch } from '../engine/egress/index.ts'
import { VERSION } from '../version.ts'

/** For a whole attempt, and what is read of the answer. */
const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 4_096

/** A message as it goes out. */
export type Post = Readonly<{
  url: string
  body: string
  headers: Readonly<Record<string, string>>
  signal: AbortSignal
}>

/** Sends one message once. Rejects with TaskError `cancelled` when it was told to stop, and never otherwise. */
export type PostWebhook = (post: Post) => Promise<DeliveryAnswer>

/** Sends by the daemon's own way out: addresses that are nobody's business are refused there. Redirects are not followed. */
export const createPostWebhook =
  (fetch: EgressFetch): PostWebhook =>
  async ({ url, body, headers, signal }) => {
    try {
      const { status, headers: answered } = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': `ytdlpd/${VERSION}`, ...headers },
        body,
        signal,
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_ANSWER_BYTES,
        redirect: 'manual',
      })
      const isTaken = status >= 200 && status < 300
      return {
        status,
        error: isTaken ? null : `the receiver answered with ${status}`,
        retryAfterMs: retryAfterOf(answered.get('retry-after')),
        isHopeless: status === 410, // the scheme: the receiver wants no more
      }
    } catch (thrown) {
      const error = TaskError.from(thrown)
      if (error.code === 'cancelled') throw error
      return { status: null, error: error.message, retryAfterMs: null, isHopeless: error.code === 'egress_denied' }
    }
  }

/** Seconds or a date. */
function retryAfterOf(value: string | null): number | null {
  if (value === null) return null
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const at = Date.parse(value)
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now())
}
