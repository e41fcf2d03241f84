import type { KeyStore, StoredKey } from '../db/key-store.ts'
import { Refusal } from '../domain/errors.ts'
import { isLastingCreator, whyBeyond, whyUnusable } from '../domain/key-rules.ts'
import { ADMIN_KEY_NAME, NO_LIMITS, type ApiKey } from '../domain/key.ts'
import { missingFrom, PERMISSIONS } from '../domain/permissions.ts'
import type { KeyRing } from './key-ring.ts'

/** What a key has of which nothing was said. */
export const UNLIMITED = { limits: NO_LIMITS, expiresAt: null, disabledAt: null, permissions: [] } as const

export const isUsable = (key: ApiKey) => whyUnusable(key, Date.now()) === null
export const isUsableCreator = (key: ApiKey) => key.permissions.includes('create_key') && isUsable(key)
export const isWhole = (key: ApiKey) => missingFrom(key.permissions, PERMISSIONS).length === 0 && isUsable(key)

/** What has to be so before a key is made or changed. Each method refuses what is not. */
export class KeyGuard {
  readonly #ring: KeyRing
  readonly #store: Pick<KeyStore, 'creditsOf'>

  constructor(ring: KeyRing, store: Pick<KeyStore, 'creditsOf'>) {
    this.#ring = ring
    this.#store = store
  }

  /** The key of this id; refuses `key_not_found`. */
  requireId(id: string): StoredKey {
    const key = this.#ring.byId(id)
    if (!key) throw new Refusal('key_not_found', 'Key not found')
    return key
  }

  /** Refuses `conflict` a name that is taken, or kept for the key `admin`. */
  requireFree(name: string): void {
    if (this.#ring.byName(name) || name === ADMIN_KEY_NAME) throw new Refusal('conflict', 'Key already exists')
  }

  /** A key that the caller may change: nothing of it is beyond the caller, and `admin` is changed by its holder only. */
  async requireManaged(caller: ApiKey, id: string): Promise<StoredKey> {
    const key = this.requireId(id)
    await this.requireReach(caller, key)
    if (key.name === ADMIN_KEY_NAME && caller.id !== id && this.#ring.byId(caller.id))
      throw new Refusal('forbidden', 'The key admin can be changed by its holder only')
    return key
  }

  /** Refuses `forbidden` what the caller has not itself. */
  async requireReach(caller: ApiKey, target: Pick<ApiKey, 'permissions' | 'limits' | 'expiresAt'>): Promise<void> {
    const hasCredits = (await this.#store.creditsOf([caller.id])).size > 0
    const why = whyBeyond(caller, hasCredits, target)
    if (why !== null) throw new Refusal('forbidden', why)
  }

  /** Refuses `conflict` what would leave no key that can create keys for ever. */
  requireCreators(changed: ApiKey): void {
    const creators = this.#ring.all().filter(isLastingCreator)
    if (isLastingCreator(changed) || creators.some(({ id }) => id !== changed.id) || creators.length === 0) return
    throw new Refusal('conflict', 'The last key that can create keys must go on being one')
  }
}
