import type { TaskKind } from './task.ts'

/** What a key may be allowed to do at the core. */
export const CORE_PERMISSIONS = [
  'create_key',
  'delete_key',
  'get_key',
  'get_keys',
  'get_video',
  'get_audio',
  'get_live_video',
  'get_live_audio',
  'get_info',
] as const

/** Everything a key may be allowed to do. */
export const PERMISSIONS = [
  ...CORE_PERMISSIONS,
  'get_subtitles',
  'get_thumbnail',
  'get_post',
  'get_playlist',
  'parse',
  'set_cookies',
  'manage_queue',
  'get_metrics',
] as const

export type Permission = (typeof PERMISSIONS)[number]

/** Whether a word of a client or a file is one of ours. */
export const isPermission = (word: string): word is Permission => PERMISSIONS.some((known) => known === word)

/** The permission a task kind asks for, which is also its name at the core. */
export const permissionOf = (kind: TaskKind): Permission => `get_${kind}`

/** What `wanted` asks for beyond `held`. */
export const missingFrom = (held: readonly string[], wanted: readonly string[]): string[] =>
  wanted.filter((word) => !held.includes(word))
