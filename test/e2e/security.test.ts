import { once } from 'node:events'
import fs from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import path from 'node:path'
import {
  ATTACKS,
  attackIdOf,
  attackListener,
  attackUrl,
  INSIDE_ADDRESS,
  ORIGIN_ADDRESS,
} from '../engine/egress/matrix.ts'
import { startServer } from '../engine/egress/support.ts'
import { useRig } from '../support/rig.ts'
import { waitFor } from '../support/wait-for.ts'

describe('an attacker who submits addresses', () => {
  const rig = useRig({ RETRY_MAX_WAIT: '0' })

  const client = rig.client

  test('reaches nothing inside, by any way of the matrix, as video, as info or as a clip', async () => {
    const asked: string[] = []
    await using inside = await startServer((request, response) => {
      asked.push(attackIdOf(request.url ?? ''))
      response.end('secret')
    }, INSIDE_ADDRESS)
    await using attacker = await startServer(
      attackListener(`${ORIGIN_ADDRESS}:${inside.port}`),
      ORIGIN_ADDRESS,
      inside.port,
    )
    const attacks = ATTACKS.filter((attack) => !attack.needsNames)
    const ends: string[] = []
    const run = async (kind: string, url: string, more: Readonly<Record<string, unknown>> = {}) => {
      const answer = await client().post(`/${kind}`, { url, ...more })
      if (answer.status !== 200) return ends.push('refused')
      return ends.push(String((await client().finish(String(answer.body['task_id']), 120_000))['status']))
    }
    await Promise.all(
      attacks.flatMap((attack) => {
        const url = attackUrl(attack, ORIGIN_ADDRESS, attacker.port)
        return [run('get_video', url), run('get_info', url), run('get_video', url, { start_time: 0, end_time: 2 })]
      }),
    )
    expect(ends).toHaveLength(3 * attacks.length)
    expect(attacks.length).toBeGreaterThan(60)
    expect(asked).toEqual([])
  }, 240_000)

  test('gets no byte of a file of this machine into a result', async () => {
    const victim = path.join(rig.daemon().downloads, 'victim0000000001', 'video.ts')
    await fs.mkdir(path.dirname(victim), { recursive: true })
    const segment = await fetch(`${rig.origin().url}/hls/plain/1.ts`)
    await fs.writeFile(victim, Buffer.from(await segment.arrayBuffer()))
    const hls = `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://${victim}\n#EXT-X-ENDLIST\n`
    const dash = `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S" minBufferTime="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp2t"><Representation id="1" bandwidth="1000"><BaseURL>file://${victim}</BaseURL></Representation></AdaptationSet></Period></MPD>`
    const concat = `ffconcat version 1.0\nfile '${victim}'\n`
    const bodies = {
      hls,
      dash,
      concat,
      nested: hls.replace('file://', 'concat:file://'),
      subfile: hls.replace('file://', 'subfile,,start,0,end,0,,:'),
    }
    const names = ['a.mp4', 'a.mkv', 'a.mp3', 'a.m3u8', 'a.jpg']
    const urls = Object.values(bodies).flatMap((body) =>
      names.map(
        (name) => `${rig.origin().url}/text/${name}?${new URLSearchParams({ type: 'video/mp4', body }).toString()}`,
      ),
    )
    const kinds = [
      ['get_video', {}],
      ['get_video', { output_format: 'mkv' }],
      ['get_audio', { output_format: 'mp3' }],
      ['get_video', { start_time: 0, end_time: 1 }],
    ] as const
    const statuses = await Promise.all(
      urls.flatMap((url) =>
        kinds.map(async ([kind, more]) => client().finish(await client().submit(kind, { url, ...more }), 200_000)),
      ),
    )
    expect(statuses.filter((status) => status['status'] === 'completed')).toEqual([])
    expect(statuses).toHaveLength(100)
  }, 240_000)

  test('finds no secret of a task in a process list', async () => {
    const id = await client().submit('get_video', {
      url: `${rig.origin().url}/big/8.mp4?bps=1500000`,
      start_time: 1,
      end_time: 6,
      force_keyframes: true,
    })
    await waitFor('ffmpeg to fetch', async () => (await commandLines()).some((line) => line.includes('ffmpeg')))
    const lines = await commandLines()
    expect(lines.filter((line) => /job-[\w-]+:[^@ ]+@127\.0\.0\.1/.test(line))).toEqual([])
    await client().post(`/v1/tasks/${id}/cancel`, {})
  })
})

describe('an attacker who holds a key and a web server', () => {
  const rig = useRig({ RETRY_MAX_WAIT: '0' })

  /** The longest that another user waited for a status while `attack` went on. */
  const longestWait = async (attack: () => Promise<unknown>): Promise<number> => {
    const user = rig.client()
    let longest = 0
    const over = new AbortController()
    const watch = async () => {
      while (!over.signal.aborted) {
        const asked = performance.now()
        await user.get('/status/0000000000000000')
        longest = Math.max(longest, performance.now() - asked)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
    const watching = watch()
    try {
      await attack()
    } finally {
      over.abort()
      await watching
    }
    return longest
  }

  test('does not hold up the others by what a request or an origin says', async () => {
    const blanks = ' '.repeat(60_000)
    const heads = [`x:${blanks}\u0001`, `x: a${blanks}b`, `x:${blanks}`, `${'a:\r\n'.repeat(15_000)}b: c`]
    await using origin = await startRawServer((path, socket) => {
      const which = Number(path.slice(1))
      socket.end(`HTTP/1.1 404 ${which < heads.length ? 'No' : 'a '.repeat(20_000)}\r\n${heads[which] ?? ''}\r\n\r\n`)
    })
    const attack = async () => {
      const urls = [...heads.keys(), heads.length].map((which) => `${origin.url}/${which}`)
      const ids = await Promise.all(urls.map((url) => rig.client().submit('get_info', { url })))
      for (const text of ['['.repeat(900_000), '(/'.repeat(450_000), ' '.repeat(900_000)]) {
        for (const field of ['video_format', 'audio_format', 'start_time', 'output_filename', 'url']) {
          expect((await rig.client().post('/get_video', { url: origin.url, [field]: text })).status).toBe(400)
        }
      }
      await Promise.all(ids.map((id) => rig.client().finish(id)))
    }
    expect(await longestWait(attack)).toBeLessThan(2_000)
  }, 90_000)

  test('does not hold up the others by a description of tens of megabytes', async () => {
    const id = await rig.client().submit('get_info', { url: `${rig.origin().url}/small.mp4` })
    const { file } = await rig.client().finish(id)
    const entries = Array(120_000).fill({ id: 'x'.repeat(60), url: `https://video.example/${'y'.repeat(200)}` })
    await fs.writeFile(path.join(rig.daemon().downloads, id, 'info.json'), JSON.stringify({ title: 't', entries }))
    const ask = async () => (await rig.client().get(`${String(file)}?title`)).status
    const attack = async () =>
      expect(new Set(await Promise.all(Array.from({ length: 40 }, ask)))).toEqual(new Set([200, 429]))
    expect(await longestWait(attack)).toBeLessThan(2_000)
  }, 90_000)
})

/** A server that says exactly what it is told to, well-formed or not. */
async function startRawServer(
  answer: (path: string, socket: Socket) => void,
): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined) // a client that leaves
    socket.once('data', (head) => answer(head.toString('latin1').split(' ')[1] ?? '', socket))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}

/** The arguments of every process of this machine, as any user sees them. */
async function commandLines(): Promise<string[]> {
  const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name))
  return Promise.all(pids.map((pid) => fs.readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))) // it ended meanwhile
}
