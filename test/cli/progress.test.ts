import { bytesOf, ProgressLine } from '../../src/cli/progress.ts'
import type { Terminal } from '../../src/cli/command.ts'

/** A terminal that keeps what was written. */
function paper(isTty: boolean, columns = 80) {
  let text = ''
  const terminal: Terminal = {
    out: () => {},
    err: (more) => (text += more),
    isTty,
    columns: () => columns,
    env: {},
    signal: new AbortController().signal,
  }
  return { terminal, read: () => text }
}

test('a terminal has one line that is drawn anew, no wider than it is, and gone at the end', () => {
  const { terminal, read } = paper(true, 40)
  const line = new ProgressLine(terminal)
  line.show({ what: 'downloading', percent: 50, speed: 1_572_864, eta: 75 })
  line.show({ what: 'downloading', percent: 100 })
  line.end()
  const drawn = read().split('\r\u001b[K')
  expect(drawn).toEqual(['', '[############------------]  50 %  downl', '[########################] 100 %  downl', ''])
})

test('elsewhere a line is written for each tenth, and what others say does not steer the terminal', () => {
  const { terminal, read } = paper(false)
  const line = new ProgressLine(terminal)
  for (const percent of [null, 1, 2, 9, 10, 15, 27, 100, 100]) line.show({ what: 'a\u001b[2Jb', percent })
  expect(read()).toBe('a [2Jb\na [2Jb 0 %\na [2Jb 10 %\na [2Jb 20 %\na [2Jb 100 %\n')
})

test('sizes are for people', () => {
  expect([0, 1023, 1024, 1_572_864, 5 * 2 ** 40, 2 ** 60].map(bytesOf)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 MiB',
    '5.0 TiB',
    '1048576.0 TiB',
  ])
})
