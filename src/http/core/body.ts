import { z } from 'zod'
import { secondsOf, toMilliseconds } from '../../domain/clock-time.ts'
import { PERMISSIONS } from '../../domain/permissions.ts'
import type { TaskKind, TaskRequest } from '../../domain/task.ts'
import { OUTPUT_FORMATS } from '../../domain/output-format.ts'

const MAX_URL = 4096
const MAX_SELECTOR = 512
const MAX_FILENAME = 120
const MAX_KEY_NAME = 64
/** A time with spaces around it. */
const MAX_TIME = 32
/** A week: longer than any medium, and small enough for every tool's arithmetic. */
const MAX_SECONDS = 7 * 86_400

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** In a selector without its filters: what yt-dlp makes several files of. */
const SEVERAL_FILES = /,|(^|[/+(])all($|[/+)])/

/** A field that must be text; what is missing or of another type is refused by name. No check reads more than `max`. */
const text = (name: string, max: number) =>
  z
    .string({ error: `${name} must be a string` })
    .max(max, { error: `${name} may have at most ${max} characters`, abort: true })
    .refine((value) => !CONTROL.test(value), `${name} must not contain control characters`)
    .refine((value) => value.isWellFormed(), `${name} must be valid Unicode`)

const url = z
  .custom<unknown>((value) => value !== undefined && value !== null && value !== '', 'URL is required')
  .pipe(text('url', MAX_URL))
  .refine((value) => /^https?:\/\/[^/]/i.test(value.trim()), 'url must be an http:// or https:// address')
  .transform((value) => value.trim())
  .refine((value) => URL.canParse(value), 'url must be an http:// or https:// address')

const selector = (name: string) =>
  text(name, MAX_SELECTOR)
    .refine((value) => value.trim() !== '', `${name} must not be empty`)
    .refine(
      (value) => !value.trim().startsWith('-'),
      `${name} must be a format selector such as bestvideo[height<=1080]`,
    )
    .refine((value) => !SEVERAL_FILES.test(value.replaceAll(/\[[^\]]*\]/g, '')), `${name} must choose one file`)
    .refine((value) => !value.includes('~='), `${name} must not contain regular expressions (~=)`)
    .transform((value) => value.trim())

const videoFormat = selector('video_format').nullish()

/** `null`, "none" and "null" ask for a video without sound. */
const audioFormat = selector('audio_format')
  .transform((value) => (/^(none|null)$/i.test(value) ? null : value))
  .nullable()
  .optional()

const flag = (name: string) => z.boolean({ error: `${name} must be true or false` }).nullish()

/** Seconds as a number, "SS", "MM:SS" or "HH:MM:SS"; each may have a fraction. */
const time = (name: string) => {
  const error = `${name} must be seconds as a number, "SS", "MM:SS" or "HH:MM:SS"`
  return z
    .union([z.number(), z.string().max(MAX_TIME)], { error })
    .transform((value) => (typeof value === 'number' ? value : secondsOf(value)))
    .pipe(
      z
        .number({ error })
        .refine((value) => Number.isFinite(value) && value >= 0, `${name} must not be negative`)
        .max(MAX_SECONDS, `${name} may be at most ${MAX_SECONDS} seconds`)
        .transform(toMilliseconds),
    )
}

const outputFormat = (kind: 'video' | 'audio') =>
  text('output_format', 24)
    .transform((value) => value.toLowerCase())
    .refine(
      (value) => (OUTPUT_FORMATS[kind] as readonly string[]).includes(value),
      `output_format must be one of ${OUTPUT_FORMATS[kind].join(', ')}`,
    )
    .nullish()

const outputFilename = text('output_filename', MAX_FILENAME)
  .refine(
    (value) => !/[/\\]/.test(value) && !/^\.{1,2}$/.test(value) && value.trim() !== '',
    'output_filename must be a plain file name',
  )
  .nullish()

const common = { url, output_filename: outputFilename }

const clipFields = {
  start_time: time('start_time').nullish(),
  end_time: time('end_time').nullish(),
  force_keyframes: flag('force_keyframes'),
}

const liveFields = {
  start: time('start').nullish(),
  duration: z
    .custom<unknown>((value) => value !== undefined && value !== null, 'duration is required')
    .pipe(time('duration'))
    .refine((value) => value > 0, 'duration must be greater than 0'),
}

