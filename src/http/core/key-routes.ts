import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { whyBeyond } from '../../domain/key-rules.ts'
import { missingFrom, type Permission } from '../../domain/permissions.ts'
import { isoTime } from '../../domain/iso-time.ts'
import type { Keys, KeyWithValue } from '../../keys/keys.ts'
import { defineRoute } from '../route.ts'
import { coreErrorSchema, grantedSchema, keyDeletedSchema, keyMadeSchema, keysSchema } from './answers.ts'
import { checkPermissionsBody, createKeyBody } from './body.ts'
import type { CoreContext } from './context.ts'

const TAG = 'Core: keys'

const keyParams = z.object({ name: z.string().meta({ description: 'Name of the key', example: 'tv' }) })
type KeyParams = z.output<typeof keyParams>

/** `POST /create_key`: makes a key, or gives one a new value, with no more permissions than the caller has. */
export const postCreateKey = defineRoute<CoreContext, { name: string; permissions: Permission[] }>({
  method: 'post',
  path: '/create_key',
  permission: 'create_key',
  body: createKeyBody,
  status: 201,
  doc: {
    summary: 'Make a key, or give one a new value',
    description: 'With no more permissions than the caller has.',
    tag: TAG,
    answers: { 201: keyMadeSchema },
    examples: { 'For videos': { name: 'tv', permissions: ['get_video', 'get_info'] } },
  },
  async handle({ keys, audit }, { input, key, log, req }) {
    const created = await keys.create(key, input.name, input.permissions)
    await audit.record(key, req, 'key.created', { target: input.name, detail: input.permissions.join(' ') })
    log.info({ by: key.name, name: input.name, permissions: input.permissions }, 'key created')
    return { message: 'API key created successfully', key: created.value, name: input.name }
  },
})

/** `DELETE /delete_key/<name>`: its tasks stay until their time is over. */
export const deleteKey = defineRoute<CoreContext, null, KeyParams>({
  method: 'delete',
  path: '/delete_key/:name',
  permission: 'delete_key',
  params: keyParams,
  body: null,
  doc: { summary: 'Delete a key', tag: TAG, answers: { 200: keyDeletedSchema } },
  async handle({ keys, audit }, { params: { name }, key, log, req }) {
    await keys.remove(name)
    await audit.record(key, req, 'key.deleted', { target: name })
    log.info({ by: key.name, name }, 'key deleted')
    return { name, message: 'API key deleted successfully' }
  },
})

/** `GET /get_keys`: all keys by name. */
export const getKeys = defineRoute<CoreContext>({
  method: 'get',
  path: '/get_keys',
  permission: 'get_keys',
  body: null,
  doc: { summary: 'List all keys', tag: TAG, answers: { 200: keysSchema } },
  async handle({ keys, settings }, { key: caller }) {
    const isWithin = await reachOf(keys, caller)
    const entries = keys.all().map(({ key, value }) => {
      const { name, permissions, createdAt } = key
      const shown = settings.revealKeys && isWithin(key) ? value : null
      return [name, { key: shown, name, permissions, created_time: isoTime(createdAt) }] as const
    })
    return Object.fromEntries(entries)
  },
})

/** `GET /get_key/<name>`: the value of one. */
export const getKey = defineRoute<CoreContext, null, KeyParams>({
  method: 'get',
  path: '/get_key/:name',
  permission: 'get_key',
  params: keyParams,
  body: null,
  doc: {
    summary: 'Show the value of a key',
    description: 'Of one that can do no more than the caller.',
    tag: TAG,
    answers: { 200: keyMadeSchema, 409: coreErrorSchema },
  },
  async handle({ keys, settings }, { params: { name }, key: caller }) {
    const found = keys.require(name)
    if (settings.revealKeys && !(await reachOf(keys, caller))(found.key))
      throw new Refusal('forbidden', 'Insufficient permissions')
    return { message: 'API key get successfully', name, key: revealed(found, settings.revealKeys) }
  },
})

/** `POST /check_permissions`: whether the caller has all of them. */
export const postCheckPermissions = defineRoute<CoreContext, { permissions: string[] }>({
  method: 'post',
  path: '/check_permissions',
  permission: null,
  body: checkPermissionsBody,
  doc: {
    summary: 'Ask whether the key has all of these permissions',
    tag: TAG,
    answers: { 200: grantedSchema, 403: coreErrorSchema },
    examples: { 'Two of them': { permissions: ['get_video', 'get_audio'] } },
  },
  handle(_ctx, { input, key, res }) {
    if (missingFrom(key.permissions, input.permissions).length === 0) return { message: 'Permissions granted' }
    const message = 'Insufficient permissions'
    return void res.status(403).json({ message, error: message })
  },
})

/** Which keys the caller may see the values of: its own, and those that can do nothing that it cannot. */
async function reachOf(keys: Keys, caller: ApiKey): Promise<(key: ApiKey) => boolean> {
  const hasCredits = (await keys.creditsOf([caller.id])).size > 0
  return (key) => key.id === caller.id || whyBeyond(caller, hasCredits, key) === null
}

function revealed({ value }: KeyWithValue, mayReveal: boolean): string {
  if (!mayReveal) throw new Refusal('forbidden', 'This server does not show the values of keys')
  if (value === null) throw new Refusal('conflict', 'The value of this key was sealed with another key file')
  return value
}
