import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { decodesCleanly, readStreamPosition } from './media.ts'
import { type Origin, startOrigin } from './origin.ts'
import { tempDir } from './temp-dir.ts'
import { waitFor } from './wait-for.ts'
import { runYtDlp } from './tools.ts'

/** yt-dlp starts slowly on a busy machine. */
const WAIT_MS = 30_000

const run = promisify(execFile)
const ffmpeg = (...args: readonly string[]) => run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args])

describe('a live stream of the origin', () => {
  let origin: Origin
  beforeAll(async () => {
    origin = await startOrigin()
  })
  afterAll(() => origin[Symbol.asyncDispose]())

  const playlistOf = async (url: string) => {
    const text = await (await fetch(url)).text()
    return {
      text,
      first: Number(/MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]),
      segments: Array.from(text.matchAll(/^muxed-(\d+)\.ts$/gm), (match) => Number(match[1])),
      isOver: text.includes('#EXT-X-ENDLIST'),
    }
  }
  const segment = async (url: string, index: number) => (await fetch(new URL(`muxed-${index}.ts`, url))).status

  test('its window slides with the clock, and what has left it is soon gone', async () => {
    await using live = await origin.startLive({ segmentSeconds: 1, window: 2, history: 4 })
    const before = await playlistOf(live.url)
    expect(before).toMatchObject({ first: 2, segments: [2, 3], isOver: false })
    expect(before.text).toContain(`#EXT-X-PROGRAM-DATE-TIME:${new Date(live.startedAt + 2000).toISOString()}`)
    expect(await segment(live.url, 0)).toBe(200)
    expect(await segment(live.url, 9)).toBe(404)
    await waitFor('the window to move', async () => (await playlistOf(live.url)).first === 4, WAIT_MS)
    expect(Date.now() - live.startedAt).toBeGreaterThanOrEqual(6000)
    expect(await segment(live.url, 0)).toBe(404)
  })

  test('it can freeze and it can end', async () => {
    await using live = await origin.startLive({ segmentSeconds: 1, window: 2 })
    live.freeze()
    const frozen = await playlistOf(live.url)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    expect(await playlistOf(live.url)).toEqual(frozen)
    await live.end()
    expect(await playlistOf(live.url)).toMatchObject({ segments: frozen.segments, isOver: true })
  })

  test('a recording tells which part of the stream it holds', async () => {
    await using dir = tempDir()
    await using live = await origin.startLive({ segmentSeconds: 1, window: 3, history: 20 })
    const file = path.join(dir.path, 'out.mp4')
    const recording = runYtDlp(['-o', file, live.url], { cwd: dir.path })
    const newest = new URL('muxed-20.ts', live.url).pathname
    await waitFor('the newest segment to be asked for', () => origin.requests(newest).length > 0, WAIT_MS)
    await live.end()
    expect((await recording).exitCode).toBe(0)
    const position = await readStreamPosition(file)
    expect(position.first).toBeGreaterThan(16.8)
    expect(position.first).toBeLessThan(20.2)
    expect(position.last).toBeGreaterThan(20.8)
    expect(position.last - position.first).toBeCloseTo(position.duration, 0)
    const picture = await readStreamPosition(file, 'video')
    expect(Math.abs(picture.first - position.first)).toBeLessThan(0.3)
    expect(Math.abs(picture.last - position.last)).toBeLessThan(0.3)
    expect(await decodesCleanly(file)).toBe(true)
  })

  test.each([
    [0, 0, 10],
    [3.3, 3.3, 6.7],
    [60.5, 60.5, 59.5],
  ])('its position is read from sound and picture: cut at %d s', async (start, first, length) => {
    await using dir = tempDir()
    await using live = await origin.startLive({ segmentSeconds: 1, window: 120, history: 120 })
    const source = path.join(dir.path, 'all.mkv')
    await ffmpeg('-i', live.url, '-c', 'copy', source)
    for (const [name, ...args] of [
      ['cut.mp4', '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac'],
      ['cut.m4a', '-vn', '-c:a', 'aac'],
      ['cut.mp3', '-vn', '-b:a', '96k'],
      ['cut.webm', '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-an'],
    ] as const) {
      const file = path.join(dir.path, name)
      await ffmpeg('-ss', String(start), '-i', source, '-t', String(length), ...args, file)
      const position = await readStreamPosition(file)
      expect(Math.abs(position.first - first)).toBeLessThan(0.25)
      expect(Math.abs(position.last - (first + length))).toBeLessThan(0.25)
      expect(Math.abs(position.duration - length)).toBeLessThan(0.25)
    }
  })

  test('an encrypted one with separate sound records both tracks from the same second', async () => {
    await using dir = tempDir()
    await using live = await origin.startLive({ segmentSeconds: 2, window: 3, encrypted: true, separateAudio: true })
    const file = path.join(dir.path, 'out.mp4')
    const recorder = spawn('ffmpeg', ['-nostdin', '-v', 'error', '-y', '-i', live.url, '-c', 'copy', file])
    const closed = once(recorder, 'close')
    await waitFor('the recording to begin', () => stat(file).catch(() => null), WAIT_MS)
    await live.end()
    await closed
    const [sound, picture] = [await readStreamPosition(file, 'audio'), await readStreamPosition(file, 'video')]
    expect(Math.abs(sound.first - picture.first)).toBeLessThan(0.3)
    expect(await decodesCleanly(file)).toBe(true)
  })

  test('what is no recording of a stream has no position', async () => {
    await expect(readStreamPosition(`${origin.url}/picture.jpg`, 'audio')).rejects.toThrow('cannot decode')
  })

  test('a stream that was disposed of is gone, and the next has another address', async () => {
    const live = await origin.startLive({ segmentSeconds: 1 })
    await live[Symbol.asyncDispose]()
    expect((await fetch(live.url)).status).toBe(404)
    await using next = await origin.startLive({ segmentSeconds: 1 })
    expect(next.url).not.toBe(live.url)
  })
})