const clipInOrder = (body: { start_time?: number | null | undefined; end_time?: number | null | undefined }) =>
  body.end_time === undefined || body.end_time === null || body.end_time > (body.start_time ?? 0)
const CLIP_ORDER = { error: 'end_time must be greater than start_time', path: ['end_time'] }

const bodies = {
  video: z
    .object({
      ...common,
      ...clipFields,
      video_format: videoFormat,
      audio_format: audioFormat,
      output_format: outputFormat('video'),
    })
    .refine(clipInOrder, CLIP_ORDER),
  audio: z
    .object({ ...common, ...clipFields, audio_format: audioFormat, output_format: outputFormat('audio') })
    .refine(clipInOrder, CLIP_ORDER),
  live_video: z.object({
    ...common,
    ...liveFields,
    video_format: videoFormat,
    audio_format: audioFormat,
    output_format: outputFormat('video'),
  }),
  live_audio: z.object({ ...common, ...liveFields, audio_format: audioFormat, output_format: outputFormat('audio') }),
  info: z.object({ ...common }),
} as const satisfies Record<TaskKind, z.ZodType>

/** Fields that `/status` shows again as they were sent. */
const SHOWN = [
  'video_format',
  'audio_format',
  'start_time',
  'end_time',
  'force_keyframes',
  'start',
  'duration',
  'output_format',
  'output_filename',
] as const

/** Every field of any kind, as it looks after the checks. */
type Fields = Partial<
  Readonly<{
    url: string
    video_format: string | null | undefined
    audio_format: string | null | undefined
    start_time: number | null | undefined
    end_time: number | null | undefined
    force_keyframes: boolean | null | undefined
    start: number | null | undefined
    duration: number
    output_format: string | null | undefined
    output_filename: string | null | undefined
  }>
>

/** The body of `POST /get_<kind>` as a neutral request. */
export function submissionBody(kind: TaskKind): z.ZodType<TaskRequest> {
  const schema: z.ZodType<Fields> = bodies[kind]
  return schema.transform((fields) => toRequest(kind, fields))
}

/** The checked fields of a `get_<kind>` body that `/status` shows again, as the client wrote them. */
export function shownFields(kind: TaskKind, body: unknown): Record<string, unknown> {
  const fields = body as Readonly<Record<string, unknown>>
  const { shape } = bodies[kind]
  const shown = SHOWN.filter((name) => Object.hasOwn(shape, name) && fields[name] !== undefined)
  return Object.fromEntries(shown.map((name) => [name, fields[name]]))
}

function toRequest(kind: TaskKind, body: Fields): TaskRequest {
  const start = body.start_time ?? null
  const end = body.end_time ?? null
  return {
    kind,
    url: body.url ?? '',
    videoFormat: body.video_format ?? 'bestvideo',
    audioFormat: audioOf(kind, body.audio_format),
    clip: start === null && end === null ? null : { start, end },
    forceKeyframes: body.force_keyframes ?? false,
    outputFormat: body.output_format ?? null,
    outputFilename: body.output_filename ?? null,
    live: body.duration === undefined ? null : { start: body.start ?? 0, duration: body.duration },
  }
}

/** Only a video can do without sound. */
function audioOf(kind: TaskKind, given: string | null | undefined): string | null {
  const canBeSilent = kind === 'video' || kind === 'live_video'
  return given === undefined || (given === null && !canBeSilent) ? 'bestaudio' : given
}

const permissions = (name: string) => {
  const error = `${name} must be a list of ${PERMISSIONS.join(', ')}`
  return z.array(z.enum(PERMISSIONS, { error }), { error })
}

/** The body of `POST /create_key`. */
export const createKeyBody = z.object({
  name: z
    .custom<unknown>((value) => value !== undefined && value !== null && value !== '', 'name is required')
    .pipe(text('name', MAX_KEY_NAME))
    .refine((value) => value.trim() === value && !/[/\\]|^\.{1,2}$/.test(value), 'name must be a plain name'),
  permissions: permissions('permissions'),
})

/** The body of `POST /check_permissions`. Words that are no permissions are held by nobody. */
export const checkPermissionsBody = z.object({
  permissions: z.array(z.string({ error: 'permissions must be a list of words' }), {
    error: 'permissions must be a list of words',
  }),
})
