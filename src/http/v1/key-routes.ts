import { z } from 'zod'
import type { ApiKey, KeyTerms } from '../../domain/key.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import { auditRoute } from './audit-route.ts'
import type { V1Context } from './context.ts'
import { editKeyBody, keySchema, keyView, newKeyBody, newKeySchema } from './key-schemas.ts'
import { limitField, listOf, pageOf } from './list.ts'
import { keyParams, type KeyParams } from './params.ts'
import { meRoute, usageRoute } from './usage-routes.ts'

const TAG = 'Keys'
const DAY_S = 86_400

const rotateBody = z.strictObject({
  grace_seconds: z
    .int('grace_seconds must be a whole number')
    .min(0)
    .max(DAY_S)
    .default(0)
    .meta({ description: 'How long the old value still works' }),
})

const listQuery = z.strictObject({
  limit: limitField,
  cursor: z.string().max(64).optional().meta({ description: '`next` of the answer before' }),
})

const shown = async ({ keys }: V1Context, key: ApiKey) =>
  keyView(key, {
    credits: (await keys.creditsOf([key.id])).get(key.id) ?? null,
    lastUsedAt: keys.lastUsedAt(key.id),
  })

/** What was decided, in one line; never a value. */
const inWords = (terms: Partial<KeyTerms>) => JSON.stringify(terms)

const addKey = defineRoute<V1Context, KeyTerms>({
  method: 'post',
  path: '/keys',
  permission: 'create_key',
  body: newKeyBody,
  status: 201,
  doc: {
    summary: 'Make a key',
    description:
      'With no more permissions than the calling key has. A key whose use is counted (rates, numbers, credits) can make none; other limits and the end of the calling key hold for those it makes, too.',
    tag: TAG,
    answers: { 201: newKeySchema },
    examples: {
      'For a bot': {
        name: 'bot',
        permissions: ['get_video', 'get_audio'],
        limits: { sites: ['youtube.com'], tasks_per_day: 100 },
        credits: 500,
      },
    },
  },
  async handle(ctx, { input, key, req }) {
    const made = await ctx.keys.add(key, input)
    await ctx.audit.record(key, req, 'key.created', { target: made.key.name, detail: inWords(input) })
    return { ...(await shown(ctx, made.key)), value: made.value }
  },
})

const listKeys = defineRoute<V1Context, null, null, z.output<typeof listQuery>>({
  method: 'get',
  path: '/keys',
  permission: 'get_keys',
  counts: false,
  query: listQuery,
  body: null,
  doc: {
    summary: 'List keys, without their values',
    tag: TAG,
    answers: { 200: listOf(keySchema) },
  },
  async handle({ keys }, { query: { limit, cursor } }) {
    // By id: the order stays the same whatever is made, renamed or deleted between two pages.
    const behind = keys
      .list()
      .filter(({ id }) => cursor === undefined || id > cursor)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    const { items, next } = pageOf(behind, limit, ({ id }) => id)
    const credits = await keys.creditsOf(items.map(({ id }) => id))
    return {
      items: items.map((key) =>
        keyView(key, { credits: credits.get(key.id) ?? null, lastUsedAt: keys.lastUsedAt(key.id) }),
      ),
      next,
    }
  },
})

const showKey = defineRoute<V1Context, null, KeyParams>({
  method: 'get',
  path: '/keys/:id',
  permission: 'get_key',
  counts: false,
  params: keyParams,
  body: null,
  doc: { summary: 'Show a key, without its value', tag: TAG, answers: { 200: keySchema } },
  handle: (ctx, { params: { id } }) => shown(ctx, ctx.keys.requireId(id)),
})

const editKey = defineRoute<V1Context, Partial<KeyTerms>, KeyParams>({
  method: 'patch',
  path: '/keys/:id',
  permission: 'create_key',
  params: keyParams,
  body: editKeyBody,
  doc: {
    summary: 'Change what a key may do; its value stays',
    description: 'What is left out stays as it is; `limits` are replaced as a whole.',
    tag: TAG,
    answers: { 200: keySchema },
    examples: { 'Fifty more': { credits: 50 }, 'No limits': { limits: null } },
  },
  async handle(ctx, { input, params: { id }, key, req }) {
    const edited = await ctx.keys.edit(key, id, input)
    await ctx.audit.record(key, req, 'key.edited', { target: edited.name, detail: inWords(input) })
    return shown(ctx, edited)
  },
})

const rotateKey = defineRoute<V1Context, z.output<typeof rotateBody>, KeyParams>({
  method: 'post',
  path: '/keys/:id/rotate',
  permission: 'create_key',
  params: keyParams,
  body: rotateBody,
  doc: { summary: 'Give a key a new value', tag: TAG, answers: { 200: newKeySchema } },
  async handle(ctx, { input, params: { id }, key, req }) {
    const made = await ctx.keys.rotate(key, id, input.grace_seconds * 1000)
    const detail = input.grace_seconds === 0 ? null : `old value works for ${input.grace_seconds} s`
    await ctx.audit.record(key, req, 'key.rotated', { target: made.key.name, detail })
    return { ...(await shown(ctx, made.key)), value: made.value }
  },
})

const switchKey = (word: 'disable' | 'enable') =>
  defineRoute<V1Context, null, KeyParams>({
    method: 'post',
    path: `/keys/:id/${word}`,
    permission: 'create_key',
    params: keyParams,
    body: null,
    doc: {
      summary: word === 'disable' ? 'Switch a key off' : 'Switch a key on again',
      description: 'Tasks that were taken on are done all the same.',
      tag: TAG,
      answers: { 200: keySchema },
    },
    async handle(ctx, { params: { id }, key, req }) {
      const switched = await ctx.keys.setDisabled(key, id, word === 'disable')
      await ctx.audit.record(key, req, `key.${word}d`, { target: switched.name })
      return shown(ctx, switched)
    },
  })

const deleteKey = defineRoute<V1Context, null, KeyParams>({
  method: 'delete',
  path: '/keys/:id',
  permission: 'delete_key',
  params: keyParams,
  body: null,
  doc: {
    summary: 'Delete a key',
    description: 'Its tasks stay until their time is over.',
    tag: TAG,
    answers: { 200: z.strictObject({ id: z.string(), name: z.string() }) },
  },
  async handle({ keys, audit }, { params: { id }, key, req }) {
    const { name } = await keys.removeId(key, id)
    await audit.record(key, req, 'key.deleted', { target: name })
    return { id, name }
  },
})

/** Keys, their use, and who did what. */
export const keyRoutes: readonly AnyRoute<V1Context>[] = [
  meRoute,
  addKey,
  listKeys,
  showKey,
  editKey,
  rotateKey,
  switchKey('disable'),
  switchKey('enable'),
  deleteKey,
  usageRoute,
  auditRoute,
]
