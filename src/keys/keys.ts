import { hash, randomBytes } from 'node:crypto'
import { nanoid } from 'nanoid'
import { ConfigError } from '../config/index.ts'
import type { KeyStore, StoredKey } from '../db/key-store.ts'
import { Refusal } from '../domain/errors.ts'
import { ADMIN_KEY_NAME, type ApiKey } from '../domain/key.ts'
import { missingFrom, PERMISSIONS, type Permission } from '../domain/permissions.ts'
import type { Seal } from './seal.ts'

/** 32 random bytes: 43 URL-safe characters. */
const VALUE_BYTES = 32

/** A key and its value; null when that was sealed with another key file. */
export type KeyWithValue = Readonly<{ key: ApiKey; value: string | null }>

/**
 * The keys of this installation. All of them are held in memory, so that a poll costs no query; this object is their
 * only writer. Values are looked up by their hash and stored sealed.
 */
export class Keys {
  readonly #store: KeyStore
  readonly #seal: Seal
  readonly #byHash = new Map<string, StoredKey>()
  readonly #byName = new Map<string, StoredKey>()
  #lastChange: Promise<unknown> = Promise.resolve()

  private constructor(store: KeyStore, seal: Seal) {
    this.#store = store
    this.#seal = seal
  }

  /** Reads all keys; there must be one such object for a store. */
  static async open(store: KeyStore, seal: Seal): Promise<Keys> {
    const keys = new Keys(store, seal)
    for (const key of await store.all()) keys.#remember(key)
    return keys
  }

  /**
   * Makes sure there is a way in: gives `admin` the configured value, or makes it when no key can create keys.
   * Returns a value that was made up here, to be shown once; null otherwise. Throws ConfigError when the configured value
   * is that of another key.
   */
  async ensureAdmin(configured: string | null): Promise<string | null> {
    const owner = configured === null ? null : this.authenticate(configured)
    if (owner !== null && owner.name !== ADMIN_KEY_NAME) {
      throw new ConfigError(`ADMIN_API_KEY is the value of the key ${JSON.stringify(owner.name)}: choose another`)
    }
    if (configured === null && this.#creators().length > 0) return null
    const known = this.#byName.get(ADMIN_KEY_NAME)
    if (configured !== null && known?.hash === hashOf(configured) && known.permissions.length === PERMISSIONS.length)
      return null
    const value = configured ?? newValue()
    await this.#put(ADMIN_KEY_NAME, value, PERMISSIONS)
    return configured === null ? value : null
  }

  /** The key of this value, null when there is none. */
  authenticate(value: string): ApiKey | null {
    return this.#byHash.get(hashOf(value)) ?? null
  }

  /** Every key, with its value. */
  all(): KeyWithValue[] {
    return [...this.#byName.values()].map((key) => ({ key, value: this.#valueOf(key) }))
  }

  /** Refuses `key_not_found`. The value is null when it was sealed with another key file. */
  require(name: string): KeyWithValue {
    const key = this.#byName.get(name)
    if (!key) throw new Refusal('key_not_found', 'Key not found')
    return { key, value: this.#valueOf(key) }
  }

  /** Creates a key or gives an existing name a new value. Refuses `forbidden` and `conflict`. */
  create(caller: ApiKey, name: string, permissions: readonly Permission[]): Promise<KeyWithValue & { value: string }> {
    return this.#change(async () => {
      if (missingFrom(caller.permissions, permissions).length > 0) {
        throw new Refusal('forbidden', 'Insufficient permissions')
      }
      const existing = this.#byName.get(name)
      const isOwnOrAdmin = existing?.id === caller.id || name === ADMIN_KEY_NAME
      if (existing && (isOwnOrAdmin || missingFrom(caller.permissions, existing.permissions).length > 0)) {
        throw new Refusal('conflict', 'Key already exists')
      }
      const value = newValue()
      return { key: await this.#put(name, value, permissions), value }
    })
  }

  /** Takes a key over with the value it has elsewhere; null when that name or value is taken. */
  adopt(name: string, value: string, permissions: readonly Permission[]): Promise<ApiKey | null> {
    return this.#change(async () => {
      if (this.#byName.has(name) || this.#byHash.has(hashOf(value))) return null
      return this.#put(name, value, permissions)
    })
  }

  /** Refuses `key_not_found`, and `conflict` for the last key that can create keys. */
  remove(name: string): Promise<void> {
    return this.#change(async () => {
      const { key } = this.require(name)
      const creators = this.#creators()
      if (creators.length === 1 && creators[0]?.id === key.id) {
        throw new Refusal('conflict', 'The last key that can create keys cannot be deleted')
      }
      await this.#store.remove(key.id)
      this.#forget(name)
    })
  }

  /** One change at a time: each decides by what the one before has written. */
  #change<T>(make: () => Promise<T>): Promise<T> {
    const made = this.#lastChange.then(make)
    this.#lastChange = made.catch(() => undefined) // told to its own caller
    return made
  }

  async #put(name: string, value: string, permissions: readonly Permission[]): Promise<ApiKey> {
    const existing = this.#byName.get(name)
    const id = existing?.id ?? nanoid()
    const key: StoredKey = {
      id,
      name,
      permissions: [...new Set(permissions)],
      createdAt: existing?.createdAt ?? Date.now(),
      hash: hashOf(value),
      sealed: this.#seal.seal(value, id),
    }
    await this.#store.put(key)
    this.#forget(name)
    this.#remember(key)
    return key
  }

  #creators(): StoredKey[] {
    return [...this.#byName.values()].filter(({ permissions }) => permissions.includes('create_key'))
  }

  #valueOf(key: StoredKey): string | null {
    return this.#seal.unseal(key.sealed, key.id)
  }

  #remember(key: StoredKey): void {
    this.#byHash.set(key.hash, key)
    this.#byName.set(key.name, key)
  }

  #forget(name: string): void {
    const known = this.#byName.get(name)
    if (!known) return
    this.#byHash.delete(known.hash)
    this.#byName.delete(name)
  }
}

const newValue = () => randomBytes(VALUE_BYTES).toString('base64url')
const hashOf = (value: string) => hash('sha256', value, 'hex')
