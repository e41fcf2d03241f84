import fs from 'node:fs/promises'
import path from 'node:path'
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { readStreamPosition, type StreamPosition } from '../support/media.ts'
import { useRig } from '../support/rig.ts'
import { waitFor } from '../support/wait-for.ts'

/** Length of a segment of the test streams: the accuracy that is promised. */
const SEGMENT = 1

describe('recording a live stream', () => {
  const rig = useRig()

  const position = async (from: TestDaemon, file: unknown): Promise<StreamPosition> => {
    const target = await from.client().download(file)
    const found = await readStreamPosition(target)
    await fs.rm(path.dirname(target), { recursive: true })
    return found
  }
  /** Seconds of the stream that are out now. */
  const newest = (startedAt: number) => (Date.now() - startedAt) / 1000

  test('from now on, for as long as asked', async () => {
    await using live = await rig.origin().startLive({ segmentSeconds: SEGMENT, window: 12 })
    const asked = newest(live.startedAt)
    const status = await rig.daemon().client().complete('get_live_video', { url: live.url, duration: 5 })
    const { first, duration } = await position(rig.daemon(), status['file'])
    expect(status['file']).toMatch(/\/live_video\.mp4$/)
    expect(Math.abs(duration - 5)).toBeLessThanOrEqual(SEGMENT)
    // The request itself takes a moment, and the newest whole segment is up to one old.
    expect(first).toBeGreaterThan(asked - 2 * SEGMENT)
    expect(first).toBeLessThan(asked + 4 * SEGMENT)
  })

  test('from some seconds ago, as far as the stream reaches back', async () => {
    await using live = await rig.origin().startLive({ segmentSeconds: SEGMENT, window: 20 })
    await waitFor('a full window', () => newest(live.startedAt) > 14)
    const asked = newest(live.startedAt)
    const status = await rig.daemon().client().complete('get_live_audio', { url: live.url, start: 10, duration: 6 })
    const { first, duration } = await position(rig.daemon(), status['file'])
    expect(Math.abs(duration - 6)).toBeLessThanOrEqual(SEGMENT)
    expect(first).toBeGreaterThan(asked - 10 - 2 * SEGMENT)
    expect(first).toBeLessThan(asked - 10 + 4 * SEGMENT)
  })

  test('a stream that ends in the middle is kept as far as it went', async () => {
    await using live = await rig.origin().startLive({ segmentSeconds: SEGMENT, window: 12 })
    const id = await rig.daemon().client().submit('get_live_video', { url: live.url, duration: 60 })
    await waitFor(
      'the recording to run',
      async () => Number((await rig.daemon().client().status(id))['progress'] ?? 0) > 4,
    )
    await live.end()
    const status = await rig.daemon().client().finish(id)
    expect(status['status']).toBe('completed')
    expect(status['note']).toBe('shorter than asked for: the stream ended')
    const { duration } = await position(rig.daemon(), status['file'])
    expect(duration).toBeGreaterThan(2)
    expect(duration).toBeLessThan(30)
  })

  test('what was recorded is kept when the daemon is stopped', async () => {
    await using mortal = await startTestDaemon({ TASK_CLEANUP_TIME: '60' })
    await using live = await rig.origin().startLive({ segmentSeconds: SEGMENT, window: 12 })
    const id = await mortal.client().submit('get_live_video', { url: live.url, duration: 60 })
    await waitFor('the recording to run', async () => Number((await mortal.client().status(id))['progress'] ?? 0) > 4)
    expect(await mortal.end('SIGTERM')).toBe(0)
    await mortal.start()
    const status = await mortal.client().finish(id)
    expect(status).toMatchObject({ status: 'completed', attempts: 1 })
    expect((await position(mortal, status['file'])).duration).toBeGreaterThan(2)
  })

  test('what is not live is an error that says so', async () => {
    const client = rig.daemon().client()
    const bodies = [`${rig.origin().url}/small.mp4`, `${rig.origin().url}/hls/plain/index.m3u8`].map((url) => ({
      url,
      duration: 5,
    }))
    const ends = await Promise.all(
      bodies.map(async (body) => client.finish(await client.submit('get_live_video', body))),
    )
    expect(ends.map((end) => end['error_code'])).toEqual(['not_live', 'not_live'])
  })

  test('a live stream is not downloaded as a video', async () => {
    await using live = await rig.origin().startLive({ segmentSeconds: SEGMENT, window: 12 })
    const client = rig.daemon().client()
    const status = await client.finish(await client.submit('get_video', { url: live.url }))
    expect(status).toMatchObject({ status: 'error', error_code: 'filtered' })
    expect(String(status['error'])).toContain('get_live_video')
  })
})
