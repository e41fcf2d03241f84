import path from 'node:path'
import { loadConfig } from '../../src/config/index.ts'
import { createContext } from '../../src/context.ts'
import type { ApiKey } from '../../src/domain/key.ts'
import type { AppContext } from '../../src/http/app.ts'
import type { FoundPost, NoPost } from '../../src/tasks/posts.ts'
import type { Sim } from '../sim/core.ts'
import { startSim } from '../sim/index.ts'
import { SILENT } from './samples.ts'
import { tempDir } from './temp-dir.ts'

/** The parts of a daemon with real tools, in this process, in front of the simulated internet. */
export type PostRig = AsyncDisposable &
  Readonly<{
    sim: Sim
    app: AppContext
    key: ApiKey
    /** What a face does with a text. */
    find: (text: string) => Promise<FoundPost | NoPost>
  }>

export async function openPostRig(settings: Readonly<Record<string, string>> = {}): Promise<PostRig> {
  await using stack = new AsyncDisposableStack()
  const dir = stack.use(tempDir())
  const sim = stack.use(await startSim())
  const config = loadConfig({
    PATH: process.env['PATH'],
    DOWNLOAD_DIR: path.join(dir.path, 'downloads'),
    STATE_DIR: path.join(dir.path, 'state'),
    CONFIG_DIR: path.join(dir.path, 'config'),
    TOOLS_DIR: path.resolve(process.env['TOOLS_DIR'] ?? 'jsons/tools'),
    PROXY_URL: sim.url,
    CA_FILE: sim.caFile,
    ...settings,
  })
  const { app } = await createContext(config, stack, SILENT)
  await app.keys.ensureAdmin('test-admin-key-0123456789')
  const key = app.keys.authenticate('test-admin-key-0123456789')
  if (key === null) throw new Error('the key is not taken')
  const owned = stack.move()
  const { signal } = new AbortController()
  return {
    sim,
    app,
    key,
    find: async (text) => {
      const place = await app.posts.locate(text, signal)
      return 'reason' in place ? place : app.posts.read(key, place, signal)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
