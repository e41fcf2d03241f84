import process from 'node:process'
import { isForkServer, processesOf } from '../support/daemon-processes.ts'
import { startTestDaemon } from '../support/daemon.ts'
import { startOrigin } from '../support/origin.ts'
import { waitFor } from '../support/wait-for.ts'

describe('/ready', () => {
  test('says so while the fork server is gone, and gets it started again by asking', async () => {
    await using daemon = await startTestDaemon()
    const ready = () => daemon.client(null).get('/ready')
    expect(await ready()).toMatchObject({ status: 200, body: { ready: true, reasons: [] } })
    for (const { pid } of (await processesOf(daemon)).filter(isForkServer)) process.kill(pid, 'SIGKILL')
    await waitFor('it to be missed', async () => (await ready()).status === 503)
    const { body } = await ready()
    if (body['ready'] === false) expect(body['reasons']).toEqual(['the fork server is being started again'])
    await waitFor('it to be back', async () => (await ready()).status === 200, 30_000)
    expect((await daemon.client(null).get('/health')).status).toBe(200)
  }, 60_000)

  test('says no while the daemon stops and a task may still finish, and /health goes on', async () => {
    await using origin = await startOrigin()
    await using daemon = await startTestDaemon({ SHUTDOWN_GRACE: '3' })
    const client = daemon.client()
    const id = await client.submit('get_video', { url: `${origin.url}/big/24.mp4?bps=200000` })
    await waitFor('it to run', async () => (await client.status(id))['status'] === 'processing')
    const ended = daemon.end('SIGTERM')
    const answer = await waitFor('the end to be told', async () => {
      const { status, body } = await client.get('/ready')
      return status === 503 ? body : null
    })
    expect(answer).toEqual({ ready: false, reasons: ['the daemon is stopping'] })
    expect((await client.get('/health')).status).toBe(200)
    expect(await ended).toBe(0)
  }, 30_000)
})
