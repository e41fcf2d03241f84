import { z } from 'zod'
import { PERMISSIONS } from '../../domain/permissions.ts'
import { REQUEST_DEFAULTS, type TaskRequest } from '../../domain/task.ts'
import {
  audioSelectorField,
  filenameField,
  flagField,
  outputFormatField,
  selectorField,
  text,
  timeField,
  urlField,
} from '../fields.ts'

/** The kinds of task that this face knows; its clients know them with `get_` in front. */
export const CORE_KINDS = ['video', 'audio', 'live_video', 'live_audio', 'info'] as const
export type CoreKind = (typeof CORE_KINDS)[number]

const MAX_KEY_NAME = 64

const videoFormat = selectorField('video_format').nullish()
const audioFormat = audioSelectorField.optional()
const outputFormat = (kind: 'video' | 'audio') => outputFormatField('output_format', kind).nullish()

const common = { url: urlField, output_filename: filenameField('output_filename').nullish() }

const clipFields = {
  start_time: timeField('start_time').nullish(),
  end_time: timeField('end_time').nullish(),
  force_keyframes: flagField('force_keyframes').nullish(),
}

const liveFields = {
  start: timeField('start').nullish(),
  duration: z
    .custom<unknown>((value) => value !== undefined && value !== null, 'duration is required')
    .meta({ override: { type: ['number', 'string'], description: 'How long to record' } })
    .pipe(timeField('duration'))
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
} as const satisfies Record<CoreKind, z.ZodType>

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
export function submissionBody(kind: CoreKind): z.ZodType<TaskRequest> {
  const schema: z.ZodType<Fields> = bodies[kind]
  return schema.transform((fields) => toRequest(kind, fields))
}

/** The checked fields of a `get_<kind>` body that `/status` shows again, as the client wrote them. */
export function shownFields(kind: CoreKind, body: unknown): Record<string, unknown> {
  const fields = body as Readonly<Record<string, unknown>>
  const { shape } = bodies[kind]
  const shown = SHOWN.filter((name) => Object.hasOwn(shape, name) && fields[name] !== undefined)
  return Object.fromEntries(shown.map((name) => [name, fields[name]]))
}

function toRequest(kind: CoreKind, body: Fields): TaskRequest {
  const start = body.start_time ?? null
  const end = body.end_time ?? null
  return {
    ...REQUEST_DEFAULTS,
    kind,
    url: body.url ?? '',
    videoFormat: body.video_format ?? REQUEST_DEFAULTS.videoFormat,
    audioFormat: audioOf(kind, body.audio_format),
    clips: start === null && end === null ? [] : [{ start, end }],
    forceKeyframes: body.force_keyframes ?? false,
    outputFormat: body.output_format ?? null,
    outputFilename: body.output_filename ?? null,
    live: body.duration === undefined ? null : { start: body.start ?? 0, duration: body.duration },
  }
}

/** Only a video can do without sound. */
function audioOf(kind: CoreKind, given: string | null | undefined): string | null {
  const canBeSilent = kind === 'video' || kind === 'live_video'
  return given === undefined || (given === null && !canBeSilent) ? REQUEST_DEFAULTS.audioFormat : given
}

const permissions = (name: string) => {
  const error = `${name} must be a list of ${PERMISSIONS.join(', ')}`
  return z.array(z.enum(PERMISSIONS, { error }), { error })
}

/** The body of `POST /create_key`. */
export const createKeyBody = z.object({
  name: z
    .custom<unknown>((value) => value !== undefined && value !== null && value !== '', 'name is required')
    .meta({ override: { type: 'string', minLength: 1, maxLength: MAX_KEY_NAME } })
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
