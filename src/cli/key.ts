import type { z } from 'zod'
import { Refusal } from '../domain/errors.ts'
import type { KeyTerms } from '../domain/key.ts'
import { PERMISSIONS } from '../domain/permissions.ts'
import { editKeyBody, newKeyBody } from '../http/v1/key-schemas.ts'
import { API_HELP, API_OPTIONS } from './api.ts'
import { parse, plain, type Command, type Terminal } from './command.ts'
import { CliError, wrongUsage } from './failure.ts'
import { openDesk, type KeyDesk, type ShownKey } from './key-desk.ts'

/** What a key is for when nothing else is said: everything that makes tasks. */
const USUAL = PERMISSIONS.filter((permission) => /^get_(?!keys?$|metrics$)/.test(permission))

const OPTIONS = {
  ...API_OPTIONS,
  permissions: { type: 'string' },
  expires: { type: 'string' },
  credits: { type: 'string' },
  sites: { type: 'string' },
  cidrs: { type: 'string' },
  grace: { type: 'string' },
} as const
type Values = ReturnType<typeof parse<typeof OPTIONS>>['values']

const OPTIONS_OF: Readonly<Record<string, readonly string[]>> = {
  create: ['permissions', 'expires', 'credits', 'sites', 'cidrs'],
  edit: ['permissions', 'expires', 'credits', 'sites', 'cidrs'],
  list: [],
  rotate: ['grace'],
}

/** `ytdlpd key`: manages keys, with an API key or as whoever may read the state folder. */
export const keyCommand: Command = {
  usage: 'key create NAME | edit NAME | list | rotate NAME',
  summary: 'manage API keys; on the daemon’s own machine without a key',
  help: [
    '--permissions P,P  create: what it may do; everything that makes tasks if left out, `all` for everything',
    '--expires TIME     create: when it stops working, such as 2030-01-31T12:00:00Z',
    '--credits N        create: how many tasks may bring it a file',
    '--sites S,S        create: sites it may fetch from, such as youtube.com',
    '--cidrs C,C        create: addresses it may be used from',
    'edit NAME          changes what is named, not the value; `never`, `unlimited`, `all` take end, credits, limits away',
    '--grace SECONDS    rotate: how long the old value still works',
    ...API_HELP,
  ],
  async run(args, terminal) {
    const { values, positionals } = parse(args, OPTIONS)
    const [action = '', name, ...more] = positionals
    requireFitting(action, name, more, values)
    await using desk = await openDesk(values, terminal)
    try {
      await act(desk, { action, name: name ?? '', values }, terminal)
      return 0
    } catch (error) {
      if (error instanceof Refusal) throw new CliError(`${error.code}: ${error.message}`, { cause: error })
      throw error
    }
  },
}

function requireFitting(action: string, name: string | undefined, more: readonly string[], values: Values): void {
  const fitting = OPTIONS_OF[action]
  if (fitting === undefined) throw wrongUsage('say create, edit, list or rotate')
  const odd = Object.keys(values).find((option) => !(option in API_OPTIONS) && !fitting.includes(option))
  if (odd !== undefined) throw wrongUsage(`--${odd} has no meaning for key ${action}`)
  const extra = action === 'list' ? name : more[0]
  if (extra !== undefined) throw wrongUsage(`${JSON.stringify(extra)} is one too many`)
  if (action !== 'list' && name === undefined) throw wrongUsage(`say the name of the key: key ${action} NAME`)
}

async function act(
  desk: KeyDesk,
  { action, name, values }: Readonly<{ action: string; name: string; values: Values }>,
  terminal: Terminal,
): Promise<void> {
  if (action === 'list') return terminal.out(tableOf(await desk.list()))
  if (action === 'rotate') return terminal.out(`${await desk.rotate(name, wholeOf('grace', values.grace ?? '0'))}\n`)
  if (action === 'edit') return terminal.out(tableOf([await desk.edit(name, (key) => changesOf(key, values))]))
  const body = bodyOf(name, values)
  terminal.out(`${await desk.create(body, understood(body))}\n`)
}

function bodyOf(name: string, { permissions, expires, credits, sites, cidrs }: Values) {
  const limits = {
    ...(sites === undefined ? {} : { sites: listOf(sites) }),
    ...(cidrs === undefined ? {} : { cidrs: listOf(cidrs) }),
  }
  return {
    name,
    permissions: permissions === undefined ? USUAL : permissions === 'all' ? PERMISSIONS : listOf(permissions),
    ...(expires === undefined ? {} : { expires_at: expires }),
    ...(credits === undefined ? {} : { credits: wholeOf('credits', credits) }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  }
}

/** What is named, and nothing else; limits are sent as a whole, so those that stay go along. */
function changesOf(key: ShownKey, { permissions, expires, credits, sites, cidrs }: Values) {
  const limitOf = (words: string) => (words === 'all' ? null : listOf(words))
  const body = {
    ...(permissions === undefined ? {} : { permissions: permissions === 'all' ? PERMISSIONS : listOf(permissions) }),
    ...(expires === undefined ? {} : { expires_at: expires === 'never' ? null : expires }),
    ...(credits === undefined ? {} : { credits: credits === 'unlimited' ? null : wholeOf('credits', credits) }),
    ...(sites === undefined && cidrs === undefined
      ? {}
      : {
          limits: {
            ...key.limits,
            ...(sites === undefined ? {} : { sites: limitOf(sites) }),
            ...(cidrs === undefined ? {} : { cidrs: limitOf(cidrs) }),
          },
        }),
  }
  const parsed = editKeyBody.safeParse(body)
  if (!parsed.success) throw wrongUsage(parsed.error.issues[0]?.message ?? 'that is no change')
  return { body, terms: parsed.data }
}

/** By the schema of the API, whether or not a daemon is asked. */
function understood(body: z.input<typeof newKeyBody> | Readonly<Record<string, unknown>>): KeyTerms {
  const parsed = newKeyBody.safeParse(body)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw wrongUsage(issue ? `${issue.path.join('.')}: ${issue.message}` : 'that is no key')
}

const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')

function wholeOf(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw wrongUsage(`--${option} must be a whole number`)
  return Number(text)
}

/** A line for each key; columns are as wide as they have to be. */
function tableOf(keys: readonly ShownKey[]): string {
  const rows = keys.map((key) => [
    plain(key.name),
    key.state,
    key.credits === null ? '-' : String(key.credits),
    key.expires_at ?? 'never',
    key.last_used_at ?? '-',
    key.permissions.length === PERMISSIONS.length ? 'all' : key.permissions.join(','),
  ])
  const table = [['NAME', 'STATE', 'CREDITS', 'EXPIRES', 'LAST USED', 'PERMISSIONS'], ...rows]
  const widths = table[0]?.map((_head, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  return table
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
