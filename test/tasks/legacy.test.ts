import fs from 'node:fs'
import path from 'node:path'
import { KeyStore } from '../../src/db/key-store.ts'
import { Keys } from '../../src/keys/keys.ts'
import { openSeal } from '../../src/keys/seal.ts'
import { importLegacy } from '../../src/tasks/legacy.ts'
import { openGround, SILENT, type Ground } from '../support/samples.ts'

type Import = AsyncDisposable & {
  ground: Ground
  keys: Keys
  keysFile: string
  tasksFile: string
  run: () => Promise<void>
}

/** A new installation, and the files of an old one beside it: text as it stands, anything else as JSON. */
async function prepare(oldKeys: unknown, oldTasks: unknown): Promise<Import> {
  const ground = await openGround()
  const keys = await Keys.open(new KeyStore(ground.store.db), openSeal(`${ground.dir}/state`))
  const keysFile = path.join(ground.dir, 'api_keys.json')
  const tasksFile = path.join(ground.dir, 'tasks.json')
  for (const [file, content] of [
    [keysFile, oldKeys],
    [tasksFile, oldTasks],
  ] as const) {
    if (content !== undefined) fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  }
  const deps = { keys, store: ground.tasks, files: ground.files, log: SILENT }
  return {
    ground,
    keys,
    keysFile,
    tasksFile,
    run: () => importLegacy(deps, { keysFile, tasksFile }),
    [Symbol.asyncDispose]: () => ground[Symbol.asyncDispose](),
  }
}

const KEYS = {
  admin: { key: 'old-admin-value', permissions: ['create_key', 'get_keys', 'get_video', 'of_an_older_version'] },
  phone: { key: 'old-phone-value', permissions: ['get_video'] },
}

const CLIP = {
  key_name: 'phone',
  status: 'waiting',
  task_type: 'get_video',
  url: 'https://video.example/clip',
  video_format: 'bestvideo[height<=1080]',
  audio_format: 'none',
  start_time: '01:30',
  end_time: 120,
  force_keyframes: true,
}

const RUNNING = { key_name: 'admin', status: 'processing', task_type: 'get_audio', url: 'https://video.example/sound' }
const LIVE = { ...RUNNING, task_type: 'get_live_video', url: 'https://live.example/', start: 0, duration: 300 }
const FAILED = { ...RUNNING, status: 'error', error: 'Sign in', completed_time: '2026-01-02T03:04:05' }
const DONE = {
  ...CLIP,
  status: 'completed',
  file: '/files/done000000000001/video.mp4',
  completed_time: '2026-01-02T03:04:05.678901',
}

const NAMES = ['clip000000000001', 'runs000000000001', 'live000000000001', 'fail000000000001', 'done000000000001']
const TASKS = Object.fromEntries(NAMES.map((name, n) => [name, [CLIP, RUNNING, LIVE, FAILED, DONE][n]]))

