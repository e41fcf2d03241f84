import fs from 'node:fs/promises'
import path from 'node:path'
import { ArchiveStore } from '../../src/db/archive-store.ts'
import { CHILDREN_AT_ONCE, PlaylistStore } from '../../src/db/playlist-store.ts'
import type { ClaimedTask } from '../../src/db/task-store.ts'
import { Refusal, TaskError } from '../../src/domain/errors.ts'
import type { PlaylistWish, Task } from '../../src/domain/task.ts'
import type { EngineRun } from '../../src/engine/engine-run.ts'
import { createExpandPlaylist, type PlaylistDeps } from '../../src/tasks/playlist.ts'
import { bulkDocument, flatEntry, playlistDocument, wishOf } from '../support/playlists.ts'
import { NO_SITE_ACCESS, nextTaskId, openGround, requestOf, SAMPLE_FILE, type Ground } from '../support/samples.ts'

const LIST = 'https://video.example/list'

/** A playlist task that is carried out on a real database; the site is a record of documents. */
class PlaylistRig implements AsyncDisposable {
  readonly ground: Ground
  readonly archive: ArchiveStore
  readonly site: Record<string, string> = {}
  readonly asked: string[] = []
  deps: Partial<PlaylistDeps> = {}
  controller = new AbortController()

  constructor(ground: Ground) {
    this.ground = ground
    this.archive = new ArchiveStore(ground.store.db)
  }

  /** A playlist task that has just been claimed. */
  async begin(wish: Partial<PlaylistWish> = {}, more: Partial<Task> = {}): Promise<ClaimedTask> {
    const id = nextTaskId()
    const keyId = more.keyId ?? 'key-a'
    const createdAt = Date.now()
    const request = requestOf({ kind: 'playlist', url: LIST, playlist: wishOf(wish), outputFormat: 'mp3' })
    await this.ground.tasks.addAll(
      [{ id, keyId, keyName: keyId, request, sent: {}, createdAt, priority: 100, batchId: id, ...more }],
      { batch: { id, keyId, createdAt, title: null, url: LIST, webhook: null } },
    )
    return this.claim(keyId)
  }

  async claim(keyId = 'key-a'): Promise<ClaimedTask> {
    const task = await this.ground.tasks.claim({ keyId, now: Date.now(), blockedHosts: [] })
    if (!task) throw new Error('there is nothing to claim')
    return task
  }

  expander(deps: Partial<PlaylistDeps> = this.deps) {
    return createExpandPlaylist({
      extract: (url) => {
        this.asked.push(url)
        const document = this.site[url]
        return document === undefined
          ? Promise.reject(new TaskError('private', 'it is private'))
          : Promise.resolve(document)
      },
      store: this.ground.tasks,
      playlists: new PlaylistStore(this.ground.store.db, () => this.ground.events.poke()),
      archive: this.archive,
      admit: () => Promise.resolve(),
      checkUrl: (url) => (url.includes('10.0.0.1') ? 'it is private' : null),
      mayRead: (_keyId, url) => !url.includes('not-ours'),
      nudge: () => {},
      ...deps,
    })
  }

