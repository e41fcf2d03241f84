import type { Availability, PageEntry } from './page.ts'
import type { PlaylistWish } from './task.ts'

/** Why an entry of a playlist becomes no task. */
const SKIP_REASONS = [
  'not_chosen',
  'filtered',
  'private',
  'removed',
  'live',
  'upcoming',
  'no_address',
  'list',
  'downloaded',
  'over_limit',
] as const
export type SkipReason = (typeof SKIP_REASONS)[number]

/** How many entries have each reason, in words: `2 private, 1 removed`. */
const SKIP_WORDS: Readonly<Record<SkipReason, string>> = {
  not_chosen: 'not chosen',
  filtered: 'filtered out',
  private: 'private',
  removed: 'removed',
  live: 'live now',
  upcoming: 'not out yet',
  no_address: 'without an address that may be fetched',
  list: 'lists that could not be read',
  downloaded: 'already downloaded',
  over_limit: 'over the limit',
}

/**
 * Says of each entry, asked in the order of the playlist, why the wish leaves it out; null when it does not. The archive
 * and the limit are not looked at.
 */
export function createEntryFilter(wish: PlaylistWish): (entry: PageEntry) => SkipReason | null {
  const isChosen = inRanges(wish.items)
  const title = wish.title?.toLowerCase() ?? null
  return (entry) => {
    if (!isChosen(entry.position)) return 'not_chosen'
    if (entry.kind === 'playlist') return 'list'
    const unavailable = whyUnavailable(entry.availability, wish.kind)
    if (unavailable !== null) return unavailable
    const isWanted =
      isWithin(entry.uploadDate, wish.dateAfter, wish.dateBefore) &&
      isWithin(entry.duration, wish.minDuration, wish.maxDuration) &&
      (title === null || (entry.title ?? '').toLowerCase().includes(title))
    return isWanted ? null : 'filtered'
  }
}

/** What the list itself marks: to try it would be a failure known beforehand. What a login may open is tried. */
function whyUnavailable(availability: Availability | null, kind: PlaylistWish['kind']): SkipReason | null {
  if (availability === 'private' || availability === 'removed') return availability
  const isMedium = kind === 'video' || kind === 'audio'
  return isMedium && (availability === 'live' || availability === 'upcoming') ? availability : null
}

/** What is unknown passes. Days in the form `YYYY-MM-DD` have the order of their letters. */
function isWithin<T extends string | number>(value: T | null, least: T | null, most: T | null): boolean {
  return value === null || ((least === null || value >= least) && (most === null || value <= most))
}

/** Asked with ascending places; each costs the same however many ranges there are. */
function inRanges(items: PlaylistWish['items']): (position: number) => boolean {
  if (items === null) return () => true
  const ranges = items.toSorted((a, b) => a.from - b.from)
  let next = 0
  let end = 0
  return (position) => {
    for (let range = ranges[next]; range && range.from <= position; range = ranges[++next]) {
      end = Math.max(end, range.to ?? Infinity)
    }
    return position <= end
  }
}

/** What a client should know of what was left out, without what it asked to be; null when there is nothing. */
export function noteOnSkipped(reasons: readonly (SkipReason | null)[]): string | null {
  const counts = SKIP_REASONS.filter((reason) => reason !== 'not_chosen')
    .map((reason) => ({ reason, count: reasons.filter((one) => one === reason).length }))
    .filter(({ count }) => count > 0)
  if (counts.length === 0) return null
  const sum = counts.reduce((total, { count }) => total + count, 0)
  const parts = counts.map(({ reason, count }) => `${count} ${SKIP_WORDS[reason]}`)
  return `left out ${sum}: ${parts.join(', ')}`
}
