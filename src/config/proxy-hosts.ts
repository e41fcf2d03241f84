import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { withHosts, type MediaHosts } from '../domain/media-hosts.ts'
import { PLATFORMS } from '../domain/platform.ts'
import { ConfigError } from './index.ts'

/** Name of the operator's list of further hosts of media in `CONFIG_DIR`. */
export const PROXY_HOSTS_FILE = 'proxy-hosts.json'

const MAX_HOSTS = 200

const host = z.string().transform((text, context) => {
  const name = /[\s/?#@\\%:]/.test(text) ? '' : (URL.parse(`http://${text}/`)?.hostname ?? '')
  if (name.includes('.') && !name.startsWith('.')) return name
  context.addIssue({ code: 'custom', message: 'must be a host name such as media.example.com' })
  return z.NEVER
})

const fileSchema = z.partialRecord(z.enum(PLATFORMS), z.array(host).max(MAX_HOSTS))

/** The hosts that media may be passed on from: the known ones, and the file's. Throws ConfigError when that is wrong. */
export async function readMediaHosts(configDir: string): Promise<MediaHosts> {
  const file = path.join(configDir, PROXY_HOSTS_FILE)
  const text = await fs.readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '{}'
    throw new ConfigError(`${file} cannot be read`, { cause: error })
  })
  const parsed = fileSchema.safeParse(parseJson(text))
  if (parsed.success) return withHosts(parsed.data)
  const lines = parsed.error.issues.map(({ path: at, message }) => `  ${at.join('.')}: ${message}`)
  throw new ConfigError(`${file} is wrong:\n${lines.join('\n')}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // the schema refuses it
  }
}
