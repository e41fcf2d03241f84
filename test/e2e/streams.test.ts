import fs from 'node:fs/promises'
import path from 'node:path'
import { startTestDaemon } from '../support/daemon.ts'
import { decodesCleanly, probe } from '../support/media.ts'
import { useRig } from '../support/rig.ts'

/** Seconds of a segment of the origin's streams. */
const SEGMENT = 2

describe('segmented streams', () => {
  const rig = useRig()

  const made = async (url: string, more: Readonly<Record<string, unknown>> = {}) => {
    const status = await rig
      .daemon()
      .client()
      .complete('get_video', { url, ...more })
    const file = await rig.daemon().client().download(status['file'])
    const result = { name: path.basename(file), whole: await decodesCleanly(file), ...(await probe(file)) }
    await fs.rm(path.dirname(file), { recursive: true })
    return result
  }

  test.each([
    '/hls/plain/index.m3u8',
    '/hls/master/index.m3u8',
    '/hls/fmp4/index.m3u8',
    '/hls/encrypted/index.m3u8',
    '/dash/manifest.mpd',
  ])('%s becomes one whole mp4 with picture and sound', async (pathname) => {
    const video = await made(rig.origin().url + pathname)
    expect(video).toMatchObject({ name: 'video.mp4', whole: true })
    expect(video.streams.map(({ type }) => type).toSorted()).toEqual(['audio', 'video'])
    expect(Math.abs(video.duration - 8)).toBeLessThan(0.5)
  })

  test('parts that were encoded apart from each other are joined', async () => {
    const entry = (n: number) => `#EXTINF:${SEGMENT}.0,\n${rig.origin().url}/hls/plain/${n}.ts`
    const lines = [
      '#EXTM3U',
      '#EXT-X-VERSION:3',
      `#EXT-X-TARGETDURATION:${SEGMENT}`,
      entry(0),
      entry(1),
      '#EXT-X-DISCONTINUITY',
      entry(0),
      entry(1),
      '#EXT-X-ENDLIST',
    ]
    const query = new URLSearchParams({ type: 'application/vnd.apple.mpegurl', body: `${lines.join('\n')}\n` })
    const video = await made(`${rig.origin().url}/text/joined.m3u8?${query.toString()}`)
    expect(video.streams).toHaveLength(2)
    expect(video.duration).toBeGreaterThan(4 * SEGMENT - 1)
  })

  test('a missing segment is a failure, not a gap', async () => {
    await using strict = await startTestDaemon({ RETRY_MAX_WAIT: '0' })
    const client = strict.client()
    const status = await client.finish(
      await client.submit('get_video', { url: `${rig.origin().url}/hls/plain/index.m3u8?gap=2` }),
    )
    expect(status['status']).toBe('error')
    expect(['network', 'not_found']).toContain(status['error_code'])
  })

  test('a video comes in the container asked for, without sound if asked for', async () => {
    const silent = await made(`${rig.origin().url}/small.mp4`, { audio_format: 'none' })
    expect(silent.streams.map(({ type }) => type)).toEqual(['video'])
    const webm = await made(`${rig.origin().url}/small.mp4`, { output_format: 'webm' })
    expect(webm).toMatchObject({ name: 'video.webm', whole: true })
    const mkv = await made(`${rig.origin().url}/dash/manifest.mpd`, { output_format: 'mkv' })
    expect(mkv).toMatchObject({ name: 'video.mkv', whole: true })
  })
})
