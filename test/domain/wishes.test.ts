import { OUTPUT_FORMATS } from '../../src/domain/output-format.ts'
import type { TaskRequest } from '../../src/domain/task.ts'
import { CARRIES, conflictIn } from '../../src/domain/wishes.ts'
import { wishOf } from '../support/playlists.ts'
import { requestOf } from '../support/samples.ts'

const conflict = (more: Partial<TaskRequest>) => conflictIn(requestOf(more))?.message ?? null
const remove = { action: 'remove', categories: ['sponsor'] } as const
const playlist = wishOf({ kind: 'audio' })

describe('a request', () => {
  test.each<[Partial<TaskRequest>, RegExp]>([
    [{ kind: 'info', embed: ['metadata'] }, /^embed is for the kinds video and audio/],
    [{ kind: 'live_video', clips: [{ start: 1, end: 2 }] }, /^clips is for the kinds video and audio/],
    [{ clips: [{ start: 1, end: 2 }], chapters: 'split' }, /not for both$/],
    [{ clips: [{ start: 1, end: 2 }], sponsorBlock: remove }, /^sponsorblock works on the whole medium/],
    [{ kind: 'audio', embed: ['subtitles'] }, /^subtitles cannot become part of a sound/],
    [{ embed: ['subtitles'], subtitles: { languages: ['en'], automatic: false, format: 'lrc' } }, /^lrc cannot/],
    [{ outputFormat: 'webm', embed: ['thumbnail'] }, /^webm cannot carry thumbnail: choose mkv or mp4/],
    [{ kind: 'audio', outputFormat: 'wav', embed: ['thumbnail'] }, /^wav cannot carry thumbnail: choose mp3/],
    [{ outputFormat: 'avi', sponsorBlock: { ...remove, action: 'mark' } }, /^avi cannot carry chapters/],
    [{ kind: 'audio', outputFormat: 'flac', audioBitrate: 128 }, /^flac has no audio bitrate/],
    [{ audioFormat: null, audioBitrate: 128 }, /^a video without sound/],
    [{ kind: 'thumbnail', outputFormat: 'gif' }, /may be jpg, png, webp$/],
    [{ kind: 'subtitles', outputFormat: 'srt' }, /use subtitles.format$/],
    [{ kind: 'playlist', playlist, embed: ['subtitles'] }, /^subtitles cannot become part of a sound/],
  ])('for %j does not go together, and is told why', (more, why) => {
    expect(conflict(more)).toMatch(why)
  })

  test.each<Partial<TaskRequest>>([
    {},
    { kind: 'audio', outputFormat: 'opus', audioBitrate: 96, embed: ['thumbnail', 'metadata', 'chapters'] },
    { outputFormat: 'mkv', embed: ['subtitles', 'thumbnail', 'metadata', 'chapters'], chapters: 'split' },
    { kind: 'thumbnail', outputFormat: 'png' },
    { kind: 'playlist', playlist, embed: ['thumbnail'] },
  ])('for %j does', (more) => {
    expect(conflict(more)).toBeNull()
  })

  test('can be for every format there is', () => {
    expect(Object.keys(CARRIES).toSorted()).toEqual([...OUTPUT_FORMATS.video, ...OUTPUT_FORMATS.audio].toSorted())
  })
})
