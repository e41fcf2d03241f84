import { nanoid } from 'nanoid'
import { ConfigError } from '../config/index.ts'
import type { KeyStore, StoredKey } from '../db/key-store.ts'
import { Refusal } from '../domain/errors.ts'
import { ADMIN_KEY_NAME, type ApiKey, type KeyLimits, type KeyTerms } from '../domain/key.ts'
import { hadEverything, madeUsable } from '../domain/key-rules.ts'
import { OneByOne } from '../domain/one-by-one.ts'
import { missingFrom, PERMISSIONS, type Permission } from '../domain/permissions.ts'
import { ANONYMOUS_ID, newAnonymousKey, requireAnonymous, requireValued } from './anonymous-key.ts'
import { isUsable, isUsableCreator, isWhole, KeyGuard, UNLIMITED } from './key-guard.ts'
import { KeyRing } from './key-ring.ts'
import { hashOf, newValue } from './key-value.ts'
import { LastUse } from './last-use.ts'
import type { Seal } from './seal.ts'

/** A key and its value; null when that was sealed with another key file. */
export type KeyWithValue = Readonly<{ key: ApiKey; value: string | null }>

/** A key that was made or got a new value just now. */
export type NewValue = Readonly<{ key: ApiKey; value: string }>

/**
 * The keys of this installation. All of them are held in memory, so that a poll costs no query; this object is their
 * only writer, but for credits, which tasks take and give back. Values are looked up by their hash and stored sealed.
 */
export class Keys implements AsyncDisposable {
  readonly #store: KeyStore
  readonly #seal: Seal
  readonly #ring = new KeyRing()
  readonly #guard: KeyGuard
  readonly #lastUse: LastUse
  /** Each change decides by what the one before has written. */
  readonly #changes = new OneByOne()
  readonly #revoked = new Set<(keyId: string) => void>()

  private constructor(store: KeyStore, seal: Seal) {
    this.#store = store
    this.#seal = seal
    this.#guard = new KeyGuard(this.#ring, store)
    this.#lastUse = new LastUse((times) => store.setLastUsed(times))
  }

  /** Reads all keys; there must be one such object for a store. */
  static async open(store: KeyStore, seal: Seal): Promise<Keys> {
    const keys = new Keys(store, seal)
    for (const key of await store.all()) keys.#ring.put(key)
    return keys
  }

  /**
   * Makes sure there is a way in: gives `admin` the configured value, or makes it when no key can create keys. An `admin`
   * that could do everything there was in an earlier version can do everything again.
   * Returns a value that was made up here, to be shown once; null otherwise. Throws ConfigError when the configured value
   * is that of another key.
   */
  async ensureAdmin(configured: string | null): Promise<string | null> {
    const owner = configured === null ? null : this.authenticate(configured)
    if (owner !== null && owner.name !== ADMIN_KEY_NAME) {
      throw new ConfigError(`ADMIN_API_KEY is the value of the key ${JSON.stringify(owner.name)}: choose another`)
    }
    const known = this.#ring.byName(ADMIN_KEY_NAME)
    if (configured === null && this.#ring.all().some(isUsableCreator)) {
      if (known && hadEverything(known)) await this.#write({ ...known, permissions: PERMISSIONS })
      return null
    }
    const value = configured ?? newValue()
    if (known?.hash !== hashOf(value) || !isWhole(known)) await this.#put(ADMIN_KEY_NAME, value, PERMISSIONS)
    return configured === null ? value : null
  }

