import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { TaskError } from '../../src/domain/errors.ts'
import { checkWhole } from '../../src/engine/gate.ts'
import { salvageRecording } from '../../src/engine/live-finish.ts'
import { recordLive, type LiveRecording, type LiveRequest } from '../../src/engine/live.ts'
import { readStreamPosition } from '../support/media.ts'
import { startOrigin, type LiveOptions, type LiveStream, type Origin } from '../support/origin.ts'
import { createPlainRunner, TEST_LIMITS } from '../support/plain-runner.ts'
import { runYtDlp } from '../support/tools.ts'

const runner = createPlainRunner()
const STREAM: LiveOptions = { segmentSeconds: 1, window: 12 }
/** One segment, and what the reading of a position may be off by. */
const SEGMENT = 1.3

let dir = ''
let origin: Origin

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'live-'))
  origin = await startOrigin()
})
afterAll(async () => {
  await origin[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) })
  if (!response.ok) throw new TaskError('network', `HTTP ${response.status}`)
  return response.text()
}

const muxed = (url: string) => ({ is_live: true, url, protocol: 'm3u8_native', vcodec: 'avc1', acodec: 'mp4a' })

async function request(info: unknown, more: Partial<LiveRequest> = {}): Promise<LiveRequest> {
  return {
    label: 'test',
    workDir: await mkdtemp(join(dir, 'work-')),
    limits: TEST_LIMITS,
    timeoutMs: 60_000,
    signal: AbortSignal.timeout(90_000),
    info,
    kind: 'video',
    startSeconds: 0,
    durationSeconds: 5,
    proxyUrl: null,
    fetchText,
    ...more,
  }
}

/** Second of the stream up to which it is on offer now. */
const edgeOf = (live: LiveStream) => Math.floor((Date.now() - live.startedAt) / 1000)

type Outcome = Readonly<{
  edge: number
  result: LiveRecording
  first: number
  last: number
  seconds: number
  files: string[]
}>

async function outcomeOf(live: LiveStream, job: LiveRequest): Promise<Outcome> {
  const edge = edgeOf(live)
  const result = await recordLive(runner, job)
  const { first, last, duration } = await readStreamPosition(result.file)
  return { edge, result, first, last, seconds: duration, files: await readdir(job.workDir) }
}

async function codeOf(work: Promise<unknown>): Promise<string | null> {
  const error = await work.then(
    () => null,
    (error: unknown) => error,
  )
  return error instanceof TaskError ? error.code : null
}

/** Resolves when so much is recorded. */
function recorded(seconds: number): { reached: Promise<void>; onRecorded: (seconds: number) => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { reached: promise, onRecorded: (now) => now >= seconds && resolve() }
}

