import { z } from 'zod'
import { parseDialectAddresses, parseKeylessDialects } from '../domain/dialect.ts'
import { parseEgressAllow } from '../domain/egress-allow.ts'

const UNIT_BYTES = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const

const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'], { error: 'must be true or false' })
    .transform((word) => ['true', '1', 'yes', 'on'].includes(word))
    .default(fallback)

const number = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, `must be a number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))

const whole = (min: number, max: number) => number(min, max).pipe(z.int({ error: 'must be a whole number' }))

const bytes = () =>
  z
    .string()
    .regex(/^\d+(\.\d+)?\s*[KMGT]?i?B?$/i, 'must be a size such as 500M or 20G')
    .transform((text) => {
      const unit = /[KMGT]/i.exec(text)?.[0].toUpperCase() ?? ''
      return Math.floor(Number.parseFloat(text) * (UNIT_BYTES[unit as keyof typeof UNIT_BYTES] ?? 1))
    })

const path = () => z.string().min(1)

const proxyUrl = z.string().refine((text) => {
  const url = URL.parse(text)
  return url !== null && /^(https?|socks5h?):$/.test(url.protocol) && url.hostname !== ''
}, 'must be http://, https:// or socks5://[user:password@]host:port')

/** What `read` makes of a text; the message of what it throws is for the operator. */
const readBy = <T>(read: (text: string) => T) =>
  z.string().transform((text, context) => {
    try {
      return read(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'cannot be read' })
      return z.NEVER
    }
  })

const DAY_SECONDS = 86_400

/** Below this Node, which solves the challenges of YouTube, does not even start. */
const MIN_MEMORY_BYTES = 2 * 2 ** 30

/**
 * Every setting, read from the environment under these names. The description is the line that the documents show.
 * An empty value counts as not set.
 */
export const SETTINGS = {
  HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address to listen on; `0.0.0.0` for all (the image does that)'),
  PORT: whole(0, 65_535).default(5000).describe('Port to listen on; 0 = any free one'),
  PUBLIC_BASE_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http(s) address' })
    .optional()
    .describe("Address that clients reach the daemon by, for the links in answers; otherwise the request's own host"),
  TRUST_PROXY: flag(false).describe('Believe `X-Forwarded-*` of a reverse proxy in front of the daemon'),
  COMPAT_LISTEN: readBy(parseDialectAddresses)
    .default([])
    .describe('Addresses at which one compatible API is served alone: `mezdia=127.0.0.1:5001,…`'),
  ANONYMOUS_ACCESS: readBy(parseKeylessDialects)
    .default([])
    .describe('Compatible APIs that anybody may use without a key wherever the daemon listens: `picoshot`, `mezdia`'),
  PICOSHOT_LIMIT: whole(0, 1_000_000).default(30).describe('Calls of picoshot a minute from one address; 0 = no limit'),
  MEZDIA_LIMIT: whole(0, 1_000_000).default(30).describe('Calls of Mezdia a minute from one address; 0 = no limit'),
  EASYDOWN_HEADERS: flag(false).describe('Easydown: name with each medium the headers that its host wants'),
  MEDIA_PROXY_STREAMS: whole(1, 10_000).default(16).describe('Media that a key may have passed on at the same time'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('How much is logged: fatal, error, warn, info, debug, trace or silent'),

  DOWNLOAD_DIR: path().default('downloads').describe('Finished files; unfinished ones in its folder `.work`'),
  STATE_DIR: path().default('jsons').describe('The database, the sealing key and downloaded tools'),
  CONFIG_DIR: path().default('config').describe("The operator's own files, never written"),
  TASKS_FILE: path()
    .optional()
    .describe('Tasks of a yt-dlp-host to take over, once (default: `tasks.json` in `STATE_DIR`)'),
  KEYS_FILE: path()
    .optional()
    .describe('Keys of a yt-dlp-host to take over, once (default: `api_keys.json` in `STATE_DIR`)'),

  ADMIN_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{16,256}$/, 'must be 16 to 256 printable characters without spaces')
    .optional()
    .describe('Value of the key `admin`; without it the first start makes one and shows it once'),
  KEY_REVEAL: flag(true).describe('Let `/get_key` and `/get_keys` show the values of keys'),
  PUBLIC_FILES: flag(false).describe('Serve files without a key to whoever knows the task id'),
  PUBLIC_STATUS: flag(false).describe('Answer `/status` without a key to whoever knows the task id'),

  TASK_CLEANUP_TIME: number(0.01, 525_600).default(10).describe('Minutes after which a finished task and its file go'),
  REQUEST_LIMIT: whole(1, 1_000_000).default(20).describe('Calls a key may make within `TASK_CLEANUP_TIME`'),
  MAX_WORKERS: whole(1, 256).default(4).describe('Tasks that run at the same time'),
  RETRY_MAX_WAIT: number(0, 30 * DAY_SECONDS)
    .default(6 * 3600)
    .describe(
      'Longest wait in seconds before a failed task is tried again; if it takes longer the task ends. 0 = never try again',
    ),
  SHUTDOWN_GRACE: number(0, 3600)
    .default(20)
    .describe('Seconds that running tasks get to finish when the daemon is stopped'),

  ALLOW_PRIVATE_URLS: flag(false).describe('Fetch from private and local addresses as from any other (dangerous)'),
  EGRESS_ALLOW: readBy(parseEgressAllow)
    .default([])
    .describe(
      'Private targets that may be fetched all the same: CIDRs, addresses, hosts, `*.suffix`, separated by commas',
    ),
  PROXY_URL: proxyUrl
    .optional()
    .describe('Proxy for all fetching: `http://`, `https://` or `socks5://`, with `user:password@` if it asks'),
  CA_FILE: path().optional().describe('PEM file of one more trusted certificate authority'),
  SPONSORBLOCK_API: z
    .url({ protocol: /^https?$/, error: 'must be an http(s) address' })
    .transform((text) => text.replace(/\/+$/, ''))
    .default('https://sponsor.ajay.app')
    .describe('SponsorBlock service that is asked for the parts of a video to remove or mark'),

  YTDLP_PATH: path().optional().describe('yt-dlp to use (default: the one that `scripts/setup` fetched, then `PATH`)'),
  FFMPEG_PATH: path().optional().describe('ffmpeg to use (default: `PATH`)'),
  FFPROBE_PATH: path().optional().describe('ffprobe to use (default: `PATH`)'),
  GALLERY_DL_PATH: path()
    .optional()
    .describe('gallery-dl to use, for posts of pictures (default: as with yt-dlp; the daemon works without)'),
  PYTHON_PATH: path().optional().describe('Python to use (default: the one of yt-dlp, then `PATH`)'),
  TOOLS_DIR: path().optional().describe('Tools fetched by `scripts/setup` (default: `tools` in `STATE_DIR`)'),
  YTDLP_ALLOW_OLD: flag(false).describe('Start with a yt-dlp that has known security holes'),

  FORK_SERVER: flag(true).describe('Run yt-dlp as forks of one warm process: many times faster'),
  SANDBOX: z
    .enum(['auto', 'require', 'off'])
    .default('auto')
    .describe(
      '`auto`: confine tools as well as the machine can; `require`: do not start without; `off`: not at all (dangerous)',
    ),
  INFO_CACHE_SECONDS: number(0, DAY_SECONDS)
    .default(60)
    .describe('How long the result of an extraction may be used again'),
  IMAGES: z
    .enum(['fallback', 'always'])
    .default('fallback')
    .describe(
      'Ask gallery-dl for the pictures of posts on X and Weibo: `fallback`: where there is no video; `always`: of those with videos too',
    ),
  STALL_SECONDS: number(1, DAY_SECONDS)
    .default(60)
    .describe('A task without a new byte for so long is stalled and tried again'),
  MAX_RUN_SECONDS: number(1, 30 * DAY_SECONDS)
    .default(6 * 3600)
    .describe('Longest run of one attempt; a recording gets its duration on top'),
  MAX_FILE_BYTES: bytes()
    .default(50 * 2 ** 30)
    .describe('Largest file, and most bytes fetched, of one task'),
  MAX_MEMORY_BYTES: bytes()
    .refine(
      (size) => size === 0 || size >= MIN_MEMORY_BYTES,
      'must be 0 or at least 2G: YouTube needs a JavaScript engine',
    )
    .default(4 * 2 ** 30)
    .describe('Address space of each tool process, at least 2G; 0 = no limit'),
  MIN_FREE_BYTES: bytes()
    .default(512 * 2 ** 20)
    .describe('Space to leave on the disk; tasks wait when there is less'),
  MAX_QUEUE: whole(1, 10_000_000).default(20_000).describe('Waiting tasks; more are refused with 503'),
  MAX_QUEUED_PER_KEY: whole(0, 10_000_000).default(0).describe('Waiting tasks of one key; 0 = no limit'),
  MAX_RUNNING_PER_KEY: whole(0, 256).default(0).describe('Running tasks of one key; 0 = no limit'),
  MAX_BYTES_PER_KEY_PER_DAY: bytes()
    .default(0)
    .describe('Bytes of finished files of one key on a day (UTC); 0 = no limit'),
  BACKUP_HOURS: number(0, 8760).default(24).describe('Hours between backups of the database; 0 = none'),
  BACKUP_KEEP: whole(1, 1000).default(3).describe('Backups to keep'),
} as const

/** All settings at once, each by its own schema. */
export const settingsSchema = z.object(SETTINGS)

/** The settings as they are after the checks, under the names of their variables. */
export type Settings = z.output<typeof settingsSchema>
