import fs from 'node:fs/promises'
import path from 'node:path'
import { setImmediate as breathe } from 'node:timers/promises'
import type { ArchiveStore } from '../db/archive-store.ts'
import { CHILDREN_AT_ONCE, type PlaylistStore } from '../db/playlist-store.ts'
import type { NewTask, TaskStore } from '../db/task-store.ts'
import { Refusal, TaskError } from '../domain/errors.ts'
import type { PageEntry } from '../domain/page.ts'
import { createEntryFilter, noteOnSkipped, type SkipReason } from '../domain/playlist.ts'
import type { PlaylistWish, Task, TaskRequest } from '../domain/task.ts'
import { OneByOne } from '../domain/one-by-one.ts'
import type { EngineRun } from '../engine/engine-run.ts'
import type { Made } from '../engine/media.ts'
import { collectEntries, type Extract } from './playlist-entries.ts'
import { childTaskId } from './task-id.ts'

/** What playlist tasks are carried out with. */
export type PlaylistDeps = Readonly<{
  /** The info JSON of a URL, of the whole list where it stands for one. Throws TaskError. */
  extract: Extract
  store: Pick<TaskStore, 'existing'>
  playlists: PlaylistStore
  archive: ArchiveStore
  /** Refuses what the key may not ask for or what there is no room for. */
  admit: (keyId: string, requests: readonly TaskRequest[]) => Promise<void>
  /** Why a URL may not be fetched, null when it may be tried. */
  checkUrl: (url: string) => string | null
  /** Whether a list within the playlist may be read for this key. */
  mayRead: (keyId: string, url: string) => boolean
  /** There are new tasks. */
  nudge: () => void
}>

type Planned = Readonly<{ entry: PageEntry; skipped: SkipReason | null; taskId: string | null }>

/** Makes one task for each entry of a playlist that the task wishes for, and a list of them as its file. */
export type ExpandPlaylist = (task: Task, run: EngineRun) => Promise<Made>

/**
 * The tasks have the same ids whenever the same playlist task makes them, so one that is tried again, after a crash in the
 * middle or by hand, goes on where it was.
 */
export function createExpandPlaylist(deps: PlaylistDeps): ExpandPlaylist {
  // Two lists that come at once would both be let in where there is room for one.
  const turns = new OneByOne()
  return async (task, run) => {
    const wish = task.request.playlist
    if (wish === null) throw new TaskError('bad_request_options', 'a playlist task needs to know what to make')
    const { title, url, entries } = await collectEntries(
      { extract: deps.extract, mayRead: (list) => deps.mayRead(task.keyId, list) },
      task.request.url,
      run,
    )
    const plan = await planOf(deps, task, wish, entries)
    await deps.playlists.name(task, title)
    await run.quietly(() => turns.do(() => queueAll(deps, task, wish, { plan, run })))
    const file = path.join(run.workDir, 'playlist.json')
    await writeList(file, { title, url }, plan)
    const note = noteOnSkipped(plan.map(({ skipped }) => skipped))
    const made = {
      path: file,
      name: 'playlist.json',
      kind: 'playlist',
      duration: null,
      width: null,
      height: null,
      note,
    }
    return { files: [{ ...made, kind: 'playlist' }], title }
  }
}

async function planOf(
  deps: PlaylistDeps,
  task: Task,
  wish: PlaylistWish,
  entries: readonly PageEntry[],
): Promise<Planned[]> {
  const whySkipped = createEntryFilter(wish)
  const mayBeFetched = ({ url }: PageEntry) => url !== null && deps.checkUrl(url) === null
  let left = wish.limit ?? Infinity
  const idOf = createChildIds(task)
  const plan: Planned[] = []
  for (const some of chunked(entries)) {
    const named = some.map((entry) => ({ entry, id: idOf(entry) }))
    const downloaded = wish.skipDownloaded ? await downloadedOf(deps, task.keyId, named) : new Set()
    for (const { entry, id } of named) {
      let skipped = whySkipped(entry) ?? (mayBeFetched(entry) ? null : 'no_address')
      if (skipped === null && downloaded.has(id)) skipped = 'downloaded'
      if (skipped === null && --left < 0) skipped = 'over_limit'
      plan.push({ entry, skipped, taskId: skipped === null ? id : null })
    }
    await breathe()
  }
  return plan
}

/**
 * The task ids of entries that the key has downloaded. What an earlier attempt of the same task began is none of them,
 * though it may be in the archive by now.
 */
