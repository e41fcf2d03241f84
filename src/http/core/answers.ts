import { z } from 'zod'
import { TASK_ERROR_CODES } from '../../domain/errors.ts'
import { PERMISSIONS } from '../../domain/permissions.ts'

const time = z.iso.datetime()
const count = z.int().min(0)

/** Every error of the core; those about the body and the task also say it in `message`. */
export const coreErrorSchema = z
  .union([
    z.strictObject({ error: z.string() }),
    z.strictObject({ message: z.string(), error: z.string() }),
    z.strictObject({ status: z.literal('error'), message: z.string(), error: z.string() }),
  ])
  .meta({ id: 'CoreError', description: 'Why a call was refused, for people' })

/** `POST /get_<kind>`. */
export const submittedSchema = z
  .strictObject({
    status: z.literal('waiting'),
    task_id: z.string().meta({ description: 'What `/status` and `/files` know it by', example: 'Zx81TQx0aBcD3fGh' }),
  })
  .meta({ id: 'CoreSubmitted', description: 'The task is queued' })

/** A field of the submission, shown as it was written. */
const asSent = z.union([z.string(), z.number(), z.boolean()]).nullable().optional()

/** `GET /status/<id>`. */
export const statusSchema = z
  .strictObject({
    status: z.enum(['waiting', 'processing', 'completed', 'error']),
    task_type: z.enum(PERMISSIONS).meta({ description: 'The path it was submitted to, without the slash' }),
    url: z.string(),
    key_name: z.string(),
    video_format: asSent,
    audio_format: asSent,
    start_time: asSent,
    end_time: asSent,
    force_keyframes: asSent,
    start: asSent,
    duration: asSent,
    output_format: asSent,
    output_filename: asSent,
    file: z.string().optional().meta({ description: 'Path of the finished file' }),
    file_url: z.string().optional().meta({ description: 'The same, signed: works without a key until the file goes' }),
    file_size: count.optional().meta({ description: 'Bytes' }),
    note: z.string().optional().meta({ description: 'What to know of the file, such as why it is shorter' }),
    completed_time: time.nullable().optional(),
    error: z.string().nullable().optional().meta({ description: 'Why it failed, for people' }),
    error_code: z.enum(TASK_ERROR_CODES).nullable().optional().meta({ description: 'Why it failed, for programs' }),
    last_error: z.string().nullable().optional().meta({ description: 'Of the attempt before; it will be tried again' }),
    task_id: z.string(),
    created_time: time.nullable(),
    attempts: count,
    progress: z.number().nullable().meta({ description: 'Percent' }),
    speed: z.number().nullable().meta({ description: 'Bytes a second' }),
    eta: z.number().nullable().meta({ description: 'Seconds to go' }),
    downloaded_bytes: z.number().nullable(),
    total_bytes: z.number().nullable(),
    phase: z.enum(['extracting', 'downloading', 'recording', 'processing', 'publishing']).optional(),
    queue_position: z.int().min(1).nullable().optional(),
    next_attempt_at: time.nullable().optional(),
    wait_reason: z.string().nullable().optional(),
  })
  .meta({ id: 'CoreStatus', description: 'A task as it is now' })

/** `GET /health`; also its 503. */
export const healthSchema = z
  .strictObject({
    status: z.enum(['ok', 'error']),
    error: z.string().optional(),
    failed: z.array(z.enum(['database', 'downloads'])).optional(),
    version: z.string(),
    yt_dlp_version: z.string(),
    ffmpeg_version: z.string(),
    gallery_dl_version: z.string().nullable(),
    storage_backend: z.literal('sqlite'),
    engine: z.string().meta({ description: 'How yt-dlp is run: `fork-server` or `processes`' }),
    sandbox: z
      .strictObject({
        landlock: z.union([z.int(), z.literal(false)]).meta({ description: 'ABI in force' }),
        namespaces: z.boolean(),
        network: z.enum(['namespace', 'landlock', 'open']),
      })
      .meta({ description: 'What confines each run' }),
    egress: z.strictObject({ proxied: z.boolean(), upstream: z.boolean() }),
    queue: z.strictObject({
      waiting: count.nullable(),
      processing: count,
      cooling_hosts: z.array(z.string()).meta({ description: 'Sites that are left in peace for a while' }),
    }),
    disk: z.strictObject({ free_bytes: z.number().nullable(), full: z.boolean() }),
  })
  .meta({ id: 'CoreHealth', description: 'What the daemon runs on' })

export const keyMadeSchema = z
  .strictObject({ message: z.string(), key: z.string().meta({ description: 'Its value' }), name: z.string() })
  .meta({ id: 'CoreKey' })

export const keyDeletedSchema = z.strictObject({ name: z.string(), message: z.string() })

export const keysSchema = z
  .record(
    z.string(),
    z.strictObject({
      key: z.string().nullable().meta({ description: 'Its value; null where it is not shown' }),
      name: z.string(),
      permissions: z.array(z.enum(PERMISSIONS)),
      created_time: time,
    }),
  )
  .meta({ id: 'CoreKeys', description: 'All keys by name' })

export const grantedSchema = z.strictObject({ message: z.string() }).meta({ id: 'CoreGranted' })
