import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The `ffmpeg` and `ffprobe` every run sees instead of the real ones. */
export const WRAPPERS_DIR = fileURLToPath(new URL('../wrappers', import.meta.url))

/** The program that confines one run. */
export const CONFINE_PROGRAM = fileURLToPath(new URL('../python/confine.py', import.meta.url))

/** The program that holds a warm yt-dlp. */
export const FORK_SERVER_PROGRAM = fileURLToPath(new URL('../python/fork_server.py', import.meta.url))

/** Opens the egress listener inside a network namespace. */
export const LISTENER_PROGRAM = fileURLToPath(new URL('./open-listener.ts', import.meta.url))

/** What yt-dlp is to load beyond itself: one folder for each plug-in of ours. */
export const PLUGINS_DIR = fileURLToPath(new URL('../python/plugins', import.meta.url))

const { resolve } = createRequire(import.meta.url)

/** The libraries the solver plug-in gives to yt-dlp, as CommonJS, by the variable it finds each with. */
export const SOLVER_LIBRARIES = {
  YTDLPD_MERIYAH: join(dirname(resolve('meriyah')), 'meriyah.cjs'),
  YTDLPD_ASTRING: join(dirname(resolve('astring')), 'astring.js'),
} as const
