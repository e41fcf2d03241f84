import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import type { SandboxState } from '../tool.ts'
import { CONFINE_PROGRAM } from './places.ts'

const PROBE_TIMEOUT_MS = 10_000

/** What the probe found out. */
export type LandlockFound = Readonly<{
  /** The ABI a restricted child has really been held by; 0 = none. */
  landlock: number
  /** Why there is none. */
  missing: string
}>

/** Restricts a test process and reports what held. */
export async function detectLandlock(python: string | null): Promise<LandlockFound> {
  if (python === null) return { landlock: 0, missing: 'no Python to start confined programs with' }
  try {
    const { stdout } = await promisify(execFile)(python, ['-S', '-E', CONFINE_PROGRAM, '--probe'], {
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1' },
      timeout: PROBE_TIMEOUT_MS,
    })
    return JSON.parse(stdout) as LandlockFound
  } catch (error) {
    return { landlock: 0, missing: `the probe failed: ${(error as Error).message}` }
  }
}

/** The sandbox that SANDBOX=require asks for cannot be had here. The message is for the operator. */
export class SandboxError extends Error {
  override readonly name = 'SandboxError'
}

/** Throws SandboxError for a sandbox that is not there, naming what is missing. */
export function refuseUnlessConfined(state: SandboxState, missing: string): void {
  if (!state.landlock) throw new SandboxError(`SANDBOX=require, but files cannot be confined: ${missing}`)
  if (state.network === 'open') {
    throw new SandboxError(
      `SANDBOX=require, but the network cannot be confined: Landlock ABI ${state.landlock} covers no TCP (needs 4, Linux 6.7) and network namespaces are not allowed here`,
    )
  }
}