  /** Makes sure that there is the key that calls without a key belong to. */
  ensureAnonymous(): Promise<void> {
    return this.#changes.do(async () => {
      if (this.#ring.byId(ANONYMOUS_ID)) return
      await this.#write(newAnonymousKey(this.#ring.byName(ANONYMOUS_ID) !== undefined))
    })
  }

  /** The key that calls without a key belong to; null when there is none, or it may not be used. */
  anonymous(): ApiKey | null {
    const key = this.#ring.byId(ANONYMOUS_ID)
    return key && isUsable(key) ? key : null
  }

  /** The key of this value, null when there is none. It may be one that is switched off or has expired. */
  authenticate(value: string): ApiKey | null {
    return this.#ring.byHash(hashOf(value), Date.now()) ?? null
  }

  /** Every key, in the order in which they were made. */
  list(): readonly ApiKey[] {
    return this.#ring.all()
  }

  /** Every key, with its value. */
  all(): KeyWithValue[] {
    return this.#ring.all().map((key) => ({ key, value: this.#valueOf(key) }))
  }

  /** Refuses `key_not_found`. The value is null when it was sealed with another key file. */
  require(name: string): KeyWithValue {
    const key = this.#ring.byName(name)
    if (!key) throw new Refusal('key_not_found', 'Key not found')
    return { key, value: this.#valueOf(key) }
  }

  /** The key of this id; refuses `key_not_found`. */
  requireId(id: string): ApiKey {
    return this.#guard.requireId(id)
  }

  /** What a key may not exceed; null when there is no such key (any more). */
  limitsOf(id: string): KeyLimits | null {
    return this.#ring.byId(id)?.limits ?? null
  }

  /** What these keys have left; those whose tasks are not counted are not in it. */
  creditsOf(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#store.creditsOf(ids)
  }

  /** Notes that the key was used just now. */
  touch(id: string): void {
    this.#lastUse.touch(id)
  }

  /** When the key was last used, null when never. */
  lastUsedAt(id: string): number | null {
    return this.#lastUse.of(id) ?? this.#ring.byId(id)?.lastUsedAt ?? null
  }

  /** Calls back with each key whose holder has to be shut out at once. */
  whenRevoked(listener: (keyId: string) => void): void {
    this.#revoked.add(listener)
  }

  /** Creates a key or gives an existing name a new value. Refuses `forbidden` and `conflict`. */
  create(caller: ApiKey, name: string, permissions: readonly Permission[]): Promise<NewValue> {
    return this.#changes.do(async () => {
      if (missingFrom(caller.permissions, permissions).length > 0)
        throw new Refusal('forbidden', 'Insufficient permissions')
      const existing = this.#ring.byName(name)
      requireValued(existing?.id)
      const isOwnOrAdmin = existing?.id === caller.id || name === ADMIN_KEY_NAME
      if (existing && (isOwnOrAdmin || missingFrom(caller.permissions, existing.permissions).length > 0))
        throw new Refusal('conflict', 'Key already exists')
      await this.#guard.requireReach(caller, {
        ...(existing ? madeUsable(existing, Date.now()) : UNLIMITED),
        permissions,
      })
      if (existing) this.#guard.requireCreators({ ...existing, permissions })
      const value = newValue()
      return { key: await this.#put(name, value, permissions), value }
    })
  }

  /** Creates a key. Refuses `forbidden` what the caller cannot give, `conflict` a name that is taken. */
  add(caller: ApiKey, { credits, ...terms }: KeyTerms): Promise<NewValue> {
    return this.#changes.do(async () => {
      await this.#guard.requireReach(caller, terms)
      this.#guard.requireFree(terms.name)
      const value = newValue()
      const key = this.#made({ ...terms, id: nanoid(), createdAt: Date.now(), disabledAt: null }, value)
      return { key: await this.#write(key, credits), value }
    })
  }

  /** Changes what is given of a key; its value stays. Refuses `key_not_found`, `forbidden` and `conflict`. */
  edit(caller: ApiKey, id: string, { credits, ...terms }: Partial<KeyTerms>): Promise<ApiKey> {
    return this.#changes.do(async () => {
      const key = await this.#guard.requireManaged(caller, id)
      requireAnonymous(key, terms)
      const changed: StoredKey = { ...key, ...terms }
      await this.#guard.requireReach(caller, changed)
      if (changed.name !== key.name) {
        if (key.name === ADMIN_KEY_NAME) throw new Refusal('conflict', 'The key admin keeps its name')
        this.#guard.requireFree(changed.name)
      }
      // The last way in cannot be made one that is used up.
      this.#guard.requireCreators(credits === undefined || credits === null ? changed : { ...changed, permissions: [] })
      return this.#write(changed, credits)
    })
  }

  /** Gives a key a new value; the old one stops working after `graceMs`. Refuses `key_not_found` and `forbidden`. */
  rotate(caller: ApiKey, id: string, graceMs: number): Promise<NewValue> {
    return this.#changes.do(async () => {
      const key = await this.#guard.requireManaged(caller, id)
      requireValued(id)
      const value = newValue()
      const made = this.#made(key, value)
      const old = graceMs > 0 ? { hash: key.hash, until: Date.now() + graceMs } : null
      const written = await this.#write({ ...made, old })
      if (graceMs === 0) this.#revoke(id)
      return { key: written, value }
    })
  }

  /** Switches a key off or on again. Refuses `key_not_found`, `forbidden`, and `conflict` for the last that can create keys. */
  setDisabled(caller: ApiKey, id: string, isDisabled: boolean): Promise<ApiKey> {
    return this.#changes.do(async () => {
      const key = await this.#guard.requireManaged(caller, id)
      if ((key.disabledAt !== null) === isDisabled) return key
      const changed = { ...key, disabledAt: isDisabled ? Date.now() : null }
      this.#guard.requireCreators(changed)
      const written = await this.#write(changed)
      if (isDisabled) this.#revoke(id)
      return written
    })
  }

  /** Takes a key over with the value it has elsewhere; null when that name or value is taken. */
  adopt(name: string, value: string, permissions: readonly Permission[]): Promise<ApiKey | null> {
    return this.#changes.do(async () => {
      if (this.#ring.byName(name) || this.authenticate(value)) return null
      return this.#put(name, value, permissions)
    })
  }

  /** Refuses `key_not_found`, and `conflict` for the last key that can create keys. */
  remove(name: string): Promise<void> {
    return this.#changes.do(() => this.#remove(this.require(name).key))
  }

  /** As `remove`; also refuses `forbidden` when the key holds more than the caller. */
  removeId(caller: ApiKey, id: string): Promise<ApiKey> {
    return this.#changes.do(async () => {
      const key = this.#guard.requireId(id)
      if (missingFrom(caller.permissions, key.permissions).length > 0)
        throw new Refusal('forbidden', 'Insufficient permissions')
      await this.#remove(key)
      return key
    })
  }

  async #remove(key: ApiKey): Promise<void> {
    this.#guard.requireCreators({ ...key, permissions: [] })
    await this.#store.remove(key.id)
    this.#ring.remove(key.id)
    this.#lastUse.forget(key.id)
    this.#revoke(key.id)
  }

  /** Writes what is only in memory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lastUse.flush()
  }

  /** Creates a key, or gives the one of that name a new value and new permissions, and makes it usable. */
  async #put(name: string, value: string, permissions: readonly Permission[]): Promise<ApiKey> {
    const existing = this.#ring.byName(name)
    const key = existing
      ? madeUsable(existing, Date.now())
      : { ...UNLIMITED, id: nanoid(), name, createdAt: Date.now() }
    return this.#write(this.#made({ ...key, permissions: [...new Set(permissions)] }, value))
  }

  #made(key: ApiKey & Partial<Pick<StoredKey, 'lastUsedAt'>>, value: string): StoredKey {
    return { lastUsedAt: null, ...key, hash: hashOf(value), sealed: this.#seal.seal(value, key.id), old: null }
  }

  async #write(key: StoredKey, credits?: number | null): Promise<ApiKey> {
    await this.#store.put(key, credits)
    this.#ring.put(key)
    return key
  }

  #revoke(id: string): void {
    for (const listener of this.#revoked) listener(id)
  }

  #valueOf(key: StoredKey): string | null {
    return this.#seal.unseal(key.sealed, key.id)
  }
}
