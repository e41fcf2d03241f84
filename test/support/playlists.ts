import type { PageEntry } from '../../src/domain/page.ts'
import type { PlaylistWish } from '../../src/domain/task.ts'

export const wishOf = (more: Partial<PlaylistWish> = {}): PlaylistWish => ({
  kind: 'video',
  items: null,
  dateAfter: null,
  dateBefore: null,
  minDuration: null,
  maxDuration: null,
  title: null,
  limit: null,
  skipDownloaded: false,
  ...more,
})

export const entryOf = (more: Partial<PageEntry> = {}): PageEntry => ({
  position: 1,
  kind: 'media',
  id: 'abc',
  url: 'https://video.example/abc',
  title: 'A title',
  duration: 60,
  uploadDate: null,
  thumbnail: null,
  availability: null,
  archiveId: 'example abc',
  ...more,
})

/** One entry of a flat playlist as yt-dlp prints it. */
export const flatEntry = (id: string, more: Readonly<Record<string, unknown>> = {}) => ({
  _type: 'url',
  ie_key: 'Example',
  id,
  url: `https://video.example/${id}`,
  title: `Title of ${id}`,
  duration: 60,
  ...more,
})

/** A playlist as yt-dlp prints it. */
export const playlistDocument = (entries: readonly unknown[], more: Readonly<Record<string, unknown>> = {}) =>
  JSON.stringify({
    _type: 'playlist',
    id: 'list',
    title: 'A list',
    extractor_key: 'ExampleList',
    webpage_url: 'https://video.example/list',
    entries,
    ...more,
  })

/** A playlist of `count` entries: `v0`, `v1`, … */
export const bulkDocument = (count: number) =>
  playlistDocument(Array.from({ length: count }, (_, index) => flatEntry(`v${index}`)))
