import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { probe, sha256 } from '../support/media.ts'
import { useRig } from '../support/rig.ts'
import { tempDir } from '../support/temp-dir.ts'

const run = promisify(execFile)

describe('a finished video', () => {
  const rig = useRig()
  const dir = tempDir()
  afterAll(() => dir[Symbol.asyncDispose]())

  /** Fetches an address into a file. */
  const save = async (url: string, name: string, headers: Readonly<Record<string, string>> = {}) => {
    const answer = await fetch(url, { headers })
    expect([url, answer.status]).toEqual([url, 200])
    const file = path.join(dir.path, name)
    await fs.writeFile(file, Buffer.from(await answer.arrayBuffer()))
    return file
  }

  test('has a picture, a checksum, a link, a zip, a stream and a place in a podcast', async () => {
    const client = rig.client()
    const status = await client.complete('get_video', { url: `${rig.origin().url}/small.mp4` })
    const task = `/v1/tasks/${String(status['task_id'])}`
    const at = client.url + task

    const thumbnail = await save(`${at}/thumbnail`, 'thumbnail.jpg', client.headers)
    const [picture] = (await probe(thumbnail)).streams
    expect([picture?.codec, (picture?.width ?? 0) > 0]).toEqual(['mjpeg', true])

    const { items } = (await client.get(`${task}/files?checksum=true`)).body as {
      items: { name: string; size: number; sha256: string }[]
    }
    expect(items).toHaveLength(1)
    const link = await client.post(`${task}/links`, { expires_in: 60 })
    const video = await save(String(link.body['url']), 'video.mp4')
    await expect(sha256(video)).resolves.toBe(items[0]?.sha256)

    const zipLink = await client.post(`${task}/links`, { zip: true })
    const zip = await save(String(zipLink.body['url']), 'all.zip')
    const { stdout } = await run('unzip', ['-t', zip])
    expect(stdout).toContain('No errors detected')

    const part = await fetch(`${at}/stream`, { headers: { ...client.headers, Range: 'bytes=0-9' } })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 0-9/${items[0]?.size}`])
    await part.arrayBuffer()

    const feed = await client.post('/v1/feeds', {})
    const rss = await fs.readFile(await save(String(feed.body['url']), 'feed.xml'), 'utf8')
    const enclosure = /<enclosure url="([^"]+)" length="(\d+)" type="video\/mp4"/.exec(rss)
    expect(enclosure?.[2]).toBe(String(items[0]?.size))
    const episode = await save(enclosure?.[1]?.replaceAll('&amp;', '&') ?? '', 'episode.mp4')
    await expect(sha256(episode)).resolves.toBe(items[0]?.sha256)
  })
})
