import type { ApiKey, KeyTerms } from '../domain/key.ts'
import { Refusal } from '../domain/errors.ts'
import { missingFrom, type Permission } from '../domain/permissions.ts'
import { UNLIMITED } from './key-guard.ts'

/** The key that calls without a key belong to; no key that is made later can have this id. */
export const ANONYMOUS_ID = 'anonymous'

/** All that somebody nobody knows may ever do. */
const MOST: readonly Permission[] = [
  'parse',
  'get_video',
  'get_audio',
  'get_info',
  'get_subtitles',
  'get_thumbnail',
  'get_post',
  'get_playlist',
]

/** What it begins with. No value has such a hash, and there is no value to be shown. */
export const newAnonymousKey = (isNameTaken: boolean) =>
  ({
    ...UNLIMITED,
    createdAt: Date.now(),
    id: ANONYMOUS_ID,
    name: isNameTaken ? 'anonymous-built-in' : 'anonymous',
    permissions: MOST,
    hash: 'none',
    sealed: '',
    old: null,
    lastUsedAt: null,
  }) as const

/** Refuses `conflict` what would let nobody in particular manage keys. */
export function requireAnonymous({ id }: ApiKey, { permissions }: Partial<KeyTerms>): void {
  if (id !== ANONYMOUS_ID || permissions === undefined) return
  const beyond = missingFrom(MOST, permissions)
  if (beyond.length > 0) throw new Refusal('conflict', `The key anonymous cannot have ${beyond.join(', ')}`)
}

/** Refuses `conflict` a value for the key that has none. */
export function requireValued(id: string | undefined): void {
  if (id === ANONYMOUS_ID)
    throw new Refusal('conflict', 'The key anonymous has no value: it is for calls without a key')
}
