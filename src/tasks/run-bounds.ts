import type { Egress, EgressLane, LaneRoute } from '../engine/egress/index.ts'
import type { ToolLimits } from '../engine/tool.ts'

/** Bytes that finding out about a page may cost: a page of hundreds of megabytes is an attack on the memory. */
export const INFO_MAX_BYTES = 64 * 2 ** 20

/** Open files and processes of one tool run: yt-dlp with its threads, ffmpeg with its own. */
const OPEN_FILES = 1024
const PROCESSES = 1024

/** What bounds every run, whoever it is for. */
export type RunBounds = Readonly<{ egress: Egress; stallMs: number; maxFileBytes: number; maxMemoryBytes: number }>

export const toolLimits = ({ maxFileBytes, maxMemoryBytes }: RunBounds): ToolLimits => ({
  fileBytes: maxFileBytes,
  memoryBytes: maxMemoryBytes,
  openFiles: OPEN_FILES,
  processes: PROCESSES,
})

/** A way out that is wide enough for finding out about a page; dispose it with the run. */
export const openLane = ({ egress, stallMs }: RunBounds, label: string, route?: LaneRoute): EgressLane =>
  egress.open({ label, maxBytes: INFO_MAX_BYTES, idleMs: stallMs * 2, ...(route ? { route } : {}) })
