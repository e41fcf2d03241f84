import fs from 'node:fs'
import path from 'node:path'
import type { EngineRun } from '../../src/engine/engine-run.ts'
import type { Track } from '../../src/engine/progress.ts'
import {
  clearWork,
  hasPartialFiles,
  keepOnlyResumable,
  lookAtTracks,
  noteTracks,
  type HeadFetch,
  type SeenTrack,
} from '../../src/engine/resume.ts'
import { tempDir } from '../support/temp-dir.ts'

const VIDEO: SeenTrack = { formatId: 'v', size: 1000, etag: '"1"', lastModified: 'Fri, 02 Jan 2026 00:00:00 GMT' }
const AUDIO: SeenTrack = { formatId: 'a', size: 200, etag: null, lastModified: null }

/** A work folder with what an attempt that was stopped left. */
async function stopped(
  tracks: readonly SeenTrack[] | null,
): Promise<AsyncDisposable & { dir: string; left: () => string[] }> {
  const dir = tempDir()
  fs.writeFileSync(path.join(dir.path, 'media.fv.mp4.part'), 'half')
  if (tracks) await noteTracks(dir.path, tracks)
  return {
    dir: dir.path,
    left: () => fs.readdirSync(dir.path).toSorted(),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  }
}

describe('partial files', () => {
  test('are kept when every track is still the same', async () => {
    await using work = await stopped([VIDEO, AUDIO])
    expect(await hasPartialFiles(work.dir)).toBe(true)
    expect(await keepOnlyResumable(work.dir, [VIDEO, AUDIO])).toBe(true)
    expect(work.left()).toEqual(['media.fv.mp4.part', 'resume.json'])
  })

  test.each<[string, readonly SeenTrack[] | null, readonly SeenTrack[]]>([
    ['the size changed', [VIDEO], [{ ...VIDEO, size: 1001 }]],
    ['the size is not known now', [VIDEO], [{ ...VIDEO, size: null }]],
    ['the size was not known then', [{ ...VIDEO, size: null }], [{ ...VIDEO, size: null }]],
    ['the etag changed', [VIDEO], [{ ...VIDEO, etag: '"2"' }]],
    ['the etag is gone', [VIDEO], [{ ...VIDEO, etag: null }]],
    ['the date changed', [VIDEO], [{ ...VIDEO, lastModified: 'Sat, 03 Jan 2026 00:00:00 GMT' }]],
    ['another format is chosen', [VIDEO], [{ ...VIDEO, formatId: 'w' }]],
    ['a track was added', [VIDEO], [VIDEO, AUDIO]],
    ['a track is gone', [VIDEO, AUDIO], [VIDEO]],
    ['the second track changed', [VIDEO, AUDIO], [VIDEO, { ...AUDIO, size: 1 }]],
    ['nothing was noted', null, [VIDEO]],
  ])('go when %s', async (_what, before, now) => {
    await using work = await stopped(before)
    expect(await keepOnlyResumable(work.dir, now)).toBe(false)
    expect(work.left()).toEqual([])
    expect(await hasPartialFiles(work.dir)).toBe(false)
  })

  test.each(['', '[{"formatId":', '{}', '[{"size": "big"}]', 'null'])('go when the note reads %j', async (text) => {
    await using work = await stopped(null)
    fs.writeFileSync(path.join(work.dir, 'resume.json'), text)
    expect(await keepOnlyResumable(work.dir, [VIDEO])).toBe(false)
    expect(work.left()).toEqual([])
  })

  test('are cleared with folders and all, and a link is not followed', async () => {
    await using outside = tempDir()
    fs.writeFileSync(path.join(outside.path, 'precious'), 'x')
    await using work = await stopped([VIDEO])
    fs.mkdirSync(path.join(work.dir, 'deep', 'er'), { recursive: true })
    fs.symlinkSync(outside.path, path.join(work.dir, 'link'))
    await clearWork(work.dir)
    expect(work.left()).toEqual([])
    expect(fs.readdirSync(outside.path)).toEqual(['precious'])
  })
})

describe('looking at the origin', () => {
  const track = (more: Partial<Track> = {}): Track => ({ format_id: 'v', url: 'https://cdn.example/v', ...more })
  const run = {} as EngineRun
  const answering =
    (status: number, headers: Record<string, string>): HeadFetch =>
    () =>
      Promise.resolve({ status, headers: new Headers(headers) })

  test('asks for one byte with the headers of the track, and learns its size and validators', async () => {
    const asked: [string, Readonly<Record<string, string>>][] = []
    const head: HeadFetch = (url, { headers }) => {
      asked.push([url, headers])
      return answering(206, { 'content-range': 'bytes 0-0/1000', 'content-length': '1', etag: '"1"' })(url, {
        headers,
        timeoutMs: 1,
        run,
      })
    }
    const seen = await lookAtTracks(
      [track({ http_headers: { Referer: 'https://video.example/', Range: 'x' } })],
      head,
      run,
    )
    expect(seen).toEqual([{ formatId: 'v', size: 1000, etag: '"1"', lastModified: null }])
    expect(asked).toEqual([
      [
        'https://cdn.example/v',
        { Referer: 'https://video.example/', Range: 'bytes=0-0', 'Accept-Encoding': 'identity' },
      ],
    ])
  })

  test.each<[string, HeadFetch, number | null]>([
    ['a whole answer tells the size by its length', answering(200, { 'content-length': '1000' }), 1000],
    [
      'a part that does not tell the whole',
      answering(206, { 'content-range': 'bytes 0-0/*', 'content-length': '1' }),
      null,
    ],
    ['a part without its range', answering(206, { 'content-length': '1' }), null],
    ['an answer without a length', answering(200, {}), null],
    ['a length that is no number', answering(200, { 'content-length': 'many' }), null],
    ['a refusal', answering(403, { 'content-length': '1000' }), null],
    ['no answer at all', () => Promise.reject(new Error('refused')), null],
  ])('%s', async (_what, head, size) => {
    const [seen] = await lookAtTracks([track()], head, run)
    expect(seen?.size).toBe(size)
  })

  test('a track without an address is not asked for', async () => {
    const head: HeadFetch = () => Promise.reject(new Error('nothing to ask'))
    expect(await lookAtTracks([track({ url: null, format_id: null })], head, run)).toEqual([
      { formatId: null, size: null, etag: null, lastModified: null },
    ])
  })
})
