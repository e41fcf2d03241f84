import { execFile } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import { once } from 'node:events'
import path from 'node:path'
import { promisify } from 'node:util'
import { startCore, type CoreServer } from '../../support/core-server.ts'
import { complete, completeBatch } from '../../support/finished.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/wait-for.ts'

const run = promisify(execFile)

const READ = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    print(json.dumps([z.testzip(), {n: z.read(n).decode() for n in z.namelist()}]))
`

let core: CoreServer
const dir = tempDir()
beforeAll(async () => {
  core = await startCore({ publicBaseUrl: 'https://dl.example' })
  await core.keys.adopt('other', 'other-value', ['get_video'])
})
afterAll(async () => {
  await core[Symbol.asyncDispose]()
  await dir[Symbol.asyncDispose]()
})

const get = (where: string, options: Parameters<CoreServer['call']>[2] = {}) => core.call('GET', where, options)
const codeOf = ({ body }: { body: Record<string, unknown> }) =>
  (body['error'] as { code?: string } | undefined)?.code ?? null
const local = (url: unknown) => new URL(String(url)).pathname + new URL(String(url)).search

/** Names and contents of a zip that was fetched whole. */
async function unzip(where: string, key: string | null = core.admin): Promise<Record<string, string>> {
  const answer = await fetch(core.url + where, { headers: key === null ? {} : { 'X-API-Key': key } })
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`)
  const body = Buffer.from(await answer.arrayBuffer())
  expect(Number(answer.headers.get('content-length'))).toBe(body.length)
  expect(answer.headers.get('content-type')).toBe('application/zip')
  const file = path.join(dir.path, 'got.zip')
  fs.writeFileSync(file, body)
  const { stdout } = await run('/usr/bin/python3', ['-c', READ, file])
  const [bad, files] = JSON.parse(stdout) as [string | null, Record<string, string>]
  expect(bad).toBeNull()
  return files
}

const subtitles = { name: 'video.en.srt', content: 'subtitles', kind: 'subtitles' as const }

describe('the zip of a task', () => {
  test('holds all its files under the name of the medium', async () => {
    const files = [{ name: 'video.mp4', content: 'picture' }, subtitles]
    const id = await complete(core, 'admin', { files, title: 'A/B: <x>' })
    await expect(unzip(`/v1/tasks/${id}/zip`)).resolves.toEqual({
      'A_B_ _x_.mp4': 'picture',
      'A_B_ _x_.en.srt': 'subtitles',
    })
    const head = await core.call('HEAD', `/v1/tasks/${id}/zip`)
    expect([head.status, head.text]).toEqual([200, ''])
    expect(head.headers.get('content-disposition')).toBe('attachment; filename="A_B_ _x_.zip"')
  })

  test('can be linked to', async () => {
    const id = await complete(core, 'admin', { title: 'Linked' })
    const { status, body } = await core.call('POST', `/v1/tasks/${id}/links`, { body: { zip: true } })
    expect(status).toBe(201)
    await expect(unzip(local(body['url']), null)).resolves.toEqual({ 'Linked.mp4': 'video' })
    const both = await core.call('POST', `/v1/tasks/${id}/links`, { body: { zip: true, inline: true } })
    expect([both.status, both.body['error']]).toMatchObject([400, { details: [{ field: 'zip' }] }])
  })

  test('is refused when a file is gone', async () => {
    const id = await complete(core, 'admin')
    fs.rmSync(core.rig.ground.files.pathOf(id, 'video.mp4'))
    const answer = await get(`/v1/tasks/${id}/zip`)
    expect([answer.status, codeOf(answer), answer.headers.get('content-disposition')]).toEqual([
      404,
      'file_not_found',
      null,
    ])
  })
})

