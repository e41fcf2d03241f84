import { NO_LIMITS, type ApiKey } from '../domain/key.ts'
import { PERMISSIONS } from '../domain/permissions.ts'
import type { Seal } from './seal.ts'

const PREFIX = 'local'
/** Long enough for one command. */
const VALID_MS = 60_000

/** Who manages keys from a shell on this machine, with the rights of whoever can read the key file: everything. */
export const LOCAL_KEY: ApiKey = {
  id: 'local',
  name: 'cli',
  permissions: PERMISSIONS,
  createdAt: 0,
  expiresAt: null,
  disabledAt: null,
  limits: NO_LIMITS,
}

const signed = (expiry: string) => `token of this machine until ${expiry}`

/** Stands for `LOCAL_KEY` for a minute. */
export function makeLocalToken(seal: Seal, now: number): string {
  const expiry = String(now + VALID_MS)
  return `${PREFIX}.${expiry}.${seal.sign(signed(expiry))}`
}

/** Whether a value is such a token and its time is not over. */
export function isLocalToken(seal: Seal, value: string, now: number): boolean {
  const [prefix, expiry = '', signature = '', ...more] = value.split('.')
  if (prefix !== PREFIX || more.length > 0 || !/^\d{1,15}$/.test(expiry)) return false
  const until = Number(expiry)
  return until > now && until <= now + VALID_MS && seal.verify(signed(expiry), signature)
}
