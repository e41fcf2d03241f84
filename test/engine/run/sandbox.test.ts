import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

import { refuseUnlessConfined, SandboxError } from '../../../src/engine/run/detect.ts'
import { realTools } from './bench.ts'

/** Restricts itself as a kernel of the given Landlock version would let it, and prints what it may still do. */
const PROGRAM = `
import errno, os, socket, sys
sys.path.insert(0, sys.argv[1])
import sandbox
abi, folder = int(sys.argv[2]), sys.argv[3]
if sandbox.landlock_abi() < abi: sys.exit(print('skip'))
sandbox.landlock_abi = lambda: abi
open_port, other_port = socket.create_server(('127.0.0.1', 0)), socket.create_server(('127.0.0.1', 0))
def outcome(action):
    try: action(); return 'ok'
    except OSError as error: return errno.errorcode[error.errno]
def connect(server): return lambda: socket.socket().connect(server.getsockname())
sandbox.restrict([[folder, sandbox.WORK], ['/dev/null', sandbox.SINK], ['/nowhere', sandbox.RUN]], [open_port.getsockname()[1]])
print(outcome(lambda: open(folder + '/x', 'w').close()), outcome(lambda: open(folder + '/../y', 'w').close()),
      outcome(lambda: open('/etc/passwd').close()), outcome(lambda: open('/dev/null', 'w').close()),
      outcome(connect(open_port)), outcome(connect(other_port)), outcome(lambda: os.kill(os.getppid(), 0)))
`

test.each([1, 2, 3, 4, 5, 6, 7])('Landlock version %d confines what it can', async (abi) => {
  const { pythonPath } = await realTools()
  const dir = await mkdtemp(join(tmpdir(), 'ytdlpd-test-'))
  const code = resolve(import.meta.dirname, '../../../src/engine/python')
  const { stdout } = await promisify(execFile)(pythonPath ?? 'python3', ['-B', '-c', PROGRAM, code, String(abi), dir])
  await rm(dir, { recursive: true })
  if (stdout.trim() === 'skip') return
  const files = ['ok', 'EACCES', 'EACCES', 'ok']
  expect(stdout.trim().split(' ')).toEqual([...files, 'ok', abi >= 4 ? 'EACCES' : 'ok', abi >= 6 ? 'EPERM' : 'ok'])
})

test('a sandbox that is required is refused by name unless files and network are confined', () => {
  const refuse = (landlock: number | false, network: 'namespace' | 'landlock' | 'open') => () =>
    refuseUnlessConfined({ landlock, namespaces: false, network }, 'no Landlock here')
  expect(refuse(false, 'namespace')).toThrow(
    new SandboxError('SANDBOX=require, but files cannot be confined: no Landlock here'),
  )
  expect(refuse(3, 'open')).toThrow(SandboxError)
  expect(refuse(3, 'namespace')).not.toThrow()
  expect(refuse(4, 'landlock')).not.toThrow()
})
