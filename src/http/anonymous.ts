import type { Request } from 'express'
import type { KeylessDialect } from '../domain/dialect.ts'
import type { ApiKey } from '../domain/key.ts'
import { admit, authenticateValue, valueIn, type AuthContext } from './authenticate.ts'
import { isLocal } from './local-call.ts'

/** What it takes to know who may come in without a key. */
export type AnonymousContext = AuthContext &
  Readonly<{ settings: Readonly<{ anonymousAccess: readonly KeylessDialect[]; isLocalOnly: boolean }> }>

/**
 * The key of a call to a dialect whose clients know no keys: the one it shows, else `anonymous`. That one is only for
 * dialects that the operator opened, and for programs on this machine while no other can reach the daemon. Refuses
 * like `authenticateValue`.
 */
export function authenticateOrAnonymous(ctx: AnonymousContext, req: Request, dialect: KeylessDialect): ApiKey {
  const value = valueIn(req)
  const anonymous = ctx.keys.anonymous()
  if (value !== undefined || anonymous === null || !isOpen(ctx, req, dialect)) return authenticateValue(ctx, req, value)
  return admit(ctx, req, anonymous)
}

/** Whether a dialect is open to whoever makes this call. */
function isOpen({ settings }: AnonymousContext, req: Request, dialect: KeylessDialect): boolean {
  return settings.anonymousAccess.includes(dialect) || (settings.isLocalOnly && isLocal(req))
}
