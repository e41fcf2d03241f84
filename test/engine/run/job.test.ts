import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { portOf } from '../../../src/engine/run/confinement.ts'
import { toConfigText } from '../../../src/engine/run/job.ts'

describe('toConfigText', () => {
  test('is read back by yt-dlp’s parser as the same arguments', async () => {
    const args = ['-o', `a 'b' "c" \\ #d $e\n\nf`, '', 'é€', '--x=', 'http://h/?a=b&c']
    const program = 'import json, shlex, sys; print(json.dumps(shlex.split(sys.argv[1], comments=True)))'
    const { stdout } = await promisify(execFile)('python3', ['-c', program, toConfigText(args)])
    expect(JSON.parse(stdout)).toEqual(args)
  })

  test('puts operands last, without the separator that would end the outer arguments', () => {
    expect(toConfigText(['-J', '--', 'http://h/'])).toBe(`'-J'\n'http://h/'`)
    expect(() => toConfigText(['--', '--exec=id'])).toThrow(RangeError)
  })
})

test('a proxy URL has to name its port', () => {
  expect(portOf('http://u:p@127.0.0.1:3128')).toBe(3128)
  expect(() => portOf('http://127.0.0.1')).toThrow(RangeError)
})
