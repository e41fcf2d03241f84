import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import { DELIVERY_STATES } from '../../domain/webhook.ts'
import { isoTime, isoTimeOrNull } from '../../domain/iso-time.ts'
import type { WebhookSecret } from '../../tasks/webhook-secrets.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { cursorField, limitField, listOf, pageOf, toCursor } from './list.ts'
import { deliveryParams, type DeliveryParams } from './params.ts'
import { deliverySchema, deliveryView, fullDeliverySchema, pingMessage } from './webhook-view.ts'

const TAG = 'Webhooks'

/** Longest address of a webhook. */
const MAX_URL = 2_048

const secretSchema = z
  .strictObject({
    secret: z
      .string()
      .meta({ description: 'What messages are signed with, by the Standard Webhooks scheme', example: 'whsec_…' }),
    created_at: z.iso.datetime(),
    old_secret_until: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'Until when messages are signed with the secret before, too' }),
  })
  .meta({ id: 'WebhookSecret' })

const secretView = ({ secret, createdAt, oldUntil }: WebhookSecret): z.input<typeof secretSchema> => ({
  secret,
  created_at: isoTime(createdAt),
  old_secret_until: isoTimeOrNull(oldUntil),
})

/** `GET /v1/webhooks/secret` */
const getSecret = defineRoute<V1Context>({
  method: 'get',
  path: '/webhooks/secret',
  permission: null,
  body: null,
  doc: {
    summary: 'The secret that the webhooks of the key are signed with',
    description: 'Made at the first call. Verify messages with any library of the Standard Webhooks scheme.',
    tag: TAG,
    answers: { 200: secretSchema },
  },
  handle: async ({ webhooks }, { key, res }) => {
    res.setHeader('Cache-Control', 'no-store')
    return secretView(await webhooks.secrets.get(key.id))
  },
})

/** `POST /v1/webhooks/secret/rotate` */
const rotateSecret = defineRoute<V1Context>({
  method: 'post',
  path: '/webhooks/secret/rotate',
  permission: null,
  counts: true,
  body: null,
  doc: {
    summary: 'Replace the secret',
    description: 'For 24 hours messages carry two signatures, one by each secret.',
    tag: TAG,
    answers: { 200: secretSchema },
  },
  handle: async ({ webhooks, audit }, { key, req, res }) => {
    res.setHeader('Cache-Control', 'no-store')
    const secret = await webhooks.secrets.rotate(key.id)
    await audit.record(key, req, 'webhook_secret.rotated')
    return secretView(secret)
  },
})

const listQuery = z.strictObject({
  state: z.enum(DELIVERY_STATES).optional().meta({ description: 'Only those in this state' }),
  task: z.string().min(1).max(64).optional().meta({ description: 'Only those of this task' }),
  limit: limitField,
  cursor: cursorField,
})

/** `GET /v1/webhooks/deliveries` */
const listDeliveries = defineRoute<V1Context, null, null, z.output<typeof listQuery>>({
  method: 'get',
  path: '/webhooks/deliveries',
  permission: null,
  query: listQuery,
  body: null,
  doc: {
    summary: 'What was sent to the webhooks of the key, the newest first',
    description: 'Kept for 7 days, 10,000 at most.',
    tag: TAG,
    answers: {
      200: listOf(deliverySchema).meta({ id: 'WebhookDeliveryList' }),
    },
  },
  async handle({ webhooks }, { key, query: { state, task, limit, cursor } }) {
    const found = await webhooks.store.list(key.id, {
      state: state ?? null,
      taskId: task ?? null,
      before: cursor ?? null,
      limit: limit + 1,
    })
    const { items, next } = pageOf(found, limit, ({ seq }) => toCursor(seq))
    return { items: items.map(deliveryView), next }
  },
})

/** `GET /v1/webhooks/deliveries/:id` */
const getDelivery = defineRoute<V1Context, null, DeliveryParams>({
  method: 'get',
  path: '/webhooks/deliveries/:id',
  permission: null,
  params: deliveryParams,
  body: null,
  doc: { summary: 'One delivery with what is sent', tag: TAG, answers: { 200: fullDeliverySchema } },
  handle: async (ctx, { key, params }) => fullDelivery(ctx, key.id, params.id),
})

/** `POST /v1/webhooks/deliveries/:id/redeliver` */
const redeliver = defineRoute<V1Context, null, DeliveryParams>({
  method: 'post',
  path: '/webhooks/deliveries/:id/redeliver',
  permission: null,
  counts: true,
  params: deliveryParams,
  body: null,
  doc: {
    summary: 'Send it again, now',
    description: 'With the same id and body. When it fails it is tried again like a new one.',
    tag: TAG,
    answers: { 200: fullDeliverySchema },
  },
  async handle(ctx, { key, params }) {
    await ctx.webhooks.store.sendAgain(key.id, params.id, Date.now())
    const delivery = await fullDelivery(ctx, key.id, params.id)
    ctx.webhooks.nudge()
    return delivery
  },
})

const testBody = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'url is not an http(s) address' })
    .max(MAX_URL)
    .meta({ description: 'Where to send it', example: 'https://hooks.example/ytdlpd' }),
})

const testAnswer = z
  .strictObject({
    delivered: z.boolean(),
    status: z.int().nullable().meta({ description: 'What the receiver answered with; null when it did not' }),
    error: z.string().nullable().meta({ description: 'Why it was not delivered' }),
    duration_ms: z.int().min(0),
  })
  .meta({ id: 'WebhookTest' })

/** `POST /v1/webhooks/test` */
const testWebhook = defineRoute<V1Context, z.output<typeof testBody>>({
  method: 'post',
  path: '/webhooks/test',
  permission: null,
  counts: true,
  body: testBody,
  doc: {
    summary: 'Send a signed ping and show what came of it',
    description: 'One attempt of at most 10 seconds; it does not stand in the list of deliveries.',
    tag: TAG,
    answers: { 200: testAnswer },
  },
  async handle({ webhooks }, { key, input: { url } }): Promise<z.input<typeof testAnswer>> {
    const startedAt = performance.now()
    const id = randomBytes(16).toString('hex')
    const { status, error } = await webhooks.ping(key.id, { id, url, body: JSON.stringify(pingMessage()) })
    return { delivered: error === null, status, error, duration_ms: Math.round(performance.now() - startedAt) }
  },
})

/** Messages to clients. */
export const webhookRoutes: readonly AnyRoute<V1Context>[] = [
  getSecret,
  rotateSecret,
  testWebhook,
  listDeliveries,
  getDelivery,
  redeliver,
]

async function fullDelivery(
  { webhooks }: V1Context,
  keyId: string,
  id: string,
): Promise<z.input<typeof fullDeliverySchema>> {
  const delivery = await webhooks.store.get(keyId, id)
  if (!delivery) throw new Refusal('not_found', 'Delivery not found')
  const log = delivery.log.map(({ at, status, error }) => ({ at: isoTime(at), status, error }))
  return { ...deliveryView(delivery), body: delivery.body, log }
}
