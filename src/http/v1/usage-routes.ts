import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import { isoDay } from '../../domain/iso-time.ts'
import { defineRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { daySchema, keySchema, keyView } from './key-schemas.ts'
import { keyParams, type KeyParams } from './params.ts'

const TAG = 'Keys'
const DAY_MS = 86_400_000
/** Most days of one answer. */
const MAX_DAYS = 366
const USUAL_DAYS = 30

const day = (name: string) => z.iso.date(`${name} must be a day such as 2030-01-31`).optional()

const span = z
  .strictObject({
    from: day('from').meta({ description: 'First day (UTC); 30 days up to `to` when left out' }),
    to: day('to').meta({ description: 'Last day (UTC); today when left out' }),
  })
  .transform(({ from, to }) => {
    const last = to ?? isoDay(Date.now())
    return { from: from ?? isoDay(Date.parse(last) - (USUAL_DAYS - 1) * DAY_MS), to: last }
  })
  .refine(({ from, to }) => from <= to, { error: 'from must not be after to', path: ['from'] })
  .refine(({ from, to }) => Date.parse(to) - Date.parse(from) < MAX_DAYS * DAY_MS, {
    error: `from and to may be at most ${MAX_DAYS} days apart`,
    path: ['from'],
  })
type Span = z.output<typeof span>

const usageSchema = z
  .strictObject({
    key_id: z.string(),
    from: z.iso.date(),
    to: z.iso.date(),
    days: z.array(daySchema).meta({ description: 'Days on which something was done, oldest first' }),
    waiting: z.int().meta({ description: 'Tasks that wait now' }),
    running: z.int().meta({ description: 'Tasks that run now' }),
  })
  .meta({ id: 'KeyUsage', description: 'What a key used' })

/** `GET /v1/keys/:id/usage`: a key may ask for its own. */
export const usageRoute = defineRoute<V1Context, null, KeyParams, Span>({
  method: 'get',
  path: '/keys/:id/usage',
  permission: null,
  params: keyParams,
  query: span,
  body: null,
  doc: {
    summary: 'What a key used, by day',
    description: 'Asks for the permission `get_key`, unless it is the calling key.',
    tag: TAG,
    answers: { 200: usageSchema },
  },
  async handle({ keys, usage }, { params: { id }, query, key }) {
    if (key.id !== id) {
      if (!key.permissions.includes('get_key')) throw new Refusal('forbidden', 'Insufficient permissions')
      keys.requireId(id)
    }
    const { waiting, processing } = await usage.open(id)
    return { key_id: id, ...query, days: await usage.days(id, query.from, query.to), waiting, running: processing }
  },
})

const meSchema = z
  .strictObject({
    key: keySchema,
    today: daySchema,
    waiting: z.int().meta({ description: 'Tasks that wait now' }),
    running: z.int().meta({ description: 'Tasks that run now' }),
  })
  .meta({ id: 'Me', description: 'The calling key, and what it used today' })

/** `GET /v1/me`: what the calling key may do, and what it has left. */
export const meRoute = defineRoute<V1Context>({
  method: 'get',
  path: '/me',
  permission: null,
  body: null,
  doc: { summary: 'Show the calling key', tag: TAG, answers: { 200: meSchema } },
  async handle({ keys, usage }, { key }) {
    const [credits, today, { waiting, processing }] = await Promise.all([
      keys.creditsOf([key.id]),
      usage.today(key.id, Date.now()),
      usage.open(key.id),
    ])
    const shown = keyView(key, { credits: credits.get(key.id) ?? null, lastUsedAt: keys.lastUsedAt(key.id) })
    return { key: shown, today, waiting, running: processing }
  },
})