/** All of them at once: each waits for the clock, none for the processor. */
const scenarios = {
  async fromNow() {
    await using live = await origin.startLive(STREAM)
    return await outcomeOf(live, await request(muxed(live.url)))
  },
  async fromBefore() {
    await using live = await origin.startLive(STREAM)
    return await outcomeOf(live, await request(muxed(live.url), { startSeconds: 6, durationSeconds: 8 }))
  },
  async fromBeforeTheWindow() {
    await using live = await origin.startLive(STREAM)
    return await outcomeOf(live, await request(muxed(live.url), { startSeconds: 3600, durationSeconds: 6 }))
  },
  async asYtDlpSeesIt() {
    await using live = await origin.startLive({ ...STREAM, separateAudio: true })
    const { stdout } = await runYtDlp(['-J', '-f', 'bv+ba', live.url])
    return await outcomeOf(live, await request(JSON.parse(stdout), { startSeconds: 4, durationSeconds: 6 }))
  },
  async soundOfBoth() {
    await using live = await origin.startLive(STREAM)
    return await outcomeOf(live, await request(muxed(live.url), { kind: 'audio', startSeconds: 3 }))
  },
  async untilItsEnd() {
    await using live = await origin.startLive(STREAM)
    const { reached, onRecorded } = recorded(2)
    const outcome = outcomeOf(live, await request(muxed(live.url), { durationSeconds: 40, onRecorded }))
    await reached
    await live.end()
    return await outcome
  },
  async interrupted() {
    await using live = await origin.startLive(STREAM)
    const { reached, onRecorded } = recorded(3)
    const stop = new AbortController()
    const job = await request(muxed(live.url), { durationSeconds: 40, onRecorded, interrupt: stop.signal })
    const outcome = outcomeOf(live, job)
    await reached
    stop.abort()
    return await outcome
  },
  async frozen() {
    await using live = await origin.startLive(STREAM)
    live.freeze()
    const job = await request(muxed(live.url), { startSeconds: 5, durationSeconds: 40, stallSeconds: 3 })
    const startedAt = performance.now()
    const outcome = await outcomeOf(live, job)
    return { ...outcome, tookMs: performance.now() - startedAt }
  },
  async lost() {
    await using lostOrigin = await startOrigin()
    await using live = await lostOrigin.startLive(STREAM)
    const { reached, onRecorded } = recorded(2)
    const outcome = outcomeOf(live, await request(muxed(live.url), { durationSeconds: 40, onRecorded }))
    await reached
    await lostOrigin[Symbol.asyncDispose]()
    return await outcome
  },
  async killed() {
    await using live = await origin.startLive(STREAM)
    const { reached, onRecorded } = recorded(3)
    const kill = new AbortController()
    const job = await request(muxed(live.url), {
      durationSeconds: 40,
      onRecorded,
      signal: kill.signal,
      startSeconds: 2,
    })
    const edge = edgeOf(live)
    const code = codeOf(recordLive(runner, job))
    await reached
    kill.abort()
    const ctx = { ...job, signal: AbortSignal.timeout(30_000) }
    const salvaged = [await code, await salvageRecording(runner, ctx), await salvageRecording(runner, ctx)] as const
    const position = salvaged[1] === null ? null : await readStreamPosition(salvaged[1].file)
    return { edge, salvaged, position }
  },
} as const

type Done = { [Name in keyof typeof scenarios]: Awaited<ReturnType<(typeof scenarios)[Name]>> }
let done: Done

beforeAll(async () => {
  // The segments are made once, before the clocks start.
  await (await origin.startLive(STREAM))[Symbol.asyncDispose]()
  await (await origin.startLive({ ...STREAM, separateAudio: true }))[Symbol.asyncDispose]()
  const entries = Object.entries(scenarios).map(async ([name, run]) => [name, await run()] as const)
  done = Object.fromEntries(await Promise.all(entries)) as Done
}, 90_000)

