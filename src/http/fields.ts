import { z } from 'zod'
import { secondsOf, toMilliseconds } from '../domain/clock-time.ts'
import { OUTPUT_FORMATS } from '../domain/output-format.ts'

const MAX_URL = 4096
const MAX_SELECTOR = 512
const MAX_FILENAME = 120
/** A time with spaces around it. */
const MAX_TIME = 32
/** A week: longer than any medium, and small enough for every tool's arithmetic. */
const MAX_SECONDS = 7 * 86_400

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** In a selector without its filters: what yt-dlp makes several files of. */
const SEVERAL_FILES = /,|(^|[/+(])all($|[/+)])/

const NOT_HTTP = 'url must be an http:// or https:// address'

/** A field that must be text; what is missing or of another type is refused by name. No check reads more than `max`. */
export const text = (name: string, max: number) => plain(name, z.string({ error: `${name} must be a string` }), max)

const plain = (name: string, schema: z.ZodString, max: number) =>
  schema
    .max(max, { error: `${name} may have at most ${max} characters`, abort: true })
    .refine((value) => !CONTROL.test(value), `${name} must not contain control characters`)
    .refine((value) => value.isWellFormed(), `${name} must be valid Unicode`)

/** An address of the web, without spaces around it. Whether it may be fetched is not looked at here. */
export const urlField = plain(
  'url',
  z
    .string({
      error: ({ input }) => (input === undefined || input === null ? 'URL is required' : 'url must be a string'),
    })
    .min(1, { error: 'URL is required', abort: true }),
  MAX_URL,
)
  .refine((value) => /^https?:\/\/[^/]/i.test(value.trim()), NOT_HTTP)
  .transform((value) => value.trim())
  .refine((value) => URL.canParse(value), NOT_HTTP)

/** A selector of yt-dlp that chooses one file; it can become no option of a program and costs no more than it should. */
export const selectorField = (name: string) =>
  text(name, MAX_SELECTOR)
    .refine((value) => value.trim() !== '', `${name} must not be empty`)
    .refine(
      (value) => !value.trim().startsWith('-'),
      `${name} must be a format selector such as bestvideo[height<=1080]`,
    )
    .refine((value) => !SEVERAL_FILES.test(value.replaceAll(/\[[^\]]*\]/g, '')), `${name} must choose one file`)
    .refine((value) => !value.includes('~='), `${name} must not contain regular expressions (~=)`)
    .transform((value) => value.trim())

/** A selector of sound; `null`, "none" and "null" ask for a video without sound. */
export const audioSelectorField = selectorField('audio_format')
  .transform((value) => (/^(none|null)$/i.test(value) ? null : value))
  .nullable()

export const flagField = (name: string) => z.boolean({ error: `${name} must be true or false` })

/** Seconds as a number, "SS", "MM:SS" or "HH:MM:SS"; each may have a fraction. */
export const timeField = (name: string) => {
  const error = `${name} must be seconds as a number, "SS", "MM:SS" or "HH:MM:SS"`
  return z
    .union([z.number(), z.string().max(MAX_TIME, { error })], { error })
    .transform((value) => (typeof value === 'number' ? value : secondsOf(value)))
    .pipe(
      z
        .number({ error })
        .refine((value) => Number.isFinite(value) && value >= 0, `${name} must not be negative`)
        .max(MAX_SECONDS, `${name} may be at most ${MAX_SECONDS} seconds`)
        .transform(toMilliseconds),
    )
}

/** A container of video or a codec of sound that can be made here. */
export const outputFormatField = (name: string, kind: 'video' | 'audio') =>
  text(name, 24)
    .transform((value) => value.toLowerCase())
    .refine(
      (value) => (OUTPUT_FORMATS[kind] as readonly string[]).includes(value),
      `${name} must be one of ${OUTPUT_FORMATS[kind].join(', ')}`,
    )

/** The base of a file's name. */
export const filenameField = (name: string) =>
  text(name, MAX_FILENAME).refine(
    (value) => !/[/\\]/.test(value) && !/^\.{1,2}$/.test(value) && value.trim() !== '',
    `${name} must be a plain file name`,
  )
