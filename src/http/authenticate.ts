import type { Request } from 'express'
import { addressKind } from '../domain/address.ts'
import { isInCidrs } from '../domain/cidr.ts'
import { Refusal } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import { whyUnusable } from '../domain/key-rules.ts'
import type { Keys } from '../keys/keys.ts'
import { isPassedOn } from './passed-on.ts'
import { isLocalToken, LOCAL_KEY } from '../keys/local-token.ts'
import type { Seal } from '../keys/seal.ts'

/** What it takes to know a caller. */
export type AuthContext = Readonly<{ keys: Keys; seal: Seal }>

/**
 * The key of a call whose headers carry `value`. Refuses `key_missing`, `key_invalid`, also for a key that is switched off
 * or has expired, and `forbidden` where the key may not be used from the caller's address.
 */
export function authenticateValue({ keys, seal }: AuthContext, req: Request, value: string | undefined): ApiKey {
  if (!value) throw new Refusal('key_missing', 'No API key provided', { details: [WHERE_A_KEY_STANDS] })
  const key = keys.authenticate(value)
  if (!key) {
    if (isFromHere(req) && isLocalToken(seal, value, Date.now())) return LOCAL_KEY
    throw new Refusal('key_invalid', 'Invalid API key')
  }
  return admit({ keys }, req, key)
}

/** A key that is known; refuses `key_invalid` and `forbidden` like `authenticateValue`. */
export function admit({ keys }: Pick<AuthContext, 'keys'>, req: Request, key: ApiKey): ApiKey {
  const why = whyUnusable(key, Date.now())
  if (why !== null) throw new Refusal('key_invalid', why)
  const { cidrs } = key.limits
  if (cidrs !== null && !isInCidrs(req.ip ?? '', cidrs))
    throw new Refusal('forbidden', 'This API key may not be used from this address')
  keys.touch(key.id)
  return key
}

const WHERE_A_KEY_STANDS = { field: 'X-API-Key', message: 'The key stands in this header' }

/** The value in `X-API-Key` or `Authorization: Bearer`. */
export function valueIn(req: Request): string | undefined {
  return req.get('x-api-key') ?? /^Bearer (\S+)$/i.exec(req.get('authorization') ?? '')?.[1]
}

/** From this machine, and not through a proxy on it. */
const isFromHere = (req: Request): boolean =>
  addressKind(req.socket.remoteAddress ?? '') === 'loopback' && !isPassedOn(req)
