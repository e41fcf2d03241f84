import type { PageEntry } from '../../src/domain/page.ts'
import { createEntryFilter, noteOnSkipped } from '../../src/domain/playlist.ts'
import type { PlaylistWish } from '../../src/domain/task.ts'
import { entryOf, wishOf } from '../support/playlists.ts'

const passing = (wish: Partial<PlaylistWish>, entries: readonly PageEntry[]): number[] => {
  const why = createEntryFilter(wishOf(wish))
  return entries.filter((entry) => why(entry) === null).map(({ position }) => position)
}
const ten = Array.from({ length: 10 }, (_, index) => entryOf({ position: index + 1 }))

describe('the filter of a playlist', () => {
  test.each<[PlaylistWish['items'], number[]]>([
    [null, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    [[{ from: 2, to: 4 }], [2, 3, 4]],
    [[{ from: 9, to: null }], [9, 10]],
    [
      [
        { from: 7, to: 7 },
        { from: 1, to: 2 },
        { from: 2, to: 3 },
      ],
      [1, 2, 3, 7],
    ],
    [[{ from: 11, to: 20 }], []],
    [
      [
        { from: 1, to: 8 },
        { from: 2, to: 3 },
      ],
      [1, 2, 3, 4, 5, 6, 7, 8],
    ],
  ])('of places %j lets %j through', (items, expected) => {
    expect(passing({ items }, ten)).toEqual(expected)
  })

  test('of days and durations has both ends in it, and lets through what is not known', () => {
    const days = ['2024-01-01', '2024-06-01', '2024-12-31', null]
    const dated = days.map((uploadDate, index) => entryOf({ position: index + 1, uploadDate }))
    expect(passing({ dateAfter: '2024-06-01' }, dated)).toEqual([2, 3, 4])
    expect(passing({ dateBefore: '2024-06-01' }, dated)).toEqual([1, 2, 4])
    expect(passing({ dateAfter: '2024-02-01', dateBefore: '2024-12-31' }, dated)).toEqual([2, 3, 4])
    const long = [59, 60, 600, null].map((duration, index) => entryOf({ position: index + 1, duration }))
    expect(passing({ minDuration: 60 }, long)).toEqual([2, 3, 4])
    expect(passing({ minDuration: 60, maxDuration: 60 }, long)).toEqual([2, 4])
  })

  test('of titles does not mind the case', () => {
    const entries = ['Live at Köln', 'live', 'Studio', null].map((title, index) =>
      entryOf({ position: index + 1, title }),
    )
    expect(passing({ title: 'LIVE' }, entries)).toEqual([1, 2])
    expect(passing({ title: 'köln' }, entries)).toEqual([1])
  })

  test('leaves out what cannot be had, and tries what a login may open', () => {
    const words = ['private', 'removed', 'live', 'upcoming', 'subscriber_only', 'unlisted', null] as const
    const entries = words.map((availability, index) => entryOf({ position: index + 1, availability }))
    expect(passing({ kind: 'audio' }, entries)).toEqual([5, 6, 7])
    expect(passing({ kind: 'thumbnail' }, entries)).toEqual([3, 4, 5, 6, 7])
  })

  test('looks at 100,000 entries through 1,000 ranges without being slow', () => {
    const items = Array.from({ length: 1_000 }, (_, index) => ({ from: index * 100 + 1, to: index * 100 + 1 }))
    const why = createEntryFilter(wishOf({ items }))
    const startedAt = performance.now()
    const chosen = Array.from({ length: 100_000 }, (_, index) => why(entryOf({ position: index + 1 })))
    expect(chosen.filter((reason) => reason === null)).toHaveLength(1_000)
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })
})

test('the note counts what was left out by reason, but not what was never asked for', () => {
  expect(noteOnSkipped(['private', null, 'private', 'removed', 'not_chosen', 'downloaded'])).toBe(
    'left out 4: 2 private, 1 removed, 1 already downloaded',
  )
  expect(noteOnSkipped([null, 'not_chosen'])).toBeNull()
})
