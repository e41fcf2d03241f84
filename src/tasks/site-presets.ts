import fs, { type Stats } from 'node:fs'
import path from 'node:path'
import type { Logger } from 'pino'
import { readSitePresets, SITES_FILE } from '../config/sites.ts'
import { Refusal } from '../domain/errors.ts'
import { defaultFor, isForUrl, type SitePreset } from '../domain/site-preset.ts'

/** How often the file is looked at. */
const LOOK_EVERY_MS = 2_000

/** The operator's presets of sites, as their file has them now. */
export class SitePresets implements Disposable {
  readonly #file: string
  readonly #log: Logger
  #byName: ReadonlyMap<string, SitePreset> = new Map()

  private constructor(file: string, log: Logger) {
    this.#file = file
    this.#log = log
  }

  /** Reads the file in this folder, and again whenever it changes. Throws ConfigError when it is wrong now. */
  static async open(configDir: string, log: Logger): Promise<SitePresets> {
    const presets = new SitePresets(path.join(configDir, SITES_FILE), log)
    await presets.#read()
    // Looking at the file by its name works with editors that replace it, with mounts, and where there is none yet.
    fs.watchFile(presets.#file, { interval: LOOK_EVERY_MS, persistent: false }, presets.#reread)
    return presets
  }

  /** Every preset, in the order of the file. */
  all(): readonly SitePreset[] {
    return [...this.#byName.values()]
  }

  names(): readonly string[] {
    return [...this.#byName.keys()]
  }

  get(name: string): SitePreset | null {
    return this.#byName.get(name) ?? null
  }

  /** Refuses `invalid_request`, with the field, a preset that there is not or that is not meant for this URL. */
  require(name: string, url: string): SitePreset {
    const preset = this.get(name)
    if (preset === null) throw refusal(`there is no preset ${JSON.stringify(name)}`)
    if (!isForUrl(preset, url)) throw refusal(`the preset ${name} is for ${preset.sites.join(', ')} only`)
    return preset
  }

  /** The preset that stands for this URL by itself. */
  defaultFor(url: string): SitePreset | null {
    return defaultFor(this.#byName.values(), url)
  }

  [Symbol.dispose](): void {
    fs.unwatchFile(this.#file, this.#reread)
  }

  readonly #reread = (now: Stats, before: Stats): void => {
    // Told once at the beginning of a file that is not there.
    if (now.mtimeMs === before.mtimeMs && now.size === before.size) return
    this.#read().then(
      () => this.#log.info({ presets: this.names() }, 'presets of sites read again'),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error)
        this.#log.error({ reason }, 'presets of sites stay as they were: their file is wrong')
      },
    )
  }

  async #read(): Promise<void> {
    this.#byName = new Map((await readSitePresets(this.#file)).map((preset) => [preset.name, preset]))
  }
}

function refusal(message: string): Refusal {
  return new Refusal('invalid_request', `site_preset: ${message}`, { details: [{ field: 'site_preset', message }] })
}
