import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { ToolRun } from '../tool.ts'
import type { Tools } from '../tools.ts'
import { PLUGINS_DIR, SOLVER_LIBRARIES, WRAPPERS_DIR } from './places.ts'

/** What a confined run may touch; everything else is denied. Paths that do not exist are left out by the launcher. */
export type Confinement = Readonly<{
  landlock: boolean
  write: readonly string[]
  read: readonly string[]
  execute: readonly string[]
  /** TCP ports it may connect to. */
  ports: readonly number[]
}>

/** Programs and libraries of the system. Not `/usr` or `/opt` as a whole: the daemon itself may be installed there. */
const SYSTEM_PROGRAMS = [
  ...['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libexec', 'share'].map((name) => `/usr/${name}`),
  ...['bin', 'lib', 'lib64', 'share'].map((name) => `/usr/local/${name}`),
  ...['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/nix/store'],
]

const SYSTEM_FILES = [
  ...['ssl', 'pki', 'ca-certificates', 'ca-certificates.conf', 'crypto-policies', 'gnutls', 'fonts', 'alternatives'],
  ...['resolv.conf', 'hosts', 'host.conf', 'gai.conf', 'nsswitch.conf', 'passwd', 'group', 'localtime', 'timezone'],
  ...['ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'ld-musl-x86_64.path', 'mime.types', 'services', 'protocols'],
].map((name) => `/etc/${name}`)

const KERNEL_FILES = [
  ...['/dev/zero', '/dev/random', '/dev/urandom', '/sys/devices/system/cpu'],
  ...['cpuinfo', 'meminfo', 'stat', 'version', 'filesystems', 'sys/vm/overcommit_memory'].map(
    (name) => `/proc/${name}`,
  ),
]

/** What `run` needs to touch, and nothing else. */
export function confinementOf(tools: Tools, run: ToolRun, landlock: boolean): Confinement {
  return {
    landlock,
    write: [run.workDir],
    read: [
      ...SYSTEM_FILES,
      ...KERNEL_FILES,
      ...(tools.caFile === null ? [] : [tools.caFile]),
      ...(run.tool === 'yt-dlp' ? [PLUGINS_DIR, ...Object.values(SOLVER_LIBRARIES)] : []),
      ...(run.readable ?? []),
    ],
    execute: [...SYSTEM_PROGRAMS, WRAPPERS_DIR, ...toolPaths(tools)],
    ports: run.proxyUrl === null ? [] : [portOf(run.proxyUrl)],
  }
}

/** Throws RangeError for a URL that does not name its port. */
export function portOf(proxyUrl: string): number {
  const port = Number(new URL(proxyUrl).port)
  if (!port) throw new RangeError('the proxy URL has to name its port')
  return port
}

/** The programs themselves, where their links lead, and the libraries that come beside them. */
function toolPaths(tools: Tools): string[] {
  const modules = [tools.ytDlp.python?.modulePath, tools.galleryDl?.modulePath].filter(
    (folder) => typeof folder === 'string',
  )
  const others = [
    tools.ffmpeg.path,
    tools.ffprobe.path,
    tools.nodePath,
    ...(tools.galleryDl ? [tools.galleryDl.path] : []),
  ]
  const programs = [...others, ...tools.ytDlp.command].map(resolveLinks)
  const libraries = programs
    .filter((path) => dirname(path).endsWith('/bin'))
    .map((path) => join(dirname(path), '../lib'))
  return [...programs, ...libraries.filter(existsSync), ...modules]
}

function resolveLinks(path: string): string {
  return existsSync(path) ? realpathSync(path) : path
}
