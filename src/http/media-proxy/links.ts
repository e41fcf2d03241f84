import type { Request } from 'express'
import type { Platform } from '../../domain/platform.ts'
import { whyUnusable } from '../../domain/key-rules.ts'
import type { ApiKey } from '../../domain/key.ts'
import { Refusal } from '../../domain/errors.ts'
import type { Keys } from '../../keys/keys.ts'
import type { Seal } from '../../keys/seal.ts'
import { baseUrlOf } from '../files/links.ts'

/** The proxy's path in every face that has it. */
export const PROXY_PATH = '/api/media-proxy'

/** How long a link works where the medium's own address does not say when it ends. */
const VALID_MS = 6 * 3_600_000

/** A medium to be passed on. */
type Medium = Readonly<{ platform: Platform; url: string }>

type LinkContext = Readonly<{ seal: Seal; settings: Readonly<{ publicBaseUrl: string | null }> }>

/**
 * Makes addresses of media that need neither a key nor the headers of their hosts: they lead through this daemon, as the
 * key that asked, until the medium's own address ends.
 */
export function proxyLinks({ seal, settings }: LinkContext, key: ApiKey, req: Request) {
  // An address of its own has no other prefix than the one that the call came by.
  const base = `${baseUrlOf(req, settings.publicBaseUrl)}${req.baseUrl}${PROXY_PATH}`
  return (medium: Medium, expiresAt: number | null): string => {
    const expires = String(Math.ceil((expiresAt ?? Date.now() + VALID_MS) / 1000))
    const signature = seal.sign(textOf(medium, key.id, expires))
    const query = new URLSearchParams({ ...medium, key: key.id, expires, signature })
    return `${base}?${query.toString()}`
  }
}

/** The key that signed the address of a call; null when it is not signed. Refuses `key_invalid` when that does not hold. */
export function linkSigner(
  { keys, seal }: Readonly<{ keys: Keys; seal: Seal }>,
  { query }: Request,
  medium: Medium,
): ApiKey | null {
  const { key: keyId, expires, signature } = query
  if (signature === undefined) return null
  const holds =
    typeof keyId === 'string' &&
    typeof expires === 'string' &&
    typeof signature === 'string' &&
    /^\d{1,12}$/.test(expires) &&
    Number(expires) * 1000 > Date.now() &&
    seal.verify(textOf(medium, keyId, expires), signature)
  const key = holds ? keys.list().find(({ id }) => id === keyId) : undefined
  if (!key || whyUnusable(key, Date.now()) !== null)
    throw new Refusal('key_invalid', 'This link is not valid, or not any more')
  return key
}

const textOf = ({ platform, url }: Medium, keyId: string, expires: string) =>
  `media ${platform} ${keyId} ${expires} ${url}`
