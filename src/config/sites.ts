import fs from 'node:fs/promises'
import { z } from 'zod'
import { siteNamed } from '../domain/site.ts'
import type { SitePreset } from '../domain/site-preset.ts'
import { ConfigError } from './index.ts'

/** Name of the operator's presets of sites in `CONFIG_DIR`. */
export const SITES_FILE = 'sites.json'

const MAX_FILE_BYTES = 2 ** 20
const MAX_PRESETS = 200
/** Longer ones would be taken for a stall. */
const MAX_SLEEP_S = 30

const site = z.string().transform((text, context) => {
  const name = siteNamed(text)
  if (name !== null) return name
  context.addIssue({ code: 'custom', message: 'must be the host name of a site, such as youtube.com' })
  return z.NEVER
})

const urlOf = (protocols: RegExp, message: string) =>
  z.string().refine((text) => {
    const url = URL.parse(text)
    return url !== null && protocols.test(url.protocol) && url.hostname !== '' && hasReadableUser(url)
  }, message)

/** A `%` in a password has to be written as `%25`. */
function hasReadableUser({ username, password }: URL): boolean {
  try {
    return decodeURIComponent(username + password) !== null
  } catch {
    return false // that is the answer
  }
}

const seconds = z.number().min(0).max(MAX_SLEEP_S)

/** Arguments of extractors that can neither name a file nor change what else a run may do. */
const extractorArgs = z.strictObject({
  youtube: z
    .strictObject({
      player_client: z
        .array(z.string().regex(/^-?[a-z_]{1,40}$/))
        .min(1)
        .max(20),
      po_token: z
        .array(z.string().regex(/^[a-z_]{1,40}\.(gvs|player|subs)\+[\w=%-]{1,1024}$/))
        .min(1)
        .max(20),
      fetch_pot: z.array(z.enum(['auto', 'always', 'never'])).length(1),
      lang: z.array(z.string().regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})?$/)).length(1),
    })
    .partial()
    .optional(),
  youtubetab: z
    .strictObject({
      skip: z
        .array(z.enum(['webpage', 'authcheck']))
        .min(1)
        .max(2),
    })
    .partial()
    .optional(),
})

const presetSchema = z.strictObject({
  sites: z.array(site).min(1).max(100),
  default: z.boolean().default(false),
  proxy: urlOf(/^(https?|socks5h?):$/, 'must be http://, https:// or socks5://[user:password@]host:port').nullish(),
  user_agent: z
    .string()
    .regex(/^[\x20-\x7e]{1,512}$/, 'must be printable text of at most 512 characters')
    .nullish(),
  impersonate: z
    .string()
    .regex(/^[a-z]+(-[\d.]+)?(:[a-z]+(-[\d.]+)?)?$/, 'must be a browser such as chrome, chrome-131 or safari:ios')
    .nullish(),
  po_token_provider: urlOf(/^https?:$/, 'must be an http:// or https:// address').nullish(),
  sleep_requests: seconds.nullish(),
  sleep_interval: z
    .tuple([seconds, seconds])
    .refine(([from, to]) => from <= to, 'must be two numbers, the smaller one first')
    .nullish(),
  extractor_args: extractorArgs.nullish(),
})

const fileSchema = z
  .strictObject({
    /** For editors. */
    $schema: z.string().optional(),
    presets: z.record(
      z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'a name has lower-case letters, digits, - and _ only'),
      presetSchema,
    ),
  })
  .superRefine(({ presets }, context) => {
    if (Object.keys(presets).length > MAX_PRESETS) {
      context.addIssue({ code: 'custom', path: ['presets'], message: `at most ${MAX_PRESETS} presets` })
    }
    const defaults = new Map<string, string>()
    for (const [name, preset] of Object.entries(presets)) {
      for (const own of preset.default ? new Set(preset.sites) : []) {
        const other = defaults.get(own)
        if (other === undefined) defaults.set(own, name)
        else {
          const message = `${own} already has the default preset ${other}`
          context.addIssue({ code: 'custom', path: ['presets', name, 'sites'], message })
        }
      }
    }
  })

/**
 * The operator's presets; none where there is no file. Throws ConfigError that names file, place and fault, and never
 * repeats a value: it may be a password.
 */
export async function readSitePresets(file: string): Promise<readonly SitePreset[]> {
  const text = await fs.readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new ConfigError(`${file} cannot be read: ${error.message}`, { cause: error })
  })
  if (text === null) return []
  if (text.length > MAX_FILE_BYTES) throw new ConfigError(`${file} is larger than ${MAX_FILE_BYTES} bytes`)
  const parsed = fileSchema.safeParse(parseJson(text, file))
  if (!parsed.success) throw new ConfigError(`${file} is wrong:\n${explain(parsed.error)}`)
  return Object.entries(parsed.data.presets).map(([name, preset]) => presetOf(name, preset))
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // The parser's own words quote the text around the fault.
    const place = error instanceof Error ? /\(line \d+ column \d+\)/.exec(error.message)?.[0] : undefined
    throw new ConfigError(`${file} is no JSON${place === undefined ? '' : ` ${place}`}`)
  }
}

function explain(error: z.ZodError): string {
  const lines = error.issues.flatMap((issue) => {
    const place = issue.path.join('.') || 'the file'
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => `  ${[...issue.path, key].join('.')}: is not known`)
    // A name that is no good stands in an issue of its own below the record's.
    if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => `  ${place}: ${message}`)
    return [`  ${place}: ${issue.message}`]
  })
  return lines.join('\n')
}

function presetOf(name: string, preset: z.output<typeof presetSchema>): SitePreset {
  const args = Object.entries(preset.extractor_args ?? {}).map(([extractor, given]) => [
    extractor,
    Object.fromEntries(Object.entries(given ?? {}).filter(([, values]) => values !== undefined)),
  ])
  return {
    name,
    sites: [...new Set(preset.sites)],
    isDefault: preset.default,
    proxy: preset.proxy ?? null,
    userAgent: preset.user_agent ?? null,
    impersonate: preset.impersonate ?? null,
    poTokenProvider: preset.po_token_provider?.replace(/\/+$/, '') ?? null,
    sleepRequests: preset.sleep_requests ?? null,
    sleepInterval: preset.sleep_interval ?? null,
    extractorArgs: Object.fromEntries(args) as SitePreset['extractorArgs'],
  }
}
