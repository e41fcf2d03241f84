import fs from 'node:fs/promises'
import path from 'node:path'
import { newestBackup } from '../../src/db/backup.ts'
import { createTestDaemon, startTestDaemon } from '../support/daemon.ts'
import { startOrigin } from '../support/origin.ts'
import { waitFor } from '../support/wait-for.ts'

describe('starting', () => {
  test('one message names every wrong setting, and no secret', async () => {
    await using daemon = await createTestDaemon({
      PORT: '70000',
      MAX_WORKERS: 'many',
      TASK_CLEANUP_TIME: '-1',
      EGRESS_ALLOW: '10.0.0.0/8, 300.1.2.3/8',
      PROXY_URL: 'gopher://name:word@host',
      LOG_LEVEL: 'loud',
      KEY_REVEAL: 'perhaps',
      ADMIN_API_KEY: 'short',
    })
    await expect(daemon.start()).rejects.toThrow('did not start')
    const names = [
      'PORT',
      'MAX_WORKERS',
      'TASK_CLEANUP_TIME',
      'EGRESS_ALLOW',
      'PROXY_URL',
      'LOG_LEVEL',
      'KEY_REVEAL',
      'ADMIN_API_KEY',
    ]
    for (const name of names) expect(daemon.output).toContain(name)
    expect(daemon.output).not.toMatch(/name:word|short/)
    expect(daemon.output).not.toContain('    at ')
  })

  test('missing tools are all named, with what to do', async () => {
    await using daemon = await createTestDaemon({ YTDLP_PATH: '/nowhere/yt-dlp', FFMPEG_PATH: '/nowhere/ffmpeg' })
    await expect(daemon.start()).rejects.toThrow('did not start')
    expect(daemon.output).toContain('/nowhere/yt-dlp')
    expect(daemon.output).toContain('/nowhere/ffmpeg')
  })

  test('the first start makes a key, shows it once, and prints a line to paste', async () => {
    await using daemon = await createTestDaemon({ ADMIN_API_KEY: '' })
    await daemon.start()
    const key = /^\s+([\w-]{43})$/m.exec(daemon.output)?.[1] ?? ''
    expect(daemon.output).toContain(`curl -X POST ${daemon.url}/get_video -H 'X-API-Key: ${key}'`)
    expect((await daemon.client(key).get('/get_keys')).body).toHaveProperty('admin')
    await daemon.end('SIGTERM')
    const before = daemon.lines.length
    await daemon.start()
    expect(daemon.lines.slice(before).join('\n')).not.toContain(key)
    expect((await daemon.client(key).get('/get_keys')).status).toBe(200)
  })

  test('keys and tasks of a yt-dlp-host are taken over once', async () => {
    await using origin = await startOrigin()
    await using daemon = await createTestDaemon()
    const write = (name: string, json: unknown) => fs.writeFile(path.join(daemon.state, name), JSON.stringify(json))
    await fs.mkdir(daemon.state, { recursive: true })
    await fs.mkdir(path.join(daemon.downloads, 'completed0000001'), { recursive: true })
    await fs.writeFile(path.join(daemon.downloads, 'completed0000001', 'video.mp4'), 'made elsewhere')
    await write('api_keys.json', { bot: { key: 'the-old-value', permissions: ['get_info', 'get_video'] } })
    const task = { key_name: 'bot', url: `${origin.url}/small.mp4` }
    const completed_time = new Date().toISOString()
    await write('tasks.json', {
      completed0000001: {
        ...task,
        status: 'completed',
        task_type: 'get_video',
        file: '/files/completed0000001/video.mp4',
        completed_time,
      },
      interrupted00001: { ...task, status: 'processing', task_type: 'get_info' },
      lostfile00000001: {
        ...task,
        status: 'completed',
        task_type: 'get_video',
        file: '/files/lostfile00000001/video.mp4',
        completed_time,
      },
    })
    await daemon.start()
    const bot = daemon.client('the-old-value')
    expect(await bot.status('completed0000001')).toMatchObject({ status: 'completed', task_type: 'get_video' })
    expect((await bot.get('/files/completed0000001/video.mp4')).body).toEqual({ text: 'made elsewhere' })
    expect((await bot.finish('interrupted00001'))['status']).toBe('completed')
    expect((await bot.get('/status/lostfile00000001')).status).toBe(404)
    const names = await fs.readdir(daemon.state)
    expect(names).toEqual(expect.arrayContaining(['api_keys.json.imported', 'tasks.json.imported']))
  })

  test('a backup of the database is made soon after the start', async () => {
    await using daemon = await startTestDaemon()
    const { file } = await waitFor('a backup', () => newestBackup(daemon.state))
    await waitFor('the log to tell', () => daemon.output.includes(path.basename(file)))
  })

  test('a second daemon on the same folders is refused', async () => {
    await using daemon = await startTestDaemon()
    await using second = await createTestDaemon({ STATE_DIR: daemon.state })
    await expect(second.start()).rejects.toThrow('another ytdlpd uses')
  })
})
