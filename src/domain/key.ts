import type { Permission } from './permissions.ts'

/** The key that every installation has; only its own holder may replace it. */
export const ADMIN_KEY_NAME = 'admin'

/** An API key without its value. Times are milliseconds since the epoch. */
export type ApiKey = Readonly<{
  id: string
  name: string
  permissions: readonly Permission[]
  createdAt: number
}>
