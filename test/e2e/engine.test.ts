import { startTestDaemon } from '../support/daemon.ts'
import { useRig } from '../support/rig.ts'

describe('the engine', () => {
  const rig = useRig({ INFO_CACHE_SECONDS: '60' })

  const client = rig.client
  /** A page with one video, and how often it and the video were asked for. */
  const page = (name: string, video: (asked: number) => string) => {
    const counts = { page: 0 }
    rig.origin().on(`/${name}.html`, (exchange) => {
      counts.page++
      exchange.send(200, `<html><title>${name}</title><video src="${video(counts.page)}"></video></html>`, 'text/html')
    })
    return { url: `${rig.origin().url}/${name}.html`, counts }
  }

  test('simultaneous extractions of one page share one run, and later ones its result', async () => {
    const { url, counts } = page('shared', () => '/small.mp4?shared')
    const ids = await Promise.all(Array.from({ length: 12 }, () => client().submit('get_info', { url })))
    const ends = await Promise.all(ids.map((id) => client().finish(id)))
    expect(ends.map((end) => end['status'])).toEqual(ids.map(() => 'completed'))
    const { page: asked } = counts
    await client().complete('get_info', { url })
    expect(counts.page).toBe(asked)
    await using fresh = await startTestDaemon()
    const before = counts.page
    await fresh.client().complete('get_info', { url })
    expect(asked).toBe(counts.page - before)
  })

  test('a download starts from what was found out a moment ago', async () => {
    const { url, counts } = page('known', () => '/small.mp4?known')
    await client().complete('get_info', { url })
    const { page: asked } = counts
    await client().complete('get_video', { url })
    expect(counts.page).toBe(asked)
  })

  test('links that have expired meanwhile are looked up again', async () => {
    rig.origin().on('/gone.mp4', (exchange) => exchange.send(410, 'expired'))
    let expired = false
    const { url, counts } = page('expiring', () => (expired ? '/small.mp4?renewed' : '/other.mp4'))
    await client().complete('get_info', { url })
    expired = true
    rig.origin().on('/other.mp4', (exchange) => exchange.send(403, 'expired'))
    const { page: asked } = counts
    const status = await client().complete('get_video', { url })
    expect(status['attempts']).toBe(1)
    expect(counts.page).toBeGreaterThan(asked)
  })

  test('plain processes give the same results', async () => {
    await using plain = await startTestDaemon({ FORK_SERVER: 'false' })
    expect((await plain.client().get('/health')).body).toMatchObject({ engine: 'processes' })
    const video = await plain.client().complete('get_video', { url: `${rig.origin().url}/dash/manifest.mpd` })
    expect(video['file']).toMatch(/video\.mp4$/)
    const info = await plain.client().complete('get_info', { url: `${rig.origin().url}/small.mp4` })
    expect((await plain.client().get(`${String(info['file'])}?title`)).body).toEqual({ title: 'small' })
  })

  test('without a sandbox it works, and says loudly that it has none', async () => {
    await using open = await startTestDaemon({ SANDBOX: 'off' })
    expect(open.output).toMatch(/"level":"(warn|error)".*sandbox/i)
    expect((await open.client().get('/health')).body['sandbox']).toMatchObject({ landlock: false, namespaces: false })
    expect(await open.client().complete('get_info', { url: `${rig.origin().url}/small.mp4` })).toMatchObject({
      status: 'completed',
    })
  })
})
