import { Refusal } from '../../domain/errors.ts'
import { missingFrom, type Permission } from '../../domain/permissions.ts'
import type { KeyWithValue } from '../../keys/keys.ts'
import { defineRoute } from '../route.ts'
import { checkPermissionsBody, createKeyBody } from './body.ts'
import type { CoreContext } from './context.ts'

/** `POST /create_key`: makes a key, or gives one a new value, with no more permissions than the caller has. */
export const postCreateKey = defineRoute<CoreContext, { name: string; permissions: Permission[] }>({
  method: 'post',
  path: '/create_key',
  permission: 'create_key',
  body: createKeyBody,
  status: 201,
  async handle({ keys, log }, { input, key }) {
    const created = await keys.create(key, input.name, input.permissions)
    log.info({ by: key.name, name: input.name, permissions: input.permissions }, 'key created')
    return { message: 'API key created successfully', key: created.value, name: input.name }
  },
})

/** `DELETE /delete_key/<name>`: its tasks stay until their time is over. */
export const deleteKey = defineRoute<CoreContext>({
  method: 'delete',
  path: '/delete_key/:name',
  permission: 'delete_key',
  body: null,
  async handle({ keys, log }, { req, key }) {
    const name = nameIn(req.params)
    await keys.remove(name)
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
  handle({ keys, settings }) {
    const entries = keys.all().map(({ key, value }) => {
      const { name, permissions, createdAt } = key
      const shown = settings.revealKeys ? value : null
      return [name, { key: shown, name, permissions, created_time: new Date(createdAt).toISOString() }] as const
    })
    return Object.fromEntries(entries)
  },
})

/** `GET /get_key/<name>`: the value of one. */
export const getKey = defineRoute<CoreContext>({
  method: 'get',
  path: '/get_key/:name',
  permission: 'get_key',
  body: null,
  handle({ keys, settings }, { req }) {
    const name = nameIn(req.params)
    return { message: 'API key get successfully', name, key: revealed(keys.require(name), settings.revealKeys) }
  },
})

/** `POST /check_permissions`: whether the caller has all of them. */
export const postCheckPermissions = defineRoute<CoreContext, { permissions: string[] }>({
  method: 'post',
  path: '/check_permissions',
  permission: null,
  body: checkPermissionsBody,
  handle(_ctx, { input, key, res }) {
    if (missingFrom(key.permissions, input.permissions).length === 0) return { message: 'Permissions granted' }
    const message = 'Insufficient permissions'
    return void res.status(403).json({ message, error: message })
  },
})

function revealed({ value }: KeyWithValue, mayReveal: boolean): string {
  if (!mayReveal) throw new Refusal('forbidden', 'This server does not show the values of keys')
  if (value === null) throw new Refusal('conflict', 'The value of this key was sealed with another key file')
  return value
}

const nameIn = (params: Readonly<Record<string, string | string[] | undefined>>) => String(params['name'])
