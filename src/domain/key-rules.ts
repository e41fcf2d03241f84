import { isoTime } from './iso-time.ts'
import type { ApiKey, KeyLimits } from './key.ts'
import { CORE_PERMISSIONS, missingFrom } from './permissions.ts'

/** What of a key is inherited by those it makes. */
type Reach = Readonly<Pick<ApiKey, 'permissions' | 'limits' | 'expiresAt'>>

/** Why a key may not be used at this moment, null when it may. */
export function whyUnusable({ disabledAt, expiresAt }: Pick<ApiKey, 'disabledAt' | 'expiresAt'>, now: number) {
  if (disabledAt !== null) return 'This API key is disabled'
  if (expiresAt !== null && expiresAt <= now) return `This API key expired at ${isoTime(expiresAt)}`
  return null
}

/** The key as it is when it gets a new value under its name: an end that lies behind it counts no more. */
export function madeUsable<K extends ApiKey>(key: K, now: number): K {
  const hasExpired = key.expiresAt !== null && key.expiresAt <= now
  return { ...key, disabledAt: null, expiresAt: hasExpired ? null : key.expiresAt }
}

/** Whether a key has exactly what there was before this API, and so could do everything. */
export const hadEverything = ({ permissions }: ApiKey): boolean =>
  permissions.length === CORE_PERMISSIONS.length && missingFrom(permissions, CORE_PERMISSIONS).length === 0

/** Whether the key can always make others: there must be one such key. */
export const isLastingCreator = (key: Reach & Pick<ApiKey, 'disabledAt'>): boolean =>
  key.permissions.includes('create_key') && key.disabledAt === null && key.expiresAt === null && !isMetered(key.limits)

/** Whether something of the key is used up, so that more keys would be more of it. */
const isMetered = (limits: KeyLimits): boolean =>
  [limits.requestsPerMinute, limits.maxQueued, limits.maxRunning, limits.tasksPerDay, limits.bytesPerDay].some(
    (limit) => limit !== null,
  )

/** Why `caller` may not give, or lay its hands on, what a key with this reach can do; null when it may. */
export function whyBeyond(caller: Reach, hasCredits: boolean, target: Reach): string | null {
  const missing = missingFrom(caller.permissions, target.permissions)
  if (missing.length > 0) return 'Insufficient permissions'
  if (hasCredits || isMetered(caller.limits)) return 'A key whose use is counted may not manage keys'
  if (caller.expiresAt !== null && (target.expiresAt ?? Infinity) > caller.expiresAt)
    return `The key must expire as the calling key does, by ${isoTime(caller.expiresAt)}`
  for (const name of ['sites', 'cidrs', 'presets'] as const) {
    const own = caller.limits[name]
    const wanted = target.limits[name]
    if (own !== null && (wanted === null || wanted.some((word) => !own.includes(word))))
      return `The key may have no more ${name} than the calling key: ${own.join(', ') || 'none'}`
  }
  return null
}
