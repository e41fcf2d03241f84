import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { loadConfig } from '../config/index.ts'
import { AuditLog } from '../db/audit-log.ts'
import { KeyStore } from '../db/key-store.ts'
import { DatabaseError, DATABASE_NAME, openStore, takeLock } from '../db/open.ts'
import { addressKind } from '../domain/address.ts'
import type { KeyTerms } from '../domain/key.ts'
import { keySchema, keyView, newKeySchema } from '../http/v1/key-schemas.ts'
import { Audit } from '../keys/audit.ts'
import { Keys, type NewValue } from '../keys/keys.ts'
import { LOCAL_KEY, makeLocalToken } from '../keys/local-token.ts'
import { openSeal } from '../keys/seal.ts'
import { addressOf, Api } from './api.ts'
import type { Terminal } from './command.ts'
import { CliError } from './failure.ts'

const PAGE = 200

/** A key as commands show it. */
export type ShownKey = z.output<typeof shownSchema>
const shownSchema = z.object(keySchema.shape)
const newSchema = z.object(newKeySchema.shape)
const pageSchema = z.object({ items: z.array(shownSchema), next: z.string().nullable() })

/** What is decided anew about a key. */
export type Changes = Readonly<{ body: unknown; terms: Partial<KeyTerms> }>

/** Where keys are managed: at a daemon, or in the state folder of one that does not run. */
export type KeyDesk = AsyncDisposable &
  Readonly<{
    list: () => Promise<readonly ShownKey[]>
    /** `body`: as it is sent; `terms`: the same, understood. Returns the value. */
    create: (body: unknown, terms: KeyTerms) => Promise<string>
    /** `changesOf`: what is to become of the key, as it is sent and understood. Its value stays. */
    edit: (name: string, changesOf: (key: ShownKey) => Changes) => Promise<ShownKey>
    rotate: (name: string, graceSeconds: number) => Promise<string>
  }>

/**
 * With a key: at the daemon, as that key. Without: whoever may read the state folder may do everything, at the daemon
 * that uses it, or in the folder itself when none does.
 */
export async function openDesk(
  options: Readonly<{ url?: string | undefined; key?: string | undefined }>,
  terminal: Terminal,
): Promise<KeyDesk> {
  const key = options.key ?? terminal.env['YTDLPD_API_KEY']
  if (key) return deskAt(new Api(addressOf(options.url, terminal), key, terminal.signal))
  const { dirs } = loadConfig(terminal.env)
  if (!fs.existsSync(path.join(dirs.state, DATABASE_NAME)))
    throw new CliError(`There is no daemon's database in ${dirs.state}: set STATE_DIR, or give a key with --key`)
  if (!isInUse(dirs.state)) return deskIn(dirs.state)
  const url = addressOf(options.url, terminal)
  if (!isHere(url)) throw new CliError(`${url} is not this machine: give a key with --key`)
  const token = makeLocalToken(openSeal(dirs.state), Date.now())
  return deskAt(new Api(url, token, terminal.signal))
}

function isInUse(stateDir: string): boolean {
  try {
    takeLock(stateDir).close()
    return false
  } catch (error) {
    if (error instanceof DatabaseError) return true
    throw error
  }
}

/** A token of this machine is for nobody else. */
function isHere(url: string): boolean {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  return host === 'localhost' || addressKind(host) === 'loopback'
}

function deskAt(api: Api): KeyDesk {
  const list = async () => {
    const keys: ShownKey[] = []
    let next: string | null = null
    do {
      const from: string = next === null ? '' : `&cursor=${encodeURIComponent(next)}`
      const page: z.output<typeof pageSchema> = await api.call(pageSchema, 'GET', `/v1/keys?limit=${PAGE}${from}`)
      keys.push(...page.items)
      ;({ next } = page)
    } while (next !== null)
    return keys
  }
  return {
    list,
    create: async (body) => (await api.call(newSchema, 'POST', '/v1/keys', body)).value,
    edit: async (name, changesOf) => {
      const key = named(await list(), name)
      return api.call(shownSchema, 'PATCH', `/v1/keys/${encodeURIComponent(key.id)}`, changesOf(key).body)
    },
    rotate: async (name, graceSeconds) => {
      const { id } = named(await list(), name)
      const path = `/v1/keys/${encodeURIComponent(id)}/rotate`
      return (await api.call(newSchema, 'POST', path, { grace_seconds: graceSeconds })).value
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

async function deskIn(stateDir: string): Promise<KeyDesk> {
  await using stack = new AsyncDisposableStack()
  const { db } = stack.use(await openStore(stateDir))
  const keys = await Keys.open(new KeyStore(db), openSeal(stateDir))
  const audit = new Audit(new AuditLog(db))
  const owned = stack.move()
  const done = async (action: 'key.created' | 'key.rotated', { key, value }: NewValue) => {
    await audit.record(LOCAL_KEY, {}, action, { target: key.name })
    return value
  }
  const list = async () => {
    const all = keys.list()
    const credits = await keys.creditsOf(all.map(({ id }) => id))
    return all.map((key) => keyView(key, { credits: credits.get(key.id) ?? null, lastUsedAt: keys.lastUsedAt(key.id) }))
  }
  return {
    list,
    edit: async (name, changesOf) => {
      const key = named(await list(), name)
      const { body, terms } = changesOf(key)
      await keys.edit(LOCAL_KEY, key.id, terms)
      await audit.record(LOCAL_KEY, {}, 'key.edited', { target: name, detail: JSON.stringify(body) })
      return named(await list(), name)
    },
    create: async (_body, terms) => done('key.created', await keys.add(LOCAL_KEY, terms)),
    rotate: async (name, graceSeconds) => {
      const { key } = keys.require(name)
      return done('key.rotated', await keys.rotate(LOCAL_KEY, key.id, graceSeconds * 1000))
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function named(keys: readonly ShownKey[], name: string): ShownKey {
  const key = keys.find((one) => one.name === name)
  if (!key) throw new CliError('key_not_found: Key not found')
  return key
}