describe('the zip of a batch', () => {
  test('holds the files in their order, under names that are safe and different', async () => {
    const files = [{ name: 'video.mp4', content: 'x' }]
    const titles = [
      'Plain',
      '../../etc/passwd',
      '<script>alert(1)</script>',
      'x'.repeat(1000),
      '🎬'.repeat(200),
      'שלום \u202egpj.exe',
      'CON',
      '',
      'a\u0000b\nc',
    ]
    const tasks = titles.map((title) => ({ files, title }))
    const { batch } = await completeBatch(core, 'admin', { title: 'All: of "them"', tasks })
    const names = Object.keys(await unzip(`/v1/batches/${batch}/zip`))
    expect(names).toHaveLength(titles.length)
    expect(names.slice(0, 3)).toEqual([
      '01 - Plain.mp4',
      '02 - _.._etc_passwd.mp4',
      '03 - _script_alert(1)__script_.mp4',
    ])
    expect(names.slice(5)).toEqual(['06 - שלום gpj.exe.mp4', '07 - CON_.mp4', '08 - video.mp4', '09 - a_b_c.mp4'])
    for (const name of names) {
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200)
      expect(name).toMatch(/^\d\d - [^/\\]+\.mp4$/)
    }
    const head = await core.call('HEAD', `/v1/batches/${batch}/zip`)
    expect(head.headers.get('content-disposition')).toBe('attachment; filename="All_ of _them_.zip"')
  })

  test('tells files apart that would have one name', async () => {
    const one = (content: string, title: string) => ({ files: [{ name: 'video.mp4', content }], title, position: 1 })
    const { batch } = await completeBatch(core, 'admin', { title: null, tasks: [one('a', 'Same'), one('b', 'SAME')] })
    await expect(unzip(`/v1/batches/${batch}/zip`)).resolves.toEqual({ '01 - Same.mp4': 'a', '01 - SAME (2).mp4': 'b' })
  })

  test('waits for the batch, unless what there is will do', async () => {
    const { batch, ids } = await completeBatch(core, 'admin', {
      title: null,
      tasks: [{ title: 'One' }, { title: 'Two' }, { unfinished: true }],
    })
    const refused = await get(`/v1/batches/${batch}/zip`)
    expect([refused.status, codeOf(refused)]).toEqual([409, 'conflict'])
    const part = `/v1/batches/${batch}/zip?partial=true`
    await expect(unzip(part)).resolves.toEqual({ '01 - One.mp4': 'video', '02 - Two.mp4': 'video' })
    fs.rmSync(core.rig.ground.files.pathOf(ids[0] ?? '', 'video.mp4'))
    await expect(unzip(part)).resolves.toEqual({ '02 - Two.mp4': 'video' })
    fs.rmSync(core.rig.ground.files.pathOf(ids[1] ?? '', 'video.mp4'))
    expect((await get(part)).status).toBe(404)
    expect((await get(`/v1/batches/${batch}/zip?partial=yes`)).status).toBe(400)
  })

  test('is the key’s own', async () => {
    const { batch } = await completeBatch(core, 'admin', { title: null, tasks: [{}] })
    for (const where of [`/v1/batches/${batch}/zip`, '/v1/batches/nothing/zip', '/v1/batches/..%2f..%2fx/zip']) {
      const answer = await get(where, { key: 'other-value' })
      expect([answer.status, codeOf(answer)]).toEqual([404, 'not_found'])
    }
    expect((await get(`/v1/batches/${batch}/zip`, { key: null })).status).toBe(401)
    const link = await core.call('POST', `/v1/batches/${batch}/links`, { body: {}, key: 'other-value' })
    expect([link.status, codeOf(link)]).toEqual([404, 'not_found'])
  })

  test('can be linked to: that one, until the link or its key ends', async () => {
    await core.keys.create(core.keys.require('admin').key, 'linker', ['get_video'])
    const { batch } = await completeBatch(core, 'linker', { title: null, tasks: [{ title: 'One' }] })
    const { batch: second } = await completeBatch(core, 'linker', { title: null, tasks: [{ title: 'Two' }] })
    const { batch: foreign } = await completeBatch(core, 'admin', { title: null, tasks: [{ title: 'Three' }] })
    const value = core.keys.require('linker').value
    const { status, body } = await core.call('POST', `/v1/batches/${batch}/links`, {
      body: { expires_in: 60 },
      key: value,
    })
    expect(status).toBe(201)
    const where = local(body['url'])
    await expect(unzip(where, null)).resolves.toEqual({ '01 - One.mp4': 'video' })
    for (const changed of [
      where.replace(batch, second),
      where.replace(batch, foreign),
      where.replace('/zip', '/feed.xml'),
      where.replace(/expires=\d+/, 'expires=99999999999'),
      where.replace(/expires=\d+/, 'expires=1'),
      where.replace(/signature=./, 'signature='),
      where.replace(/key=[^&]+/, `key=${core.keys.require('admin').key.id}`),
      where.replace(/key=[^&]+&/, ''),
      `${where}&signature=x`,
      where.replace('/v1/', '/v1//'),
    ]) {
      const answer = await get(changed, { key: null })
      expect([changed, answer.status]).toEqual([changed, 404])
    }
    await core.keys.remove('linker')
    const answer = await get(where, { key: null })
    expect([answer.status, codeOf(answer)]).toEqual([404, 'not_found'])
  })

  test('is given to a key four times at once, and no file stays open behind one that leaves', async () => {
    const big = { files: [{ name: 'video.mp4', content: 2 ** 28 }] }
    const { batch, ids } = await completeBatch(core, 'admin', { title: null, tasks: [big, big] })
    const open = async () => {
      const request = http.get(`${core.url}/v1/batches/${batch}/zip`, { headers: { 'X-API-Key': core.admin } })
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      return { status: response.statusCode, close: () => request.destroy() }
    }
    const four = await Promise.all([open(), open(), open(), open()])
    expect(four.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    const fifth = await get(`/v1/batches/${batch}/zip`)
    expect([fifth.status, codeOf(fifth)]).toEqual([429, 'limit_exceeded'])
    expect(fifth.headers.get('retry-after')).toBe('5')
    for (const { close } of four) close()
    await waitFor('the files to be closed', async () => {
      const names = await Promise.all(
        fs.readdirSync('/proc/self/fd').map((fd) => fs.promises.readlink(`/proc/self/fd/${fd}`).catch(() => '')), // closed meanwhile
      )
      return !names.some((name) => ids.some((id) => name.includes(id)))
    })
    expect((await core.call('HEAD', `/v1/batches/${batch}/zip`)).status).toBe(200)
  })
})
