import { z } from 'zod'
import { isoTime } from '../../domain/iso-time.ts'
import { AUDIT_ACTIONS } from '../../keys/audit.ts'
import { defineRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { cursorField, limitField, listOf, pageOf, toCursor } from './list.ts'

const listQuery = z.strictObject({ limit: limitField, cursor: cursorField })

const entrySchema = z
  .strictObject({
    id: z.string(),
    at: z.iso.datetime(),
    key_id: z.string().nullable(),
    key_name: z.string().meta({ description: '`cli` for whoever did it from a shell on the machine itself' }),
    address: z.string().nullable().meta({ description: 'Where the call came from; null when it was no call' }),
    action: z.enum(AUDIT_ACTIONS),
    target: z.string().nullable().meta({ description: 'What it was done to' }),
    detail: z.string().nullable(),
  })
  .meta({ id: 'AuditEntry', description: 'Something that somebody did' })

/** `GET /v1/audit`: who did what, newest first. */
export const auditRoute = defineRoute<V1Context, null, null, z.output<typeof listQuery>>({
  method: 'get',
  path: '/audit',
  permission: 'get_keys',
  counts: false,
  query: listQuery,
  body: null,
  doc: {
    summary: 'Show who did what',
    description: 'Newest first; the newest 100,000 are kept.',
    tag: 'Keys',
    answers: { 200: listOf(entrySchema) },
  },
  async handle({ audit }, { query: { limit, cursor } }) {
    const found = await audit.before(cursor ?? null, limit + 1)
    const { items, next } = pageOf(found, limit, ({ seq }) => toCursor(seq))
    return {
      items: items.map(({ seq, at, keyId, keyName, ...entry }) => ({
        id: String(seq),
        at: isoTime(at),
        key_id: keyId,
        key_name: keyName,
        address: entry.address,
        action: entry.action,
        target: entry.target,
        detail: entry.detail,
      })),
      next,
    }
  },
})
