import type { Permission } from './permissions.ts'

/** The key that every installation has; only its own holder may replace it. */
export const ADMIN_KEY_NAME = 'admin'

/** An API key without its value. Times are milliseconds since the epoch. */
export type ApiKey = Readonly<{
  id: string
  name: string
  permissions: readonly Permission[]
  createdAt: number
  /** When it stops working; null = never. */
  expiresAt: number | null
  /** Since when it is switched off; null = it works. */
  disabledAt: number | null
  limits: KeyLimits
}>

/** What is decided about a key. */
export type KeyTerms = Readonly<{
  name: string
  permissions: readonly Permission[]
  limits: KeyLimits
  expiresAt: number | null
  /** Tasks that may still bring a file; null = not counted. */
  credits: number | null
}>

/** What a key may not exceed; null = only the limits that hold for everybody. */
export type KeyLimits = Readonly<{
  /** Sites it may fetch from, by registrable domain such as `youtube.com`, subdomains included; null = all. */
  sites: readonly string[] | null
  /** Addresses it may call from, CIDRs; null = any. */
  cidrs: readonly string[] | null
  /** Operator's presets it may name in a request; null = all. */
  presets: readonly string[] | null
  requestsPerMinute: number | null
  maxQueued: number | null
  maxRunning: number | null
  tasksPerDay: number | null
  bytesPerDay: number | null
}>

/** A key that only the general limits hold for. */
export const NO_LIMITS: KeyLimits = {
  sites: null,
  cidrs: null,
  presets: null,
  requestsPerMinute: null,
  maxQueued: null,
  maxRunning: null,
  tasksPerDay: null,
  bytesPerDay: null,
}
