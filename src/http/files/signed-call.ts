import type { Request } from 'express'
import { Refusal } from '../../domain/errors.ts'
import { whyUnusable } from '../../domain/key-rules.ts'
import type { ApiKey } from '../../domain/key.ts'
import type { Keys } from '../../keys/keys.ts'
import type { Seal } from '../../keys/seal.ts'

/** An address that may be fetched without a key, as the key that made it, for as long as that key works. */
export function signedAddress(
  base: string,
  path: string,
  by: Readonly<{ keyId: string; expiresAt: number; seal: Seal }>,
): string {
  const expires = Math.ceil(by.expiresAt / 1000)
  const query = new URLSearchParams({
    key: by.keyId,
    expires: String(expires),
    signature: by.seal.sign(textOf(path, by.keyId, expires)),
  })
  return `${base}${path}?${query.toString()}`
}

/** The key that signed the address of a call; null when it is not signed. Refuses `not_found` for a signature that does not hold. */
export function signerOf({ keys, seal }: Readonly<{ keys: Keys; seal: Seal }>, req: Request): ApiKey | null {
  const { key: keyId, expires, signature } = req.query
  if (signature === undefined) return null
  const isText = typeof keyId === 'string' && typeof expires === 'string' && typeof signature === 'string'
  const holds =
    isText &&
    /^\d{1,12}$/.test(expires) &&
    Number(expires) * 1000 > Date.now() &&
    seal.verify(textOf(req.baseUrl + req.path, keyId, expires), signature)
  const key = holds ? workingKey(keys, keyId) : null
  if (!key) throw new Refusal('not_found', 'This link is not valid, or not any more')
  return key
}

function workingKey(keys: Keys, id: string): ApiKey | null {
  try {
    const key = keys.requireId(id)
    return whyUnusable(key, Date.now()) === null ? key : null
  } catch {
    return null // deleted since
  }
}

const textOf = (path: string, keyId: string, expires: number | string) => `${path} ${keyId} ${expires}`