describe('a recording', () => {
  test('from now begins at the newest there is and is as long as asked for', () => {
    const { edge, first, seconds, result } = done.fromNow
    expect(Math.abs(first - edge)).toBeLessThanOrEqual(SEGMENT)
    expect(Math.abs(seconds - 5)).toBeLessThanOrEqual(1)
    expect(result).toMatchObject({ endedEarly: null, ext: 'mp4', startClipped: false })
    expect(Math.abs(result.recordedSeconds - seconds)).toBeLessThan(0.5)
  })

  test('from 6 s before begins there', () => {
    const { edge, first, seconds, result } = done.fromBefore
    expect(Math.abs(first - (edge - 6))).toBeLessThanOrEqual(SEGMENT)
    expect(Math.abs(seconds - 8)).toBeLessThanOrEqual(1)
    expect(result.startedSecondsBack).toBeCloseTo(6, 0)
    expect(result.endedEarly).toBeNull()
  })

  test('from before everything on offer begins with the oldest and says so', () => {
    const { edge, first, seconds, result } = done.fromBeforeTheWindow
    expect(first).toBeGreaterThanOrEqual(edge - 12 - SEGMENT)
    expect(first).toBeLessThanOrEqual(edge - 12 + 2 + SEGMENT)
    expect(Math.abs(seconds - 6)).toBeLessThanOrEqual(1)
    expect(result.startClipped).toBe(true)
  })

  test('of separate tracks, as yt-dlp names them, holds both from the same moment', async () => {
    const { edge, first, seconds, result } = done.asYtDlpSeesIt
    const picture = await readStreamPosition(result.file, 'video')
    expect(Math.abs(picture.first - first)).toBeLessThan(0.4)
    expect(Math.abs(first - (edge - 4))).toBeLessThanOrEqual(SEGMENT + 2)
    expect(Math.abs(seconds - 6)).toBeLessThanOrEqual(1)
  })

  test('of sound alone has no picture', () => {
    const { edge, first, result } = done.soundOfBoth
    expect(result.ext).toBe('m4a')
    expect(Math.abs(first - (edge - 3))).toBeLessThanOrEqual(SEGMENT)
  })

  test('ends with the stream', () => {
    const { result, seconds } = done.untilItsEnd
    expect(result.endedEarly).toBe('ended')
    expect(seconds).toBeGreaterThan(1.5)
    expect(seconds).toBeLessThan(15)
  })

  test('that is stopped keeps what there is', () => {
    const { result, seconds } = done.interrupted
    expect(result.endedEarly).toBe('stopped')
    expect(seconds).toBeGreaterThan(2)
  })

  test('of a stream that stops moving ends by itself', () => {
    const { result, seconds, tookMs } = done.frozen
    expect(result.endedEarly).toBe('stalled')
    expect(Math.abs(seconds - 5)).toBeLessThanOrEqual(SEGMENT)
    expect(tookMs).toBeLessThan(20_000)
  })

  test('that loses the network keeps what there is', () => {
    const { result, seconds } = done.lost
    expect(result.endedEarly).toBe('interrupted_by_network')
    expect(seconds).toBeGreaterThan(1.5)
  })

  test('whose process was killed is finished from what is on the disk, and stays so', () => {
    const { edge, position, salvaged } = done.killed
    expect(salvaged[0]).toBe('cancelled')
    expect(salvaged[1]).toMatchObject({ ext: 'mp4' })
    expect(salvaged[1]?.recordedSeconds).toBeGreaterThan(1.5)
    expect(Math.abs((position?.first ?? 0) - (edge - 2))).toBeLessThanOrEqual(SEGMENT)
    expect(salvaged[2]).toEqual(salvaged[1])
  })

  test('is whole by the gate, and alone in its folder', async () => {
    for (const { result, files } of [done.fromNow, done.fromBefore, done.untilItsEnd, done.frozen, done.lost]) {
      const ctx = await request(null)
      const gate = await checkWhole(runner, { ...ctx, file: result.file, expect: 'video', expectedDuration: null })
      expect(gate.ext).toBe('mp4')
      expect(files).toEqual(['finished.mp4'])
    }
  })
})

describe('what cannot be recorded', () => {
  test('has an end already, or is no stream', async () => {
    const hls = new URL('/hls/plain/index.m3u8', origin.url).href
    expect(await codeOf(recordLive(runner, await request(muxed(hls))))).toBe('not_live')
    const file = { is_live: false, url: new URL('/small.mp4', origin.url).href, protocol: 'http' }
    expect(await codeOf(recordLive(runner, await request(file)))).toBe('not_live')
  })

  test.each([
    [{ live_status: 'is_upcoming' }, 'live_not_started'],
    [{}, 'no_media'],
    [null, 'no_media'],
    [{ is_live: true, url: 'https://127.0.0.1/x', protocol: 'websocket_frag' }, 'format_unavailable'],
    [{ is_live: true, url: 'rtmp://127.0.0.1/x', protocol: 'rtmp' }, 'no_media'],
  ])('%j is %s', async (info, code) => {
    expect(await codeOf(recordLive(runner, await request(info)))).toBe(code)
  })

  test('leaves nothing to salvage', async () => {
    expect(await salvageRecording(runner, await request(null))).toBeNull()
  })

  test('answers nothing', async () => {
    const gone = muxed(new URL('/live/9999/index.m3u8', origin.url).href)
    expect(await codeOf(recordLive(runner, await request(gone)))).toBe('network')
  })
})

test('a broadcast over plain HTTP is recorded as long as asked for', async () => {
  const sound = Buffer.from(await (await fetch(new URL('/tone.mp3', origin.url))).arrayBuffer())
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'audio/mpeg' })
    const timer = setInterval(() => response.write(sound), 200)
    response.on('close', () => clearInterval(timer))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const info = { is_live: true, url: `http://127.0.0.1:${port}/radio`, protocol: 'http', vcodec: 'none' }
    const result = await recordLive(runner, await request(info, { kind: 'audio', durationSeconds: 4 }))
    expect(result).toMatchObject({ ext: 'mp3', endedEarly: null })
    expect(Math.abs(result.recordedSeconds - 4)).toBeLessThan(0.5)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
