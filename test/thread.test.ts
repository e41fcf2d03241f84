import { inThread } from '../src/thread.ts'

/** A script of one line. */
const script = (code: string) => new URL(`data:text/javascript,${encodeURIComponent(code)}`)
const POST = "import { parentPort, workerData } from 'node:worker_threads'; "

test('a script is given its data, and what it posts comes back', async () => {
  expect(await inThread(script(`${POST} parentPort.postMessage(workerData * 2)`), 21)).toBe(42)
})

test.each([
  ['throws', "throw new Error('broken')", /broken/],
  ['ends without a word', 'void 0', /before its work was done/],
  ['takes more memory than it may', 'const all = []; for (;;) all.push(new Array(100_000).fill(all.length))', /memory/],
])('a script that %s is a failure', async (_what, code, message) => {
  await expect(inThread(script(code), null, { memoryMb: 16 })).rejects.toThrow(message)
})

test('a script is ended by its signal, and not begun after it', async () => {
  const stop = new AbortController()
  const running = inThread(script('setInterval(() => {}, 1000)'), null, { signal: stop.signal })
  stop.abort(new Error('stopped'))
  await expect(running).rejects.toThrow('stopped')
  await expect(inThread(script(POST), null, { signal: stop.signal })).rejects.toThrow('stopped')
})
