import { z } from 'zod'
import { canonicalCidr } from '../../domain/cidr.ts'
import { NO_LIMITS, type ApiKey, type KeyLimits, type KeyTerms } from '../../domain/key.ts'
import { PERMISSIONS } from '../../domain/permissions.ts'
import { siteNamed } from '../../domain/site.ts'
import { isoTime, isoTimeOrNull } from '../../domain/iso-time.ts'
import { text } from '../fields.ts'

const MAX_NAME = 64
const MAX_LIST = 100
const MAX_WORD = 255
/** What no installation needs more of. */
const MAX_COUNT = 10_000_000
const MAX_BYTES = 2 ** 50

const permission = z
  .enum(PERMISSIONS, { error: `permissions must be one of ${PERMISSIONS.join(', ')}` })
  .meta({ id: 'Permission', description: 'Something a key may do' })
export const permissionsField = z.array(permission, {
  error: `permissions must be a list of ${PERMISSIONS.join(', ')}`,
})

/** As at the core, so that each key can be named at both. */
export const nameField = text('name', MAX_NAME).refine(
  (value) => value !== '' && value.trim() === value && !/[/\\]|^\.{1,2}$/.test(value),
  'name must be a plain name',
)

const count = (name: string, max: number, min = 0) =>
  z.int(`${name} must be a whole number`).min(min).max(max).nullable()

/** Words that have one spelling each; null where there is none. */
const words = (name: string, what: string, canonical: (word: string) => string | null) =>
  z
    .array(
      z
        .string()
        .max(MAX_WORD)
        .transform((word, context) => {
          const spelt = canonical(word)
          if (spelt !== null) return spelt
          context.addIssue({ code: 'custom', message: `${name} must be ${what}` })
          return z.NEVER
        }),
    )
    .max(MAX_LIST)
    .transform((list) => [...new Set(list)])
    .nullable()

const about = {
  sites: 'Sites it may fetch from, subdomains included; the address of the request counts. null = all',
  cidrs: 'Addresses it may be used from. null = any',
  presets: "Operator's presets it may name. null = all",
  requests_per_minute: 'Calls a minute, of those that count against the rate limit',
  max_queued: 'Tasks that wait at the same time',
  max_running: 'Tasks that run at the same time',
  tasks_per_day: 'Tasks that are taken on, on one day (UTC)',
  bytes_per_day: 'Bytes of finished files on one day (UTC), after which nothing more is taken on',
} as const

/** What a client sets; what it leaves out is not limited. */
export const limitsField = z
  .strictObject({
    sites: words('sites', 'host names such as youtube.com', siteNamed).optional().meta({ description: about.sites }),
    cidrs: words('cidrs', 'addresses or CIDRs such as 192.0.2.0/24', canonicalCidr)
      .optional()
      .meta({ description: about.cidrs }),
    presets: words('presets', 'names of presets', (word) => (word === '' ? null : word))
      .optional()
      .meta({ description: about.presets }),
    requests_per_minute: count('requests_per_minute', 100_000)
      .optional()
      .meta({ description: about.requests_per_minute }),
    max_queued: count('max_queued', MAX_COUNT).optional().meta({ description: about.max_queued }),
    max_running: count('max_running', 256, 1).optional().meta({ description: about.max_running }),
    tasks_per_day: count('tasks_per_day', MAX_COUNT).optional().meta({ description: about.tasks_per_day }),
    bytes_per_day: count('bytes_per_day', MAX_BYTES).optional().meta({ description: about.bytes_per_day }),
  })
  .meta({ id: 'KeyLimitsInput', description: 'What the key may not exceed; what is left out is not limited' })
  .transform((given): KeyLimits => ({
    ...NO_LIMITS,
    sites: given.sites ?? null,
    cidrs: given.cidrs ?? null,
    presets: given.presets ?? null,
    requestsPerMinute: given.requests_per_minute ?? null,
    maxQueued: given.max_queued ?? null,
    maxRunning: given.max_running ?? null,
    tasksPerDay: given.tasks_per_day ?? null,
    bytesPerDay: given.bytes_per_day ?? null,
  }))

export const expiryField = z.iso
  .datetime({ offset: true, error: 'expires_at must be a time such as 2030-01-31T12:00:00Z' })
  .transform((time) => Date.parse(time))
  .refine((at) => at > Date.now(), 'expires_at must lie in the future')
  .nullable()
  .meta({ description: 'When it stops working; null = never', example: '2030-01-31T12:00:00Z' })

