import { setImmediate as breathe } from 'node:timers/promises'
import { TaskError } from '../domain/errors.ts'
import { entriesOf, ENTRIES_PER_CHUNK, type Page, type PageEntry } from '../domain/page.ts'
import { RETRY_RULES } from '../domain/retry.ts'
import type { EngineRun } from '../engine/engine-run.ts'
import { readPage } from '../engine/page.ts'
import { INFO_MAX_BYTES } from './run-bounds.ts'

/** Entries of one playlist task; a longer one has to be asked for in parts. */
const MAX_ENTRIES = 50_000

/** How deep lists within a list are followed, and how many of them in all. */
const MAX_DEPTH = 2
const MAX_LISTS = 100

/** The info JSON of a URL. Throws TaskError. */
export type Extract = (url: string, run: EngineRun) => Promise<string>

/** A playlist with all that is in it; a single medium is a playlist of one. */
export type Collected = Readonly<{ title: string | null; url: string; entries: readonly PageEntry[] }>

/**
 * Everything that is in the playlist at a URL, in order; lists within it, such as the tabs of a channel, stand in their
 * place with what they hold, and as entries of the kind `playlist` where they cannot or, by `mayRead`, may not be read.
 */
export async function collectEntries(
  { extract, mayRead }: Readonly<{ extract: Extract; mayRead: (url: string) => boolean }>,
  url: string,
  run: EngineRun,
): Promise<Collected> {
  const page = await readPage(await extract(url, run))
  const entries: PageEntry[] = []
  const seen = new Set([url])
  let lists = 0

  const read = async (list: string): Promise<Page | null> => {
    if (seen.has(list) || lists >= MAX_LISTS || !mayRead(list)) return null
    seen.add(list)
    lists++
    run.lane.allow(INFO_MAX_BYTES)
    try {
      return await readPage(await extract(list, run))
    } catch (error) {
      // What may pass is tried again with the whole task; the rest is one list that nobody can read.
      if (error instanceof TaskError && RETRY_RULES[error.code].retry === 'no' && !run.signal.aborted) return null
      throw error
    }
  }

  const take = async (found: Page, depth: number): Promise<void> => {
    for await (const entry of entriesIn(found, url)) {
      const nested = entry.kind === 'playlist' && entry.url !== null && depth < MAX_DEPTH ? await read(entry.url) : null
      if (nested !== null) {
        await take(nested, depth + 1)
        continue
      }
      entries.push({ ...entry, position: entries.length + 1 })
      if (entries.length > MAX_ENTRIES)
        throw new TaskError('bad_request_options', `the playlist has more than ${MAX_ENTRIES} entries`)
    }
  }

  await take(page, 0)
  return { title: page.title, url: page.url ?? url, entries }
}

async function* entriesIn(page: Page, url: string): AsyncGenerator<PageEntry> {
  if (page.kind === 'video') {
    yield {
      position: 1,
      kind: 'media',
      id: page.id,
      url: page.url ?? url,
      title: page.title,
      duration: page.duration,
      uploadDate: page.uploadDate,
      thumbnail: page.thumbnail,
      availability: null,
      archiveId: page.archiveId,
    }
    return
  }
  for (let from = 0; from < page.count; from += ENTRIES_PER_CHUNK) {
    yield* entriesOf(page, from, from + ENTRIES_PER_CHUNK)
    await breathe()
  }
}
