import type { AuditEntry, AuditLog } from '../db/audit-log.ts'
import type { ApiKey } from '../domain/key.ts'

/** What is written down, as `<thing>.<what was done to it>`. */
export const AUDIT_ACTIONS = [
  'key.created',
  'key.edited',
  'key.rotated',
  'key.disabled',
  'key.enabled',
  'key.deleted',
  'queue.paused',
  'queue.resumed',
  'tasks.cancelled',
  'tasks.retried',
  'tasks.deleted',
  'cookies.set',
  'cookies.deleted',
  'archive.deleted',
  'webhook_secret.rotated',
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

/** Longest text of an entry. */
const MAX_TEXT = 500

/** Where a call came from; an Express request is one. */
export type Caller = Readonly<{ ip?: string | undefined }>

/** Who did what to the installation, for whoever looks after it. */
export class Audit {
  readonly #log: AuditLog

  constructor(log: AuditLog) {
    this.#log = log
  }

  /** Writes down what `key` did. Neither `target` nor `detail` may hold a secret; long ones are cut. */
  async record(
    key: Pick<ApiKey, 'id' | 'name'>,
    from: Caller,
    action: AuditAction,
    { target = null, detail = null }: Readonly<{ target?: string | null; detail?: string | null }> = {},
  ): Promise<void> {
    const cut = (text: string | null) => text?.slice(0, MAX_TEXT) ?? null
    await this.#log.add({
      at: Date.now(),
      keyId: key.id,
      keyName: key.name,
      address: from.ip ?? null,
      action,
      target: cut(target),
      detail: cut(detail),
    })
  }

  /** Up to `limit` entries before the one with this number, newest first. */
  before(seq: number | null, limit: number): Promise<(AuditEntry & Readonly<{ seq: number }>)[]> {
    return this.#log.before(seq, limit)
  }
}
