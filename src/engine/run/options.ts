import type { Server } from 'node:net'
import type { Logger } from 'pino'

import type { Tools } from '../tools.ts'

/** The setting SANDBOX. */
export type SandboxMode = 'auto' | 'require' | 'off'

/** What a runner of tools is made of. */
export type RunnerOptions = Readonly<{
  tools: Tools
  /** 'auto' confines as far as the machine can, 'require' refuses to start where it cannot, 'off' confines nothing. */
  sandbox: SandboxMode
  /** Keep a warm yt-dlp and fork it for each run. */
  forkServer: boolean
  /** Port on 127.0.0.1 of the egress proxy, the same in every namespace. */
  egressPort: number
  /**
   * Called with a server that listens on 127.0.0.1:`egressPort` of a network namespace of ours: its connections are
   * those of confined runs and belong to the egress proxy. The runner closes it when the namespace ends.
   */
  onListener: (server: Server) => void
  /** Marks every process of this installation: a hash of its state folder, letters and digits. */
  instance: string
  log: Logger
}>
