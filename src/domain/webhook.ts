import type { WebhookEvent } from './task.ts'

/** Where a message to a client stands; the last two are final, unless it is sent again by hand. */
export const DELIVERY_STATES = ['waiting', 'delivered', 'failed'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

/** How one attempt to deliver went. `status`: null when there was no answer; `error`: null when it was delivered. */
export type DeliveryAttempt = Readonly<{ at: number; status: number | null; error: string | null }>

/** One message to a client's webhook. Times are milliseconds since the epoch. */
export type Delivery = Readonly<{
  /** Order in which they came up. */
  seq: number
  /** Also the `webhook-id` that goes with it: the same at every attempt. */
  id: string
  keyId: string
  taskId: string | null
  batchId: string | null
  event: WebhookEvent
  url: string
  /** What is sent, as it is signed; null until it is written, moments after it came up. */
  body: string | null
  state: DeliveryState
  attempts: number
  nextAt: number | null
  createdAt: number
  finishedAt: number | null
  /** HTTP status of the latest attempt, null when there was no answer. */
  lastStatus: number | null
  /** Why the latest attempt failed. */
  lastError: string | null
  /** The latest attempts, oldest first. */
  log: readonly DeliveryAttempt[]
}>

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** The waits between attempts: eleven attempts within a day. */
export const DELIVERY_WAITS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  4 * HOUR,
  8 * HOUR,
  8 * HOUR,
]

/** Longest wait that a receiver can ask for, and how far a wait is drawn out at random so that not all come at once. */
const MAX_ASKED_WAIT_MS = HOUR
const JITTER = 0.1

/** What one attempt came to: a status, or none and why; `retryAfterMs` where the receiver asked for a wait. */
export type DeliveryAnswer = Readonly<{
  status: number | null
  error: string | null
  retryAfterMs: number | null
  /** Nothing will change by trying again. */
  isHopeless: boolean
}>

/** Milliseconds until the next attempt after `attempts` failed ones, null when that was the last. `random`: 0 to 1. */
export function nextWait(
  attempts: number,
  { isHopeless, retryAfterMs }: Pick<DeliveryAnswer, 'isHopeless' | 'retryAfterMs'>,
  { waits, random }: Readonly<{ waits: readonly number[]; random: number }>,
): number | null {
  const wait = waits[attempts - 1]
  if (isHopeless || wait === undefined) return null
  const asked = Math.min(retryAfterMs ?? 0, MAX_ASKED_WAIT_MS)
  return Math.round(Math.max(wait, asked) * (1 + JITTER * random))
}
