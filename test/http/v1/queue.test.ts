import { SettingStore } from '../../../src/db/setting-store.ts'
import { Queue } from '../../../src/tasks/queue.ts'
import { startCore } from '../../support/core-server.ts'
import { microtasks, RunnerRig } from '../../support/runner-rig.ts'

const body = { url: 'https://video.example/watch' }

describe('a queue that is paused', () => {
  test('accepts tasks and begins none; what runs goes on', async () => {
    await using core = await startCore()
    await core.rig.runner.start()
    await core.call('POST', '/v1/tasks', { body })
    await core.rig.untilHeld(1)
    const paused = await core.call('POST', '/v1/queue/pause')
    expect(paused.body).toEqual({ paused: true, waiting: 0, processing: 1, cooling_sites: [], disk_full: false })
    const { body: made } = await core.call('POST', '/v1/tasks', { body })
    const id = String(made['id'])
    await microtasks(1_000)
    expect((await core.call('GET', `/v1/tasks/${id}`)).body).toMatchObject({ state: 'waiting', wait_reason: 'paused' })
    expect(core.rig.held[0]?.run.signal.aborted).toBe(false)
    core.rig.held[0]?.finish()
    await core.rig.untilState(core.rig.held[0]?.task.id ?? '', 'completed')
    expect(core.rig.held.length).toBe(1)
    expect((await core.call('POST', '/v1/queue/resume')).body).toMatchObject({ paused: false })
    await core.rig.untilHeld(2)
    expect((await core.call('GET', `/v1/tasks/${id}`)).body).toMatchObject({ state: 'processing', wait_reason: null })
  })

  test('is paused after a restart, until it is resumed', async () => {
    await using core = await startCore()
    await core.call('POST', '/v1/queue/pause')
    const { ground } = core.rig
    const settings = new SettingStore(ground.store.db)
    const restart = async () => {
      const rig = new RunnerRig(ground, 'hold', {})
      await Queue.open({ settings, store: ground.tasks, runner: rig.runner })
      return rig
    }
    const second = await restart()
    expect(second.runner.isPaused).toBe(true)
    await core.call('POST', '/v1/queue/resume')
    const third = await restart()
    expect(third.runner.isPaused).toBe(false)
  })

  test('was paused by a key that may do so, which is written down', async () => {
    await using core = await startCore()
    await core.keys.adopt('weak', 'weak-value', ['get_info'])
    for (const word of ['pause', 'resume']) {
      expect((await core.call('POST', `/v1/queue/${word}`, { key: 'weak-value' })).status).toBe(403)
      expect((await core.call('POST', `/v1/queue/${word}`, { key: null })).status).toBe(401)
    }
    expect((await core.call('GET', '/v1/queue', { key: 'weak-value' })).body).toMatchObject({ paused: false })
    expect((await core.call('GET', '/v1/queue', { key: null })).status).toBe(401)
    await core.call('POST', '/v1/queue/pause')
    const rows = await core.rig.ground.store.db.selectFrom('audit').select(['key_name', 'action']).execute()
    expect(rows).toContainEqual({ key_name: 'admin', action: 'queue.paused' })
  })
})