describe('taking over a yt-dlp-host', () => {
  test('keeps the values of keys, and the permissions that exist here', async () => {
    await using old = await prepare(KEYS, undefined)
    await old.run()
    expect(old.keys.authenticate('old-admin-value')).toMatchObject({
      name: 'admin',
      permissions: ['create_key', 'get_keys', 'get_video'],
    })
    expect(old.keys.require('phone').value).toBe('old-phone-value')
    expect(fs.existsSync(old.keysFile)).toBe(false)
    expect(JSON.parse(fs.readFileSync(`${old.keysFile}.imported`, 'utf8'))).toEqual(KEYS)
  })

  test('runs again what waited or ran, with all that was asked for', async () => {
    await using old = await prepare(KEYS, TASKS)
    await old.run()
    const clip = await old.ground.tasks.get('clip000000000001')
    expect(clip).toMatchObject({
      state: 'waiting',
      keyId: old.keys.require('phone').key.id,
      attempt: 0,
      request: {
        kind: 'video',
        videoFormat: 'bestvideo[height<=1080]',
        audioFormat: null,
        clips: [{ start: 90, end: 120 }],
        forceKeyframes: true,
        live: null,
      },
    })
    expect(clip?.sent).toMatchObject({ start_time: 90, end_time: 120, audio_format: 'none' })
    expect(await old.ground.tasks.get('runs000000000001')).toMatchObject({
      state: 'waiting',
      request: { kind: 'audio', audioFormat: 'bestaudio', clips: [] },
    })
    expect((await old.ground.tasks.get('live000000000001'))?.request.live).toEqual({ start: 0, duration: 300 })
    expect(await old.ground.tasks.countWaiting()).toBe(3)
    expect((await old.ground.tasks.claim({ keyId: clip?.keyId ?? '', now: 1, blockedHosts: [] }))?.id).toBe(clip?.id)
  })

  test('keeps what failed, and what is completed if its file is there', async () => {
    await using old = await prepare(KEYS, { ...TASKS, lost000000000001: { ...DONE, file: '/files/x/video.mp4' } })
    fs.mkdirSync(path.join(old.ground.files.root, 'done000000000001'))
    fs.writeFileSync(old.ground.files.pathOf('done000000000001', 'video.mp4'), 'video')
    await old.run()
    expect(await old.ground.tasks.get('done000000000001')).toMatchObject({
      state: 'completed',
      finishedAt: Date.parse('2026-01-02T03:04:05.678'),
      file: { name: 'video.mp4', size: 5 },
    })
    expect(await old.ground.tasks.get('fail000000000001')).toMatchObject({ state: 'error', errorMessage: 'Sign in' })
    expect(await old.ground.tasks.get('lost000000000001')).toBeNull()
  })

  test('happens once: what is there is not taken a second time', async () => {
    await using old = await prepare(KEYS, TASKS)
    await old.run()
    await old.ground.tasks.cancelWaiting('clip000000000001', 1)
    fs.writeFileSync(old.tasksFile, JSON.stringify(TASKS))
    fs.writeFileSync(old.keysFile, JSON.stringify({ phone: { key: 'other-value', permissions: [] } }))
    await old.run()
    expect((await old.ground.tasks.get('clip000000000001'))?.state).toBe('cancelled')
    expect(old.keys.require('phone').value).toBe('old-phone-value')
    expect(await old.ground.tasks.countWaiting()).toBe(2)
  })

  test('takes nothing where there is nothing', async () => {
    await using old = await prepare(undefined, undefined)
    await old.run()
    expect(old.keys.all()).toEqual([])
    expect(fs.readdirSync(old.ground.dir).toSorted()).toEqual(['downloads', 'state'])
  })
})

describe('broken files of a yt-dlp-host', () => {
  test.each([
    ['cut off in the middle', JSON.stringify(KEYS).slice(0, -9)],
    ['empty', ''],
    ['a list', '[]'],
    ['not JSON at all', '<html>'],
    ['null', 'null'],
  ])('are left as they are when they are %s', async (_what, text) => {
    await using old = await prepare(text, text)
    await old.run()
    for (const file of [old.keysFile, old.tasksFile]) expect(fs.readFileSync(file, 'utf8')).toBe(text)
    expect(old.keys.all()).toEqual([])
    expect(await old.ground.tasks.countWaiting()).toBe(0)
  })

  test('give what can be read of them, and keep the rest in the renamed file', async () => {
    const oldKeys = { ...KEYS, empty: { key: '', permissions: [] }, odd: 'text', half: { key: 'half-a-key' } }
    const oldTasks = {
      ...TASKS,
      '../../etc/passwd': CLIP,
      short: CLIP,
      nokey00000000001: { ...CLIP, key_name: 'nobody' },
      nokind0000000001: { ...CLIP, task_type: 'get_rich' },
      nourl00000000001: { ...CLIP, url: 'file:///etc/passwd' },
      nostate000000001: { ...CLIP, status: 'sleeping' },
      oddtime000000001: { ...CLIP, start_time: 'soon' },
      null000000000001: null,
    }
    await using old = await prepare(oldKeys, oldTasks)
    await old.run()
    expect(
      old.keys
        .all()
        .map(({ key }) => key.name)
        .toSorted(),
    ).toEqual(['admin', 'phone'])
    const existing = await old.ground.tasks.existing(Object.keys(oldTasks))
    expect([...existing].toSorted()).toEqual(NAMES.slice(0, 4).toSorted())
    expect(JSON.parse(fs.readFileSync(`${old.tasksFile}.imported`, 'utf8'))).toEqual(oldTasks)
    expect(JSON.parse(fs.readFileSync(`${old.keysFile}.imported`, 'utf8'))).toEqual(oldKeys)
  })

  test('never lead outside the folder of the task', async () => {
    await using old = await prepare(KEYS, { done000000000001: { ...DONE, file: '/files/../../../../etc/hostname' } })
    await old.run()
    expect(await old.ground.tasks.get('done000000000001')).toBeNull()
  })
})
