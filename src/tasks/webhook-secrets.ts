import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { OneByOne } from '../domain/one-by-one.ts'
import type { WebhookStore } from '../db/webhook-store.ts'
import type { Seal } from '../keys/seal.ts'

/** What the scheme asks for is 24 to 64. */
const SECRET_BYTES = 32

/** How long the secret before the last change still signs, too, in which receivers take over the new one. */
const OLD_SECRET_MS = 24 * 3_600_000

/** What a key's messages are signed with. */
export type WebhookSecret = Readonly<{
  /** `whsec_…` */
  secret: string
  createdAt: number
  /** Until when messages carry a signature by the secret before as well; null when there is none. */
  oldUntil: number | null
}>

/** What goes out with a message, by the Standard Webhooks scheme. */
export type SignedHeaders = Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>>

/** The secret of each key, made when it is first asked for and kept sealed. */
export class WebhookSecrets {
  readonly #store: WebhookStore
  readonly #seal: Seal
  /** Two first looks must not show two secrets. */
  readonly #changes = new OneByOne()

  constructor(store: WebhookStore, seal: Seal) {
    this.#store = store
    this.#seal = seal
  }

  async get(keyId: string): Promise<WebhookSecret> {
    const { secret, createdAt, old } = await this.#require(keyId)
    return { secret, createdAt, oldUntil: old?.until ?? null }
  }

  /** Replaces the secret; the one before goes on signing for a day. */
  async rotate(keyId: string): Promise<WebhookSecret> {
    return this.#changes.do(async () => {
      const before = await this.#read(keyId)
      const old = before && { secret: before.secret, until: Date.now() + OLD_SECRET_MS }
      const made = await this.#make(keyId, old)
      return { secret: made.secret, createdAt: made.createdAt, oldUntil: old?.until ?? null }
    })
  }

  /** Signs a message with what holds at the moment. */
  async sign(keyId: string, id: string, body: string): Promise<SignedHeaders> {
    const { secret, old } = await this.#require(keyId)
    const now = new Date()
    const secrets = old === null ? [secret] : [secret, old.secret]
    return {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': secrets.map((each) => new Webhook(each).sign(id, now, body)).join(' '),
    }
  }

  async #require(keyId: string): Promise<Secrets> {
    return (
      (await this.#read(keyId)) ?? this.#changes.do(async () => (await this.#read(keyId)) ?? this.#make(keyId, null))
    )
  }

  /** Null when there is none, or none that this installation's key file opens. */
  async #read(keyId: string): Promise<Secrets | null> {
    const row = await this.#store.secrets(keyId)
    const secret = row && this.#seal.unseal(row.sealed, contextOf(keyId))
    if (row === null || secret === null) return null
    const { oldSealed, oldUntil, createdAt } = row
    const isCurrent = oldSealed !== null && oldUntil !== null && oldUntil > Date.now()
    const old = isCurrent ? this.#seal.unseal(oldSealed, contextOf(keyId)) : null
    return { secret, createdAt, old: isCurrent && old !== null ? { secret: old, until: oldUntil } : null }
  }

  async #make(keyId: string, old: Secrets['old']): Promise<Secrets> {
    const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`
    const createdAt = Date.now()
    await this.#store.putSecrets(keyId, {
      sealed: this.#seal.seal(secret, contextOf(keyId)),
      oldSealed: old && this.#seal.seal(old.secret, contextOf(keyId)),
      oldUntil: old?.until ?? null,
      createdAt,
    })
    return { secret, createdAt, old }
  }
}

type Secrets = Readonly<{
  secret: string
  createdAt: number
  old: Readonly<{ secret: string; until: number }> | null
}>

const contextOf = (keyId: string) => `webhook ${keyId}`
