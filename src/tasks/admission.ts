import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TaskStore } from '../db/task-store.ts'
import type { UsageLog } from '../db/usage.ts'
import { Refusal } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import { isOfSites } from '../domain/site.ts'
import type { TaskRequest } from '../domain/task.ts'

/** Seconds after which a refused submission is worth another try. */
const BUSY_RETRY_AFTER_S = 10
const DAY_MS = 86_400_000
/** Addresses that are looked at before somebody else has a turn. */
const AT_A_STRETCH = 500

/** What holds for everybody; 0 = no limit. */
export type AdmissionLimits = Readonly<{ maxQueue: number; maxQueuedPerKey: number; maxBytesPerKeyPerDay: number }>

/** What it takes to know how much a key has used. */
export type AdmissionDeps = Readonly<{
  store: TaskStore
  usage: UsageLog
  /** What these keys have left; those whose tasks are not counted are not in it. */
  creditsOf: (ids: readonly string[]) => Promise<ReadonlyMap<string, number>>
  limits: AdmissionLimits
}>

/** Decides whether tasks are taken on. The database itself reserves their credits, with the tasks. */
export class Admission {
  readonly #deps: AdmissionDeps

  constructor(deps: AdmissionDeps) {
    this.#deps = deps
  }

  /**
   * Refuses what the key may not ask for (`forbidden`), what it has no credits for (`no_credits`), and what there is no
   * room for now (`queue_full`, `limit_exceeded`): all of it or nothing. Whoever adds the tasks lets no other in between.
   */
  async check(key: ApiKey, requests: readonly TaskRequest[]): Promise<void> {
    for (const [index, request] of requests.entries()) {
      requireSite(key, request.url)
      requirePreset(key, request.sitePreset)
      if (index % AT_A_STRETCH === AT_A_STRETCH - 1) await nextTurn() // a playlist may have tens of thousands
    }
    await this.#requireRoom(key, requests.length)
    await this.#requireDay(key, requests.length)
    await this.#requireCredits(key, requests.filter(costsCredit).length)
  }

  async #requireCredits(key: ApiKey, count: number): Promise<void> {
    const left = (await this.#deps.creditsOf([key.id])).get(key.id)
    if (left !== undefined && left < count)
      throw new Refusal('no_credits', `This key has ${left} credits left, ${count} are needed`)
  }

  async #requireRoom(key: ApiKey, count: number): Promise<void> {
    const { store, limits } = this.#deps
    const retryAfter = BUSY_RETRY_AFTER_S
    if ((await store.countWaiting()) + count > limits.maxQueue)
      throw new Refusal('queue_full', 'Queue is full', { retryAfter })
    const most = least(limits.maxQueuedPerKey || null, key.limits.maxQueued)
    if (most === null) return
    if (count > most) throw new Refusal('limit_exceeded', `This key may have ${most} waiting tasks`)
    if ((await store.usageOf(key.id)).waiting + count > most)
      throw new Refusal('limit_exceeded', `This key may have ${most} waiting tasks`, { retryAfter })
  }

  async #requireDay(key: ApiKey, count: number): Promise<void> {
    const { usage, limits } = this.#deps
    const maxTasks = key.limits.tasksPerDay
    const maxBytes = least(limits.maxBytesPerKeyPerDay || null, key.limits.bytesPerDay)
    if (maxTasks === null && maxBytes === null) return
    const now = Date.now()
    const today = await usage.today(key.id, now)
    const retryAfter = (DAY_MS - (now % DAY_MS)) / 1000
    if (maxTasks !== null && today.accepted + count > maxTasks)
      throw new Refusal('limit_exceeded', `This key may submit ${maxTasks} tasks a day (UTC)`, { retryAfter })
    if (maxBytes !== null && today.bytes >= maxBytes)
      throw new Refusal('limit_exceeded', `This key may fetch ${maxBytes} bytes a day (UTC)`, { retryAfter })
  }
}

/**
 * Refuses `forbidden` a URL on a site that the key may not fetch from. Where a site sends the engine on to is not looked
 * at: a medium's bytes often come from elsewhere.
 */
export function requireSite(key: ApiKey, url: string): void {
  if (!mayFetch(key, url))
    throw new Refusal('forbidden', `This key may fetch from ${key.limits.sites?.join(', ') || 'no site'} only`)
}

/** Whether the key may fetch from the site of this URL. */
export const mayFetch = ({ limits: { sites } }: Pick<ApiKey, 'limits'>, url: string): boolean =>
  sites === null || isOfSites(url, sites)

/** Refuses `forbidden` an operator's preset that the key may not name. */
export function requirePreset({ limits: { presets } }: ApiKey, preset: string | null): void {
  if (preset !== null && presets !== null && !presets.includes(preset))
    throw new Refusal('forbidden', 'This key may not use that preset')
}

/** What brings no file of its own costs nothing. The database goes by the same rule. */
const costsCredit = ({ kind }: TaskRequest): boolean => kind !== 'info' && kind !== 'playlist'

/** The smaller of two limits that there may be. */
export const least = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.min(a, b)