export const creditsField = count('credits', MAX_COUNT).meta({
  description:
    'Tasks that may still bring a file. One is taken when a task is accepted and given back when it brings none; null = not counted',
})

/** The body of `POST /v1/keys`. */
export const newKeyBody = z
  .strictObject({
    name: nameField,
    permissions: permissionsField,
    expires_at: expiryField.optional(),
    limits: limitsField.optional(),
    credits: creditsField.optional(),
  })
  .transform(({ name, permissions, expires_at, limits, credits }): KeyTerms => ({
    name,
    permissions: [...new Set(permissions)],
    expiresAt: expires_at ?? null,
    limits: limits ?? NO_LIMITS,
    credits: credits ?? null,
  }))

/** The body of `PATCH /v1/keys/{id}`. */
export const editKeyBody = z
  .strictObject({
    name: nameField.optional(),
    permissions: permissionsField.optional(),
    expires_at: expiryField.optional(),
    limits: limitsField.nullable().optional(),
    credits: creditsField.optional(),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), 'Nothing is to be changed')
  .transform(({ name, permissions, expires_at, limits, credits }): Partial<KeyTerms> => ({
    ...(name === undefined ? {} : { name }),
    ...(permissions === undefined ? {} : { permissions: [...new Set(permissions)] }),
    ...(expires_at === undefined ? {} : { expiresAt: expires_at }),
    ...(limits === undefined ? {} : { limits: limits ?? NO_LIMITS }),
    ...(credits === undefined ? {} : { credits }),
  }))

const shownLimits = z
  .strictObject({
    sites: z.array(z.string()).nullable(),
    cidrs: z.array(z.string()).nullable(),
    presets: z.array(z.string()).nullable(),
    requests_per_minute: z.int().nullable(),
    max_queued: z.int().nullable(),
    max_running: z.int().nullable(),
    tasks_per_day: z.int().nullable(),
    bytes_per_day: z.int().nullable(),
  })
  .meta({ id: 'KeyLimits', description: 'What the key may not exceed; null = not limited' })

const keyFields = {
  id: z.string(),
  name: z.string(),
  permissions: z.array(permission),
  limits: shownLimits,
  credits: z.int().nullable().meta({ description: 'What is left; null = not counted' }),
  state: z.enum(['active', 'disabled', 'expired']),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable(),
  disabled_at: z.iso.datetime().nullable(),
  last_used_at: z.iso.datetime().nullable(),
}

export const keySchema = z.strictObject(keyFields).meta({ id: 'Key', description: 'A key without its value' })

export const newKeySchema = z
  .strictObject({ ...keyFields, value: z.string().meta({ description: 'Shown this once' }) })
  .meta({ id: 'NewKey', description: 'A key with its new value' })

const dayFields = {
  day: z.iso.date(),
  accepted: z.int().meta({ description: 'Tasks that were taken on' }),
  completed: z.int(),
  failed: z.int(),
  bytes: z.int().meta({ description: 'Of finished files' }),
}
export const daySchema = z.strictObject(dayFields).meta({ id: 'DayUsage', description: 'One day (UTC)' })

/** A key as the native API shows it. */
export function keyView(
  key: ApiKey,
  { credits, lastUsedAt }: Readonly<{ credits: number | null; lastUsedAt: number | null }>,
): z.input<typeof keySchema> {
  const { limits } = key
  const hasExpired = key.expiresAt !== null && key.expiresAt <= Date.now()
  return {
    id: key.id,
    name: key.name,
    permissions: [...key.permissions],
    limits: {
      sites: limits.sites && [...limits.sites],
      cidrs: limits.cidrs && [...limits.cidrs],
      presets: limits.presets && [...limits.presets],
      requests_per_minute: limits.requestsPerMinute,
      max_queued: limits.maxQueued,
      max_running: limits.maxRunning,
      tasks_per_day: limits.tasksPerDay,
      bytes_per_day: limits.bytesPerDay,
    },
    credits,
    state: key.disabledAt !== null ? 'disabled' : hasExpired ? 'expired' : 'active',
    created_at: isoTime(key.createdAt),
    expires_at: isoTimeOrNull(key.expiresAt),
    disabled_at: isoTimeOrNull(key.disabledAt),
    last_used_at: isoTimeOrNull(lastUsedAt),
  }
}
