import fs from 'node:fs'
import path from 'node:path'
import { readSitePresets } from '../../src/config/sites.ts'
import { defaultFor, describePreset } from '../../src/domain/site-preset.ts'
import { tempDir } from '../support/temp-dir.ts'

/** What the operator's file with this text comes to. */
async function read(text: string) {
  await using dir = tempDir()
  const file = path.join(dir.path, 'sites.json')
  fs.writeFileSync(file, text)
  return await readSitePresets(file)
}
const readPreset = (preset: Readonly<Record<string, unknown>>, name = 'home') =>
  read(JSON.stringify({ presets: { [name]: { sites: ['youtube.com'], ...preset } } }))

describe("the operator's presets of sites", () => {
  test('are none where there is no file', async () => {
    expect(await readSitePresets('/nowhere/sites.json')).toEqual([])
  })

  test('are read as the example has them', async () => {
    const presets = await readSitePresets(path.resolve('config/sites.example.json'))
    expect(presets.map(({ name }) => name)).toEqual(['youtube-home', 'as-browser', 'polite'])
    expect(presets.map(({ isDefault }) => isDefault)).toEqual([false, false, true]) // copied as it is it breaks nothing
    expect(presets[0]).toEqual({
      name: 'youtube-home',
      sites: ['youtube.com'],
      isDefault: false,
      proxy: 'socks5://user:password@127.0.0.1:1080',
      userAgent: null,
      impersonate: null,
      poTokenProvider: 'http://127.0.0.1:4416',
      sleepRequests: 1.5,
      sleepInterval: [2, 8],
      extractorArgs: { youtube: { player_client: ['default', 'mweb'] } },
    })
  })

  test('name sites by any of their hosts', async () => {
    const [preset] = await readPreset({ sites: ['www.youtube.com', 'youtu.be', 'twitter.com'] })
    expect(preset?.sites).toEqual(['youtube.com', 'x.com'])
  })

  test.each([
    ['presets.home.sites.0: must be the host name', { sites: ['https://youtube.com/'] }],
    ['presets.home.sites: ', { sites: [] }],
    ['presets.home.proxy: must be http://', { proxy: 'ftp://user:secret@proxy.example' }],
    ['presets.home.proxy: must be http://', { proxy: 'http://user:%secret@proxy.example' }],
    ['presets.home.user_agent: must be printable', { user_agent: 'a\nSecret: secret' }],
    ['presets.home.impersonate: must be a browser', { impersonate: 'chrome --exec secret' }],
    ['presets.home.po_token_provider: must be an http', { po_token_provider: 'file:///secret' }],
    ['presets.home.sleep_requests: ', { sleep_requests: 31 }],
    ['presets.home.sleep_interval: must be two numbers', { sleep_interval: [8, 2] }],
    ['presets.home.cookies: is not known', { cookies: 'secret' }],
    ['presets.home.extractor_args.generic: is not known', { extractor_args: { generic: { secret: ['1'] } } }],
    [
      'presets.home.extractor_args.youtube.base_url: is not known',
      { extractor_args: { youtube: { base_url: ['x'] } } },
    ],
    [
      'presets.home.extractor_args.youtube.player_client.0: ',
      { extractor_args: { youtube: { player_client: ['web;formats=secret'] } } },
    ],
  ])('that are wrong say where, without a value: %s', async (message, preset) => {
    const reading = readPreset(preset)
    await expect(reading).rejects.toThrow(message)
    await expect(reading).rejects.toThrow(/sites\.json is wrong/)
    await expect(reading).rejects.not.toThrow('secret')
  })

  test('that are no JSON, or badly named, or two by default for one site, are wrong', async () => {
    await expect(read('{"presets": {"a": {"proxy": "http://u:secret@h"}')).rejects.toThrow(/sites\.json is no JSON/)
    await expect(read('{"presets": {"a": {"proxy": "http://u:secret@h"}')).rejects.not.toThrow('secret')
    await expect(read('[]')).rejects.toThrow('the file: ')
    await expect(readPreset({}, 'Home!')).rejects.toThrow('a name has lower-case letters')
    const home = { sites: ['youtu.be'], default: true }
    await expect(
      read(JSON.stringify({ presets: { a: home, b: { ...home, sites: ['youtube.com'] } } })),
    ).rejects.toThrow('presets.b.sites: youtube.com already has the default preset a')
  })

  test('are told in words that hold no address and no password', async () => {
    const [preset] = await readPreset({
      proxy: 'socks5://user:secret@proxy.example',
      po_token_provider: 'http://secret.example',
      user_agent: 'Sim/1',
      impersonate: 'chrome',
      sleep_requests: 1.5,
      sleep_interval: [2, 8],
      extractor_args: { youtube: { player_client: ['tv'], po_token: ['mweb.gvs+secret'] } },
    })
    const words = preset === undefined ? [] : describePreset(preset)
    expect(words).toHaveLength(8)
    expect(words.join()).not.toContain('secret')
  })

  test('by default stand for the nearest site', async () => {
    const presets = await read(
      JSON.stringify({
        presets: {
          wide: { sites: ['example.com'], default: true },
          near: { sites: ['video.example.com'], default: true },
          other: { sites: ['example.org'] },
        },
      }),
    )
    expect(defaultFor(presets, 'https://a.video.example.com/1')?.name).toBe('near')
    expect(defaultFor(presets, 'https://www.example.com/1')?.name).toBe('wide')
    expect(defaultFor(presets, 'https://example.org/1')).toBeNull()
  })
})