  async expand(task: Task, expand = this.expander()): Promise<Record<string, unknown>[]> {
    const workDir = await this.ground.files.openWork(task.id, task.attempt)
    const made = await expand(task, this.#run(task, workDir))
    this.note = made.files[0].note
    const list = JSON.parse(await fs.readFile(path.join(workDir, 'playlist.json'), 'utf8')) as Record<string, unknown>
    return list['entries'] as Record<string, unknown>[]
  }

  note: string | null = null

  /** Ends a running task as completed. */
  async complete({ id, attempt }: Task): Promise<void> {
    await this.ground.tasks.settle(id, attempt, { kind: 'completed', files: [SAMPLE_FILE], title: null }, Date.now())
  }

  async children(parent: Task) {
    const { db } = this.ground.store
    return db.selectFrom('task').selectAll().where('batch_id', '=', parent.id).where('id', '<>', parent.id).execute()
  }

  async batch(parent: Task) {
    const { db } = this.ground.store
    return db.selectFrom('batch').selectAll().where('id', '=', parent.id).executeTakeFirstOrThrow()
  }

  #run(task: Task, workDir: string): EngineRun {
    return {
      label: `${task.id}.${task.attempt}`,
      workDir,
      signal: this.controller.signal,
      interrupt: this.controller.signal,
      lane: { allow: () => {} } as unknown as EngineRun['lane'],
      site: NO_SITE_ACCESS,
      limits: { fileBytes: 0, memoryBytes: 0, openFiles: 0, processes: 0 },
      timeoutMs: 1_000,
      onProgress: () => {},
      fresh: false,
      quietly: (work) => work(),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ground[Symbol.asyncDispose]()
  }
}

const openRig = async () => new PlaylistRig(await openGround())

describe('a playlist task', () => {
  test('makes a task of each entry, with everything that was asked for', async () => {
    await using rig = await openRig()
    rig.site[LIST] = playlistDocument([flatEntry('a'), flatEntry('p', { title: '[Private video]' }), flatEntry('b')])
    const webhook = { url: 'https://bot.example/', events: ['task.completed'] } as const
    const parent = await rig.begin({ kind: 'audio' }, { webhook })
    const entries = await rig.expand(parent)
    const children = await rig.children(parent)
    expect(children.map((row) => [row.position, row.kind, row.title, row.archive_id, row.priority, row.state])).toEqual(
      [
        [1, 'audio', 'Title of a', 'example a', 100, 'waiting'],
        [3, 'audio', 'Title of b', 'example b', 100, 'waiting'],
      ],
    )
    expect(JSON.parse(children[0]?.request ?? '')).toMatchObject({
      kind: 'audio',
      url: 'https://video.example/a',
      outputFormat: 'mp3',
      playlist: null,
    })
    expect(JSON.parse(children[0]?.webhook ?? '')).toEqual(webhook)
    expect(entries).toEqual([
      expect.objectContaining({ position: 1, id: 'a', task_id: children[0]?.id, skipped: null }),
      expect.objectContaining({ position: 2, id: 'p', task_id: null, skipped: 'private' }),
      expect.objectContaining({ position: 3, id: 'b', task_id: children[1]?.id, skipped: null }),
    ])
    expect(rig.note).toBe('left out 1: 1 private')
  })

  test('keeps its batch open until the last of its tasks has ended, and all of them until then', async () => {
    await using rig = await openRig()
    rig.site[LIST] = playlistDocument([flatEntry('a'), flatEntry('b')])
    const parent = await rig.begin()
    await rig.expand(parent)
    expect(await rig.batch(parent)).toMatchObject({ open: 3, finished_at: null, title: 'A list' })
    await rig.complete(parent)
    await rig.complete(await rig.claim())
    const due = () => rig.ground.tasks.finishedBefore(Date.now() + 1, 100)
    expect(await due()).toEqual([])
    await rig.complete(await rig.claim())
    expect(await rig.batch(parent)).toMatchObject({ open: 0, finished_at: expect.any(Number) as number })
    expect(await due()).toHaveLength(3)
  })

  test('that was interrupted goes on where it was, and makes nothing twice', async () => {
    await using rig = await openRig()
    rig.site[LIST] = bulkDocument(1_000)
    let nudges = 0
    rig.deps = {
      nudge: () => {
        if (++nudges === 2) rig.controller.abort(new TaskError('shutdown', 'the daemon was stopped'))
      },
    }
    const parent = await rig.begin()
    await expect(rig.expand(parent)).rejects.toMatchObject({ code: 'shutdown' })
    const before = await rig.children(parent)
    expect(before).toHaveLength(2 * CHILDREN_AT_ONCE)
    await rig.ground.tasks.recover(Date.now(), 3)
    rig.controller = new AbortController()
    rig.deps = {}
    const again = await rig.claim()
    expect(again.id).toBe(parent.id)
    await rig.expand(again)
    const after = await rig.children(parent)
    expect(after.map(({ position }) => position)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1))
    expect(after.slice(0, before.length)).toEqual(before)
    expect(await rig.ground.tasks.usageOf('key-a')).toEqual({ waiting: 1_000, processing: 1 })
    expect(await rig.batch(parent)).toMatchObject({ open: 1_001 })
  })

  test('that is no longer the running attempt adds nothing', async () => {
    await using rig = await openRig()
    rig.site[LIST] = playlistDocument([flatEntry('a')])
    const parent = await rig.begin()
    await rig.ground.tasks.settle(parent.id, parent.attempt, { kind: 'cancelled' }, Date.now())
    await expect(rig.expand(parent)).rejects.toMatchObject({ code: 'cancelled' })
    expect(await rig.children(parent)).toEqual([])
  })

  test('says how many entries there is no room for, and makes none', async () => {
    await using rig = await openRig()
    rig.site[LIST] = bulkDocument(300)
    rig.deps = {
      admit: (_keyId, requests) =>
        requests.length > 200 ? Promise.reject(new Refusal('queue_full', 'Queue is full')) : Promise.resolve(),
    }
    const parent = await rig.begin()
    await expect(rig.expand(parent)).rejects.toMatchObject({
      code: 'bad_request_options',
      message: 'the 300 entries of this playlist cannot be queued: Queue is full',
    })
    expect(await rig.children(parent)).toEqual([])
    await rig.complete(parent)
    await rig.expand(await rig.begin({ limit: 200 }))
  })

  test('leaves out what the key has downloaded before, and nobody else', async () => {
    await using rig = await openRig()
    rig.site[LIST] = playlistDocument([flatEntry('a'), flatEntry('b'), flatEntry('c')])
    const first = await rig.begin({ limit: 1 })
    await rig.expand(first)
    await rig.complete(first)
    await rig.complete(await rig.claim())
    expect(await rig.archive.page('key-a', null, 10)).toMatchObject([{ mediaId: 'example a', title: 'Title of a' }])
    const second = await rig.begin({ skipDownloaded: true, limit: 1 })
    expect((await rig.expand(second)).map((entry) => entry['skipped'])).toEqual(['downloaded', null, 'over_limit'])
    const others = await rig.begin({ skipDownloaded: true }, { keyId: 'key-b' })
    await rig.expand(others)
    expect(await rig.children(others)).toHaveLength(3)
  })

  test('done again makes no more than its limit of what it has downloaded meanwhile', async () => {
    await using rig = await openRig()
    rig.site[LIST] = playlistDocument([flatEntry('a'), flatEntry('b'), flatEntry('c')])
    const parent = await rig.begin({ skipDownloaded: true, limit: 2 })
    await rig.expand(parent)
    await rig.complete(await rig.claim())
    const entries = await rig.expand(parent)
    expect(entries.map((entry) => entry['skipped'])).toEqual([null, null, 'over_limit'])
    expect(await rig.children(parent)).toHaveLength(2)
  })

  test('done again makes nothing twice when the site has put an entry before the others', async () => {
    await using rig = await openRig()
    rig.site[LIST] = playlistDocument([flatEntry('a'), flatEntry('b'), flatEntry('a')])
    const parent = await rig.begin()
    await rig.expand(parent)
    expect(await rig.children(parent)).toHaveLength(3)
    rig.site[LIST] = playlistDocument([flatEntry('new'), flatEntry('a'), flatEntry('b'), flatEntry('a')])
    await rig.expand(parent)
    expect(await rig.children(parent)).toHaveLength(4)
  })

  test('does not note in the archive what failed or was cancelled', async () => {
    await using rig = await openRig()
    rig.site[LIST] = playlistDocument([flatEntry('a'), flatEntry('b')])
    const parent = await rig.begin()
    await rig.expand(parent)
    await rig.complete(parent)
    for (const outcome of [
      { kind: 'error', code: 'private', message: 'it is private' },
      { kind: 'cancelled' },
    ] as const) {
      const child = await rig.claim()
      await rig.ground.tasks.settle(child.id, child.attempt, outcome, Date.now())
    }
    expect(await rig.archive.page('key-a', null, 10)).toEqual([])
  })

  test('follows lists within the list, two levels deep, and says which it could not read', async () => {
    await using rig = await openRig()
    const tab = (name: string) => flatEntry(name, { ie_key: 'ExampleTab' })
    rig.site[LIST] = playlistDocument([tab('one'), flatEntry('b'), tab('secret'), tab('list')])
    rig.site['https://video.example/one'] = playlistDocument([flatEntry('a'), tab('deep')])
    rig.site['https://video.example/deep'] = playlistDocument([flatEntry('d'), tab('deeper')])
    rig.site['https://video.example/deeper'] = playlistDocument([flatEntry('never')])
    const entries = await rig.expand(await rig.begin())
    expect(entries.map((entry) => [entry['position'], entry['id'], entry['skipped']])).toEqual([
      [1, 'a', null],
      [2, 'd', null],
      [3, 'deeper', 'list'],
      [4, 'b', null],
      [5, 'secret', 'list'],
      [6, 'list', 'list'],
    ])
    expect(rig.asked).not.toContain('https://video.example/deeper')
  })

  test('reads no list within the list that its key could not have asked for', async () => {
    await using rig = await openRig()
    rig.site[LIST] = playlistDocument([flatEntry('not-ours', { ie_key: 'ExampleTab' }), flatEntry('b')])
    const entries = await rig.expand(await rig.begin())
    expect(entries.map((entry) => [entry['id'], entry['skipped']])).toEqual([
      ['not-ours', 'list'],
      ['b', null],
    ])
    expect(rig.asked).toEqual([LIST])
  })

  test('is queued after another that came at the same time: both could not have the last places', async () => {
    await using rig = await openRig()
    rig.site[LIST] = playlistDocument(Array.from({ length: 250 }, (_, index) => flatEntry(`v${index}`)))
    const admit = async (keyId: string, requests: readonly unknown[]) => {
      const { waiting } = await rig.ground.tasks.usageOf(keyId)
      if (waiting + requests.length > 300) throw new Refusal('limit_exceeded', 'too many')
    }
    const expand = rig.expander({ admit })
    const parents = [await rig.begin(), await rig.begin()]
    const ends = await Promise.allSettled(parents.map((parent) => rig.expand(parent, expand)))
    expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect((await rig.ground.tasks.usageOf('key-a')).waiting).toBe(250)
  })

  test('bounds how many lists it follows', async () => {
    await using rig = await openRig()
    const tabs = Array.from({ length: 150 }, (_, index) => flatEntry(`t${index}`, { ie_key: 'ExampleTab' }))
    rig.site[LIST] = playlistDocument(tabs)
    for (const { url } of tabs) rig.site[url] = playlistDocument([flatEntry(url.slice(-3))])
    const entries = await rig.expand(await rig.begin())
    expect(rig.asked).toHaveLength(101)
    expect(entries.filter((entry) => entry['skipped'] === 'list')).toHaveLength(50)
  })

  test('of a single medium makes one task', async () => {
    await using rig = await openRig()
    rig.site[LIST] = JSON.stringify({ id: 'x', title: 'Alone', extractor_key: 'Example', webpage_url: LIST })
    const parent = await rig.begin()
    await rig.expand(parent)
    expect(await rig.children(parent)).toMatchObject([{ position: 1, title: 'Alone', archive_id: 'example x' }])
  })

  test('takes no address from the site that could not have been submitted', async () => {
    await using rig = await openRig()
    rig.site[LIST] = playlistDocument([
      flatEntry('a', { url: 'http://10.0.0.1/' }),
      flatEntry('b', { url: 'file:///etc/passwd' }),
      flatEntry('c', { url: '--exec=true' }),
      flatEntry('d'),
    ])
    const parent = await rig.begin()
    const entries = await rig.expand(parent)
    expect(entries.map((entry) => entry['skipped'])).toEqual(['no_address', 'no_address', 'no_address', null])
  })

  test('fails as the site does, and tries again what may pass', async () => {
    await using rig = await openRig()
    await expect(rig.expand(await rig.begin())).rejects.toMatchObject({ code: 'private' })
    await using other = await openRig()
    other.site[LIST] = playlistDocument([flatEntry('tab', { ie_key: 'ExampleTab' })])
    other.deps = {
      extract: (url) =>
        url === LIST
          ? Promise.resolve(other.site[LIST] ?? '')
          : Promise.reject(new TaskError('rate_limited', 'too many requests')),
    }
    await expect(other.expand(await other.begin())).rejects.toMatchObject({ code: 'rate_limited' })
  })
})
