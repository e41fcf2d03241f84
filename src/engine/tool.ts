/** The one door to other programs: what a run is given, and how it ended. Adapters: warm fork server, plain processes. */

/** The programs there is a door for. */
export type ToolName = 'yt-dlp' | 'ffmpeg' | 'ffprobe' | 'gallery-dl'

/** What the kernel does not let a run exceed. */
export type ToolLimits = Readonly<{
  /** Largest single file the run may write, bytes (RLIMIT_FSIZE). */
  fileBytes: number
  /** Address space of each process, bytes (RLIMIT_AS); 0 = unlimited. */
  memoryBytes: number
  openFiles: number
  processes: number
}>

/** One program to be run to its end. */
export type ToolRun = Readonly<{
  /** Who the run belongs to, for logs and for finding its processes again: `<taskId>.<attempt>` or a word. */
  label: string
  tool: ToolName
  /** Arguments after the program's name. Never shown in any process list: they may hold secrets. */
  args: readonly string[]
  /** Absolute. Working directory, HOME and TMPDIR; the only folder the run may write to. */
  workDir: string
  /** More absolute paths it may read. */
  readable?: readonly string[]
  /** `http://user:password@127.0.0.1:port` of the egress lane; null = no network at all. */
  proxyUrl: string | null
  timeoutMs: number
  limits: ToolLimits
  /** Kills the whole process group at once (SIGKILL). */
  signal: AbortSignal
  /** Asks to finish early: SIGINT to the group, the result is kept; SIGKILL follows after `interruptGraceMs`. */
  interrupt?: AbortSignal
  interruptGraceMs?: number
  /** One call per line of standard output, without its newline. */
  onStdout?: (line: string) => void
  /** One call per line of standard error (split at \n and \r). */
  onStderr?: (line: string) => void
}>

/** How a run ended. `timeout` and `aborted` were our doing; `spawn`: it could not be started. */
export type ToolExit = Readonly<{
  kind: 'exit' | 'signal' | 'timeout' | 'aborted' | 'spawn'
  /** Set when kind is 'exit'. */
  exitCode: number | null
  /** Set when the run died of a signal, ours or another's: 'SIGKILL', 'SIGSEGV', … */
  signalName: string | null
  /** The last 64 KiB of standard error. */
  stderr: string
}>

/** Runs programs, confined as `sandbox` says. Disposing ends every run. */
export interface ToolRunner extends AsyncDisposable {
  /** Resolves when the run and everything it started are gone. Never rejects for what the tool did. */
  run(run: ToolRun): Promise<ToolExit>
  /** What confines each run; shown in /health. */
  readonly sandbox: SandboxState
  readonly mode: 'fork-server' | 'processes'
  /** Runs under way. */
  readonly runs: number
  /** Whether runs are what `mode` says. A fork server that has ended is started anew by this question, if by nothing else. */
  isWell(): boolean
}

/** What confines runs on this machine. */
export type SandboxState = Readonly<{
  /** ABI of Landlock in force, or false. */
  landlock: number | false
  namespaces: boolean
  /**
   * What keeps a run from other addresses than the egress proxy: a network of its own, Landlock (TCP only), or nothing but
   * the proxy settings it is given.
   */
  network: 'namespace' | 'landlock' | 'open'
}>
