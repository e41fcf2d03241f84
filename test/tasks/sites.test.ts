import fs from 'node:fs/promises'
import path from 'node:path'
import { CookieStore } from '../../src/db/cookie-store.ts'
import { TaskError } from '../../src/domain/errors.ts'
import type { SiteAccess } from '../../src/engine/site-access.ts'
import { CookieJars } from '../../src/keys/cookie-jars.ts'
import { openSeal } from '../../src/keys/seal.ts'
import { SitePresets } from '../../src/tasks/site-presets.ts'
import { Sites } from '../../src/tasks/sites.ts'
import { NO_SITE_ACCESS, keyOf, openGround, SILENT, type Ground } from '../support/samples.ts'

const URL = 'https://m.youtube.com/watch?v=1'
const KEY = keyOf('key-a')
const line = (value: string, name = 'SID') => `.youtube.com\tTRUE\t/\tTRUE\t4000000000\t${name}\t${value}\n`
const visitor = { keyId: KEY.id, url: URL, sitePreset: null, cookies: true }

describe('a run on a site', () => {
  let ground: Ground
  let jars: CookieJars
  let sites: Sites
  let presets: SitePresets
  let workDir: string

  beforeEach(async () => {
    ground = await openGround()
    workDir = path.join(ground.dir, 'work')
    await fs.mkdir(workDir)
    await fs.mkdir(path.join(ground.dir, 'config'))
    const home = { sites: ['youtube.com'], proxy: 'http://proxy.example', sleep_requests: 2, sleep_interval: [1, 5] }
    const usual = { sites: ['vimeo.com'], default: true, po_token_provider: 'https://pot.example/x/' }
    await fs.writeFile(path.join(ground.dir, 'config', 'sites.json'), JSON.stringify({ presets: { home, usual } }))
    jars = new CookieJars(new CookieStore(ground.store.db), openSeal(path.join(ground.dir, 'state')))
    presets = await SitePresets.open(path.join(ground.dir, 'config'), SILENT)
    sites = new Sites({ jars, presets, log: SILENT })
    await jars.put(KEY, 'youtube.com', { netscape: line('mine') })
  })

  afterEach(async () => {
    presets[Symbol.dispose]()
    await ground[Symbol.asyncDispose]()
  })

  const left = () => fs.readdir(workDir)
  const valueNow = async () => (await jars.openFor(KEY.id, URL))?.content.map(({ value }) => value).join()

  test('has the cookies in a private file while it lasts, and renews the jar when it went well', async () => {
    const visit = await sites.visit(visitor)
    const result = await visit.during(workDir, async ({ cookieFile }) => {
      const file = cookieFile ?? ''
      expect(await fs.readFile(file, 'utf8')).toBe(`# Netscape HTTP Cookie File\n\n${line('mine')}`)
      expect((await fs.stat(file)).mode & 0o777).toBe(0o600)
      await fs.writeFile(file, line('renewed'))
      await fs.writeFile(path.join(workDir, 'start.info.json'), '{"cookies": "SID=mine"}')
      await fs.writeFile(path.join(workDir, 'media.mp4.part'), 'kept')
      return 'made'
    })
    expect(result).toBe('made')
    expect(await left()).toEqual(['media.mp4.part'])
    expect(await valueNow()).toBe('renewed')
    expect(await sites.visit(visitor)).toMatchObject({ scope: visit.scope })
  })

  test.each([
    ['login_required', 'login_required'],
    ['bot_check', 'bot_check'],
    ['network', null],
    ['cancelled', null],
  ] as const)('that ends as %s leaves the jar as it was, with the note %s', async (code, note) => {
    const { during } = await sites.visit(visitor)
    const failing = during(workDir, async ({ cookieFile }) => {
      await fs.writeFile(cookieFile ?? '', '')
      throw new TaskError(code, 'as told')
    })
    await expect(failing).rejects.toThrow('as told')
    expect(await left()).toEqual([])
    expect(await valueNow()).toBe('mine')
    expect((await jars.list(KEY))[0]).toMatchObject({ lastFailure: note, lastSuccessAt: null })
  })

  test('does not follow a link that the tool put in the place of its cookies', async () => {
    const secret = path.join(ground.dir, 'secret')
    await fs.writeFile(secret, line('of another'))
    const { during } = await sites.visit(visitor)
    await during(workDir, async ({ cookieFile }) => {
      await fs.rm(cookieFile ?? '')
      await fs.symlink(secret, cookieFile ?? '')
    })
    expect(await valueNow()).toBe('mine')
    expect(await fs.readFile(secret, 'utf8')).toContain('of another')
  })

  test('goes on with its own cookies only, where an attempt before died with them', async () => {
    await fs.writeFile(path.join(workDir, 'cookies.txt'), line('old'))
    const { during } = await sites.visit(visitor)
    await during(workDir, async ({ cookieFile }) => {
      expect(await fs.readFile(cookieFile ?? '', 'utf8')).toContain('mine')
    })
    await fs.writeFile(path.join(workDir, 'cookies.txt'), line('old'))
    const seen: SiteAccess[] = []
    const stranger = await sites.visit({ ...visitor, keyId: 'key-b' })
    await stranger.during(workDir, async (access) => void seen.push(access))
    expect(seen).toEqual([NO_SITE_ACCESS])
    expect(await left()).toEqual([])
  })

  test('is a stranger where it wants no cookies, elsewhere, or with those of another key', async () => {
    for (const other of [{ cookies: false }, { url: 'https://notyoutube.com/' }, { keyId: 'key-b' }]) {
      expect((await sites.visit({ ...visitor, ...other })).scope).toBe('')
    }
  })

  test('shares what it learns with no other key, login or preset', async () => {
    await jars.put(keyOf('key-b'), 'youtube.com', { netscape: line('mine') })
    const scopes = [
      await sites.visit(visitor),
      await sites.visit({ ...visitor, keyId: 'key-b' }),
      await sites.visit({ ...visitor, sitePreset: 'home' }),
      await sites.visit({ ...visitor, sitePreset: 'home', cookies: false }),
    ].map(({ scope }) => scope)
    expect(new Set([...scopes, '']).size).toBe(5)
  })

  test('goes as its preset says', async () => {
    expect(await sites.visit({ ...visitor, sitePreset: 'home' })).toMatchObject({
      route: { upstream: 'http://proxy.example', open: [] },
      sleepMs: 7000,
    })
    expect(await sites.visit(visitor)).toMatchObject({ route: { upstream: null, open: [] }, sleepMs: 0 })
    const elsewhere = await sites.visit({ ...visitor, url: 'https://player.vimeo.com/1' })
    expect(elsewhere.route).toEqual({ upstream: null, open: ['pot.example:443'] })
    expect(await sites.visit({ ...visitor, url: 'https://vimeo.com/1', sitePreset: 'home' })).toEqual({
      ...elsewhere,
      during: expect.any(Function) as unknown,
    })
    await expect(sites.visit({ ...visitor, sitePreset: 'gone' })).rejects.toMatchObject({ code: 'bad_request_options' })
  })

  test.each([
    ['gone', URL, 'there is no preset "gone"'],
    ['home', 'https://vimeo.com/1', 'the preset home is for youtube.com only'],
  ])('cannot be asked for with the preset %s at %s', (name, url, message) => {
    expect(() => presets.require(name, url)).toThrow(
      expect.objectContaining({ code: 'invalid_request', details: [{ field: 'site_preset', message }] }) as Error,
    )
    expect(presets.require('home', URL).name).toBe('home')
  })
})
