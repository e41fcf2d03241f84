import type { Task } from '../../src/domain/task.ts'
import { openGround, requestOf, SAMPLE_FILE, taskOf } from '../support/samples.ts'

describe('the store of tasks', () => {
  test('gives back what it was given, to the last character', async () => {
    await using ground = await openGround()
    const request = requestOf({
      kind: 'live_video',
      url: 'https://VIDEO.example/Žižkov?a="1"&b=\\',
      audioFormat: null,
      clips: [{ start: null, end: 10.25 }],
      live: { start: 5, duration: 0.5 },
      outputFilename: "🎬 '; drop table task; --",
    })
    const sent = { start_time: '0:05', audio_format: null, nested: { list: [1, 'ž'] } }
    const task = taskOf({ request, sent, keyName: 'Žofie' })
    await ground.tasks.add(task)
    expect(await ground.tasks.get(task.id)).toEqual({
      ...task,
      state: 'waiting',
      attempt: 0,
      startedAt: null,
      finishedAt: null,
      notBefore: null,
      waitReason: null,
      errorCode: null,
      errorMessage: null,
      file: null,
      files: [],
      title: null,
      priority: 0,
      batchId: null,
      position: null,
      archiveId: null,
      webhook: null,
    })
    expect(await ground.tasks.get("' or 1=1 --")).toBeNull()
  })

  test('refuses a second task of the same id', async () => {
    await using ground = await openGround()
    const task = taskOf()
    await ground.tasks.add(task)
    await expect(ground.tasks.add({ ...task, keyId: 'thief' })).rejects.toThrow(/UNIQUE/)
    expect((await ground.tasks.get(task.id))?.keyId).toBe(task.keyId)
  })

  test('keeps the file of a finished task, and counts its bytes for the key', async () => {
    await using ground = await openGround()
    const task = taskOf()
    await ground.tasks.add(task)
    const claimed = await ground.tasks.claim({ keyId: task.keyId, now: 5, blockedHosts: [] })
    expect(claimed).toMatchObject({
      id: task.id,
      state: 'processing',
      attempt: 1,
      startedAt: 5,
      failures: 0,
      deaths: 0,
    })
    await ground.tasks.settle(task.id, 1, { kind: 'completed', files: [SAMPLE_FILE], title: null }, 9)
    expect(await ground.tasks.get(task.id)).toMatchObject({ state: 'completed', finishedAt: 9, file: SAMPLE_FILE })
    expect(await ground.tasks.bytesToday(task.keyId, 9)).toBe(SAMPLE_FILE.size)
    expect(await ground.tasks.bytesToday(task.keyId, 9 + 86_400_000)).toBe(0)
    expect(await ground.tasks.bytesToday('another', 9)).toBe(0)
  })

  test('takes a task over as it is, but leaves one that it has', async () => {
    await using ground = await openGround()
    const { tasks } = ground
    const known = taskOf()
    await tasks.add(known)
    const old = async (id: string): Promise<Task> => ({
      ...((await tasks.get(known.id)) as Task),
      id,
      state: 'completed',
      finishedAt: 7,
      file: SAMPLE_FILE,
      files: [SAMPLE_FILE],
    })
    await tasks.adopt(await old('takenover0000001'))
    await tasks.adopt(await old(known.id))
    expect(await tasks.get('takenover0000001')).toMatchObject({ state: 'completed', finishedAt: 7, file: SAMPLE_FILE })
    expect((await tasks.get(known.id))?.state).toBe('waiting')
    expect(await tasks.existing([known.id, 'takenover0000001', 'unknown'])).toEqual(
      new Set([known.id, 'takenover0000001']),
    )
    expect(await tasks.existing([])).toEqual(new Set())
  })
})
