import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

export type TempDir = AsyncDisposable & Readonly<{ path: string }>

/** A folder of the test's own, removed when it is disposed. */
export function tempDir(parent: string = os.tmpdir()): TempDir {
  const dir = fs.mkdtempSync(path.join(parent, 'ytdlpd-test-'))
  return {
    path: dir,
    [Symbol.asyncDispose]: async () => {
      await fs.promises.rm(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