async function downloadedOf(
  { archive, store }: PlaylistDeps,
  keyId: string,
  named: readonly Readonly<{ entry: PageEntry; id: string }>[],
): Promise<ReadonlySet<string>> {
  const ids = named.flatMap(({ entry }) => entry.archiveId ?? [])
  const archived = await archive.known(keyId, ids)
  if (archived.size === 0) return archived
  const begun = await store.existing(named.map(({ id }) => id))
  const isDone = ({ entry, id }: (typeof named)[number]) => archived.has(entry.archiveId ?? '') && !begun.has(id)
  return new Set(named.filter(isDone).map(({ id }) => id))
}

/** Names the tasks of a playlist's entries, asked for in their order. */
function createChildIds(task: Task): (entry: PageEntry) => string {
  const seen = new Map<string, number>()
  return ({ id, url }) => {
    const name = JSON.stringify([id, url])
    const nth = seen.get(name) ?? 0
    seen.set(name, nth + 1)
    return childTaskId(task.id, { id, url, nth })
  }
}

async function queueAll(
  deps: PlaylistDeps,
  task: Task,
  wish: PlaylistWish,
  { plan, run }: Readonly<{ plan: readonly Planned[]; run: EngineRun }>,
): Promise<void> {
  const children = await missingOf(deps, task, wish, plan)
  await admit(deps, task, children)
  let queued = 0
  for (const some of chunked(children)) {
    run.signal.throwIfAborted()
    if (!(await deps.playlists.add(task, some))) throw new TaskError('cancelled', 'another attempt took its place')
    deps.nudge()
    queued += some.length
    run.onProgress({
      phase: 'processing',
      percent: Math.round((100 * queued) / children.length),
      speed: null,
      eta: null,
      downloadedBytes: null,
      totalBytes: null,
    })
    await breathe()
  }
}

/** Those that an earlier attempt has not made. */
async function missingOf(
  { store }: PlaylistDeps,
  task: Task,
  wish: PlaylistWish,
  plan: readonly Planned[],
): Promise<NewTask[]> {
  const missing: NewTask[] = []
  const createdAt = Date.now()
  for (const some of chunked(plan.filter(({ taskId }) => taskId !== null))) {
    const known = await store.existing(some.flatMap(({ taskId }) => taskId ?? []))
    for (const { entry, taskId } of some) {
      if (taskId === null || entry.url === null || known.has(taskId)) continue
      missing.push(childOf(task, wish, { entry, id: taskId, url: entry.url, createdAt }))
    }
  }
  return missing
}

function childOf(
  task: Task,
  { kind }: PlaylistWish,
  { entry, id, url, createdAt }: Readonly<{ entry: PageEntry; id: string; url: string; createdAt: number }>,
): NewTask {
  const { keyId, keyName, priority, webhook } = task
  return {
    id,
    keyId,
    keyName,
    request: { ...task.request, kind, url, playlist: null },
    sent: { url },
    createdAt,
    priority,
    batchId: task.id,
    position: entry.position,
    archiveId: entry.archiveId,
    title: entry.title,
    webhook,
    retentionMs: task.retentionMs ?? null,
  }
}

async function admit({ admit: check }: PlaylistDeps, task: Task, children: readonly NewTask[]): Promise<void> {
  if (children.length === 0) return
  try {
    await check(
      task.keyId,
      children.map(({ request }) => request),
    )
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    const text = `the ${children.length} entries of this playlist cannot be queued: ${cause.message}`
    throw new TaskError('bad_request_options', text, { cause })
  }
}

/** Written in pieces: a list of tens of thousands would hold up everybody else. */
async function writeList(
  file: string,
  head: Readonly<{ title: string | null; url: string }>,
  plan: readonly Planned[],
): Promise<void> {
  await using handle = await fs.open(file, 'w')
  await handle.appendFile(`${JSON.stringify(head).slice(0, -1)},"entries":[`)
  let separator = '\n'
  for (const some of chunked(plan)) {
    const lines = some.map(({ entry: { position, id, url, title }, taskId, skipped }) =>
      JSON.stringify({ position, id, url, title, task_id: taskId, skipped }),
    )
    await handle.appendFile(separator + lines.join(',\n'))
    separator = ',\n'
  }
  await handle.appendFile('\n]}\n')
}

function* chunked<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += CHILDREN_AT_ONCE) yield all.slice(from, from + CHILDREN_AT_ONCE)
}
