import { hash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import type { Logger } from 'pino'
import { formatNetscape } from '../domain/cookies.ts'
import { TaskError, type TaskErrorCode } from '../domain/errors.ts'
import { isForUrl, type SitePreset } from '../domain/site-preset.ts'
import type { TaskRequest } from '../domain/task.ts'
import type { LaneRoute } from '../engine/egress/index.ts'
import { COOKIE_FILE, START_INFO_FILE, type SiteAccess } from '../engine/site-access.ts'
import type { CookieJars, OpenJar } from '../keys/cookie-jars.ts'
import type { SitePresets } from './site-presets.ts'

/** Failures that a login may have to do with. */
const OF_LOGIN: ReadonlySet<TaskErrorCode> = new Set([
  'login_required',
  'bot_check',
  'auth_failed',
  'age_restricted',
  'private',
  'payment_required',
  'access_denied',
])

/** A rewritten cookie file larger than that is not looked at. */
const MAX_FILE_BYTES = 2 ** 20

/** Whose run it is, and what it may use of a site. */
export type Visitor = Readonly<{ keyId: string }> & Pick<TaskRequest, 'url' | 'sitePreset' | 'cookies'>

/** How a run goes to its site, known before it has a folder. */
export type Visit = Readonly<{
  /** As in `SiteAccess`. */
  scope: string
  route: LaneRoute
  /** How long it may stand still because it was told to wait. */
  sleepMs: number
  /** Does `work` with the key's cookies in its folder. They are gone from it when this ends, and renewed if it went well. */
  during: <T>(workDir: string, work: (access: SiteAccess) => Promise<T>) => Promise<T>
}>

/** Cookies of keys and presets of the operator, for whoever runs the engine. */
export class Sites {
  readonly presets: SitePresets
  readonly #jars: CookieJars
  readonly #log: Logger

  constructor(deps: Readonly<{ jars: CookieJars; presets: SitePresets; log: Logger }>) {
    this.presets = deps.presets
    this.#jars = deps.jars
    this.#log = deps.log
  }

  /** Refuses `invalid_request` a request with a preset that there is not, or that is not meant for its site. */
  checkPresets(requests: readonly Pick<TaskRequest, 'url' | 'sitePreset'>[]): void {
    for (const { sitePreset, url } of requests) {
      if (sitePreset !== null) this.presets.require(sitePreset, url)
    }
  }

  /** Throws TaskError `bad_request_options` where the preset asked for is not there any more. */
  async visit({ keyId, url, sitePreset, cookies }: Visitor): Promise<Visit> {
    const preset = this.#presetFor(sitePreset, url)
    const jar = cookies ? await this.#jars.openFor(keyId, url) : null
    const scope = scopeOf(jar, preset)
    return {
      scope,
      route: routeOf(preset),
      sleepMs: 1000 * ((preset?.sleepRequests ?? 0) + (preset?.sleepInterval?.[1] ?? 0)),
      during: (workDir, work) => this.#during(jar, workDir, (cookieFile) => work({ cookieFile, preset, scope })),
    }
  }

  /** An entry of a playlist may be on another site than the preset that was asked for the playlist. */
  #presetFor(name: string | null, url: string): SitePreset | null {
    const named = name === null ? null : this.presets.get(name)
    if (name !== null && named === null) {
      throw new TaskError('bad_request_options', `there is no preset ${JSON.stringify(name)} any more`)
    }
    return named !== null && isForUrl(named, url) ? named : this.presets.defaultFor(url)
  }

  async #during<T>(jar: OpenJar | null, workDir: string, work: (cookieFile: string | null) => Promise<T>): Promise<T> {
    const file = path.join(workDir, COOKIE_FILE)
    // What an attempt left that died with the daemon.
    await removeSecrets(workDir)
    try {
      if (jar === null) return await work(null)
      await fs.writeFile(file, formatNetscape(jar.content), { mode: 0o600, flag: 'wx' })
      const result = await work(file)
      await this.#settle(jar, () => this.#keep(jar, file))
      return result
    } catch (error) {
      const code = error instanceof TaskError ? error.code : null
      if (jar !== null && code !== null && OF_LOGIN.has(code)) await this.#settle(jar, () => this.#jars.note(jar, code))
      throw error
    } finally {
      await removeSecrets(workDir)
    }
  }

  async #keep(jar: OpenJar, file: string): Promise<void> {
    await this.#jars.note(jar, null)
    const stat = await fs.lstat(file).catch(() => null) // the tool may do what it likes with its own copy
    if (!stat?.isFile() || stat.size > MAX_FILE_BYTES) return
    await this.#jars.renew(jar, await fs.readFile(file, 'utf8'))
  }

  /** What cannot be noted changes nothing about the end of the run. */
  async #settle({ site }: OpenJar, note: () => Promise<void>): Promise<void> {
    await note().catch((err: unknown) => this.#log.error({ err, site }, 'the state of a cookie jar could not be kept'))
  }
}

/** Removes what holds cookies from a work folder, such as one of a daemon that was killed. */
export async function removeSecrets(workDir: string): Promise<void> {
  await Promise.all([COOKIE_FILE, START_INFO_FILE].map((name) => fs.rm(path.join(workDir, name), { force: true })))
}

/** Those who see the same: one jar, whatever the site renewed in it since it was put in, and one preset. */
function scopeOf(jar: OpenJar | null, preset: SitePreset | null): string {
  if (jar === null && preset === null) return ''
  const identity = [jar && [jar.keyId, jar.site, jar.createdAt], preset]
  return hash('sha256', JSON.stringify(identity), 'hex')
}

function routeOf(preset: SitePreset | null): LaneRoute {
  const provider = preset?.poTokenProvider ?? null
  return { upstream: preset?.proxy ?? null, open: provider === null ? [] : [authorityOf(new URL(provider))] }
}

const authorityOf = ({ host, port, protocol }: URL) =>
  port === '' ? `${host}:${protocol === 'http:' ? 80 : 443}` : host
